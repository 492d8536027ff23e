/** Runs checks one after the other, says what passes and what fails, and ends with a count. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { SetupError } from '../setup/setup-error.mjs';

/** A program that takes longer than this hangs: an hour, because a busy machine takes long to compile. */
const HANG_MILLISECONDS = 60 * 60_000;

/** A command that failed; the message holds what it printed. */
export class CommandError extends Error {}

const running = new Set();

function endGroup(child) {
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended already, or never began.
  }
}

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
]) {
  process.once(signal, () => {
    running.forEach(endGroup);
    process.exit(code);
  });
}

/**
 * Runs a command. Resolves to its standard output, or with `isMerged` to all that it printed; rejects if it
 * fails or hangs.
 */
export async function run(command, commandArguments, { cwd, env = {}, isMerged = false }) {
  const child = spawn(command, commandArguments, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, so that the processes that it starts end with it.
    detached: true,
  });
  running.add(child);
  const timer = setTimeout(() => endGroup(child), HANG_MILLISECONDS);
  let stdout = '';
  let all = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
    all += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => (all += text));
  const ending = await new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => resolve(signal ?? code));
  });
  clearTimeout(timer);
  running.delete(child);
  if (ending === 0) return isMerged ? all : stdout;
  const line = [command, ...commandArguments].join(' ');
  throw new CommandError(
    `Expected '${line}' to succeed but it ended with ${ending}:\n${all.trim()}`,
  );
}

/**
 * Chooses the checks that are named, or all. A check is { name, run }; run(folder) gets an empty folder and
 * resolves to a text that says what has passed.
 */
export function choose(checks, named) {
  const names = checks.map(({ name }) => name);
  const unknown = named.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new SetupError(`Expected names among ${names.join(', ')} but received ${unknown}.`);
  }
  return checks.filter(({ name }) => named.length === 0 || named.includes(name));
}

/** Runs the checks and prints a line for each. Resolves to whether all have passed. */
export async function runChecks(label, checks) {
  let failed = 0;
  for (const { name, run: check } of checks) {
    const start = performance.now();
    const folder = mkdtempSync(join(tmpdir(), 'expsyn-distribution-'));
    const seconds = () => `${((performance.now() - start) / 1000).toFixed(1)} s`;
    console.log(`${label}: ${name} ...`);
    try {
      const passed = await check(folder);
      console.log(`${label}: ${name}: passed in ${seconds()}: ${passed}`);
    } catch (error) {
      failed++;
      const reason = error instanceof CommandError ? error.message : error.stack;
      console.error(`${label}: ${name}: failed after ${seconds()}: ${reason}`);
    } finally {
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    }
  }
  console.log(`${checks.length - failed} passed, ${failed} failed`);
  return failed === 0;
}

/** Runs a script's main function. A SetupError is a sentence for the user, and ends the script. */
export async function main(label, work) {
  try {
    if (!(await work(process.argv.slice(2)))) process.exitCode = 1;
  } catch (error) {
    if (!(error instanceof SetupError || error instanceof CommandError)) throw error;
    console.error(`${label}: ${error.message}`);
    process.exitCode = 1;
  }
}
