/** Scripts in processes and threads of their own; `ExpSyn` there is that of the compiled package. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

export const ROOT = join(__dirname, '..', '..');

const PRELUDE = `const { ExpSyn } = require(${JSON.stringify(ROOT)});\n`;

/** Far beyond what any script takes on a busy machine: only one that hangs gets there. */
const HANG_MS = 45_000;

/** How a process ended; `signal` is SIGKILL for one that hung. */
export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  output: string;
  errors: string;
}

/** Runs a program to its end, and ends it when it hangs. */
export async function runProgram(
  program: string,
  programArguments: readonly string[],
  options: { cwd?: string; env?: Record<string, string>; hangMs?: number; uid?: number } = {},
): Promise<Ended> {
  const child = spawn(program, programArguments, {
    cwd: options.cwd ?? ROOT,
    uid: options.uid,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: options.hangMs ?? HANG_MS,
    killSignal: 'SIGKILL',
  });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { code, signal, output, errors };
}

/** Runs a CommonJS script in a Node process; `flags` are Node's. */
export function runScript(
  script: string,
  options: { flags?: readonly string[]; env?: Record<string, string>; isBare?: boolean } = {},
): Promise<Ended> {
  const { flags = [], env = {}, isBare = false } = options;
  const source = isBare ? script : PRELUDE + script;
  return runProgram(process.execPath, [...flags, '-e', source], { env });
}

/** Starts a worker thread with a CommonJS script. */
export function startWorker(script: string, workerData?: unknown): Worker {
  return new Worker(workerSource(script), { eval: true, execArgv: [], workerData });
}

/** The source that startWorker() runs, for scripts that start workers themselves. */
export function workerSource(script: string): string {
  return PRELUDE + script;
}

/** The first message of a worker; rejects when the worker fails or ends before. */
export function messageOf<Message>(worker: Worker): Promise<Message> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) => {
      reject(new Error(`The worker ended with ${code} before it sent a message.`));
    });
  });
}
