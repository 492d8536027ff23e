/** Where text is shown. */
export interface TextStream {
  write(text: string): unknown;
  isTTY?: boolean | undefined;
}

/** Where a command writes what it has to say. */
export interface Streams {
  /** Takes bytes as well when currents go there. */
  stdout: TextStream;
  stderr: TextStream;
}

/** What a command knows of the process that it runs in. */
export interface CommandContext extends Streams {
  /** What was given on the command line. */
  args: readonly string[];
  /**
   * Does work that ends by itself when its signal is aborted, with the name of the signal by which
   * the process was asked to end as the reason. Other work is ended by the system.
   */
  interruptibly: <Result>(work: (signal: AbortSignal) => Promise<Result>) => Promise<Result>;
}
