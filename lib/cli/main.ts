#!/usr/bin/env node
/** The command line. */
import { Command, CommanderError } from 'commander';

import { CommandError, exitCodeOf, interrupts, type Interrupt } from '../errors/command-errors';
import { fileError, isReaderGone } from '../errors/system-errors';
import { removeUnfinishedFiles } from '../formats/files/complete-file';
import { addBenchCommand } from './commands/bench-command';
import { addInfoCommand } from './commands/info-command';
import { addPlotCommand } from './commands/plot-command';
import { addRunCommand } from './commands/run-command';
import { requireUnspacedTimes } from './options/spaced-times';
import type { CommandContext, Streams } from './context/command-context';
import { readVersion } from './context/version';
import { addWorkerCommand } from './commands/worker-command';
import { wordError } from './options/wording';

/** Milliseconds in which a process that has failed or was interrupted ends by itself, if it does. */
const LINGERING = 100;

/**
 * Runs the command line.
 *
 * @param args What stands after the program's name.
 * @param streams Where to write; a failure writes one sentence to stderr.
 * @param interruptibly See CommandContext; by default nothing interrupts.
 * @returns The exit code: 0 for success, 1 when something failed, 2 for a command line that is not
 *   understood, 130, 143 or another one of exitCodeOf() when the process was asked to end.
 */
export async function run(
  args: readonly string[],
  streams: Streams = process,
  interruptibly: CommandContext['interruptibly'] = async (work) =>
    work(new AbortController().signal),
): Promise<number> {
  const { stdout, stderr } = streams;
  try {
    requireUnspacedTimes(args);
    const program = makeProgram({ stdout, stderr, args, interruptibly });
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      stderr.write(`${toSentence(error)}\n`);
      return 2;
    }
    const sentence = wordError(error);
    if (sentence === undefined) throw error;
    stderr.write(`${sentence}\n`);
    return error instanceof CommandError ? error.exitCode : 1;
  }
}

function makeProgram(context: CommandContext): Command {
  const program = new Command('expsyn')
    .description('Synapses for spiking neural networks.')
    .version(readVersion(), '-V, --version', 'show the version')
    // The help of the default command is the one to see, so the option is left to it.
    .helpOption(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
      // run() words the error.
      outputError: () => undefined,
    });
  addRunCommand(program, context);
  addPlotCommand(program, context);
  addInfoCommand(program, context);
  addBenchCommand(program, context);
  addWorkerCommand(program, context);
  return program;
}

/** What commander prints before a message. */
const PREFIX = 'error: ';

/** An error of commander, which may have a suggestion in a second line, as one sentence. */
function toSentence({ code, message }: CommanderError): string {
  const text = message.startsWith(PREFIX) ? message.slice(PREFIX.length) : message;
  const lines = text.split('\n').map((line) => line.trim());
  const words = lines.filter((line) => line !== '').join(' ');
  const clause = words.endsWith('.') ? words.slice(0, -1) : words;
  const isExcess = code === 'commander.excessArguments';
  const advice = isExcess ? '; see expsyn --help for the commands' : '';
  return `${clause.charAt(0).toUpperCase()}${clause.slice(1)}${advice}.`;
}

/** The signals that ask the process to end: work that can end by itself does, once. */
class Interrupts {
  #controller: AbortController | undefined;

  listen(): void {
    for (const signal of interrupts()) {
      process.on(signal, () => {
        this.#interrupt(signal);
      });
    }
  }

  async interruptibly<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    const controller = new AbortController();
    this.#controller = controller;
    try {
      return await work(controller.signal);
    } finally {
      this.#controller = undefined;
    }
  }

  #interrupt(signal: Interrupt): void {
    const controller = this.#controller;
    if (controller !== undefined && !controller.signal.aborted) {
      controller.abort(signal);
      return;
    }
    removeUnfinishedFiles();
    // Windows would end the process with a code that says nothing.
    if (process.platform === 'win32') process.exit(exitCodeOf(signal));
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  }
}

if (require.main === module) {
  const interrupts = new Interrupts();
  interrupts.listen();
  // The reader of the output may stop reading, as `head` does.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (isReaderGone(error)) return;
    const { message } = fileError('write', 'the standard output', error) as Error;
    process.stderr.write(`${message}\n`);
    process.exit(1);
  });
  // A run continues if nobody reads its messages, or if the disk of its log is full.
  process.stderr.on('error', () => undefined);
  void run(process.argv.slice(2), process, async (work) => interrupts.interruptibly(work)).then(
    (exitCode) => {
      process.exitCode = exitCode;
      // A connection that is being made would keep the process until it is given up.
      if (exitCode > 0) setTimeout(() => process.exit(), LINGERING).unref();
    },
  );
}
