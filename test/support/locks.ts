/** What tests of locks write in place of other processes. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

import { ownIdentity, type ProcessIdentity } from '../../lib/formats/files/process-identity';

/** No system gives such a number. */
export const NOBODY = 2 ** 22 + 1;
export const HOUR = 3600_000;

/** What a lock says of its holder. */
export function lockOf(process: ProcessIdentity | undefined, more: object = {}): string {
  const pid = process?.pid ?? 7;
  const since = '2026-01-02T03:04:05.678Z';
  return JSON.stringify({ pid, host: 'elsewhere', token: 'theirs', since, process, ...more });
}

/** Another process of this machine, by the table of processes. */
export function identityOf(pid: number): ProcessIdentity {
  const { place = '' } = ownIdentity() ?? {};
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const start = text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  return { pid, start, place };
}

/** Whether a program is there and may do what it is for. */
export function works(program: string, ...args: string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0;
}
