#!/usr/bin/env node
/** The command line. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { Command, CommanderError } from 'commander';

import { removeUnfinishedFiles } from '../formats/complete-file';
import { CommandError } from '../errors';
import { addRunCommand, type Streams } from './run-command';

/**
 * Runs the command line.
 *
 * @param args What stands after the program's name.
 * @param streams Where to write; a failure writes one sentence to stderr.
 * @returns The exit code: 0 for success, 1 when something failed, 2 for a command line that is not
 *   understood.
 */
export async function run(args: readonly string[], streams: Streams = process): Promise<number> {
  try {
    await makeProgram(streams).parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof CommandError) {
      streams.stderr.write(`${error.message}\n`);
      return error.exitCode;
    }
    throw error;
  }
}

function makeProgram(streams: Streams): Command {
  const program = new Command('expsyn')
    .description('Exponential synapses for spiking neural networks.')
    .version(readVersion(), '-V, --version', 'show the version')
    // The help of the default command is the one to see, so the option is left to it.
    .helpOption(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => streams.stdout.write(text),
      writeErr: (text) => streams.stderr.write(text),
      outputError: (text, write) => write(toSentence(text)),
    });
  addRunCommand(program, streams);
  return program;
}

/** Commander writes "error: unknown option '--foo'", perhaps with a suggestion below. */
function toSentence(text: string): string {
  const words = text
    .replace(/^error: /, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join(' ');
  const sentence = words.charAt(0).toUpperCase() + words.slice(1);
  return `${sentence.replace(/[.]?$/, '.')}\n`;
}

function readVersion(): string {
  const path = join(__dirname, '..', '..', 'package.json');
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string };
  return version;
}

function endOn(signal: NodeJS.Signals): void {
  process.once(signal, () => {
    removeUnfinishedFiles();
    process.kill(process.pid, signal);
  });
}

if (require.main === module) {
  endOn('SIGINT');
  endOn('SIGTERM');
  // Whoever reads the output may stop reading, as `head` does.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  void run(process.argv.slice(2)).then((exitCode) => {
    process.exitCode = exitCode;
  });
}
