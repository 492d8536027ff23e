/** Runs the command line, in this process or in one that can be killed. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

import { run } from '../../lib/cli/main';
import { ROOT } from './processes';

/** How a command ended, and what it wrote. */
export interface Outcome {
  code: number;
  out: string;
  err: string;
}

/** Runs a command line in this process, in the current folder. */
export async function expsyn(...args: string[]): Promise<Outcome> {
  let out = '';
  let err = '';
  const code = await run(args, {
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
  });
  return { code, out, err };
}

/** Runs one that must succeed. */
export async function succeed(...args: string[]): Promise<string> {
  const { code, out, err } = await expsyn(...args);
  if (code !== 0) throw new Error(`expsyn ${args.join(' ')}: ${err}`);
  return out;
}

/** The command line of the compiled package, in a process of its own. */
export class Command {
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  out: Buffer = Buffer.alloc(0);
  err = '';

  constructor(
    args: readonly string[],
    options: { cwd: string; command?: readonly string[]; env?: Record<string, string> },
  ) {
    const { cwd, command = [] } = options;
    const env = { ...process.env, ...options.env };
    const words = [...command, process.execPath, join(ROOT, 'dist', 'cli', 'main.js'), ...args];
    const [program = '', ...rest] = words;
    this.child = spawn(program, rest, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stdout?.on('data', (bytes: Buffer) => {
      this.out = Buffer.concat([this.out, bytes]);
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.err += text));
    this.child.stdin?.on('error', () => undefined);
    this.ended = once(this.child, 'close').then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
    }));
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    this.child.kill(signal);
    await this.ended;
  }
}
