/** A stream that text is written to. */
export interface TextStream {
  write(text: string): unknown;
  isTTY?: boolean | undefined;
}

/** The streams that a command writes to. */
export interface Streams {
  /** Takes bytes as well when currents go there. */
  stdout: TextStream;
  stderr: TextStream;
}

/** The process that a command runs in. */
export interface CommandContext extends Streams {
  /** What was given on the command line. */
  args: readonly string[];
  /**
   * Does work that can be interrupted: when the process is asked to end, the work's signal is aborted,
   * with the name of the operating system's signal as the reason, and the work ends by itself. The system
   * ends all other work.
   */
  interruptibly: <Result>(work: (signal: AbortSignal) => Promise<Result>) => Promise<Result>;
}
