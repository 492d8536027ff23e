/** Identifies processes, so that another process on the same machine can tell whether one is alive. */
import { readFileSync, readlinkSync } from 'node:fs';

import { hasCode } from '../../errors/system-errors';

/** A process. JSON. */
export interface ProcessIdentity {
  pid: number;
  /** When it was started, in the kernel's units since the machine was. */
  start: string;
  /** Where its number and start are valid: a boot of a machine, and namespaces in it. */
  place: string;
}

/** The fields of /proc/PID/stat from the third on: the second is a name with any characters. */
const [STATE, START] = [0, 19];

let own: { identity: ProcessIdentity | undefined } | undefined;

/**
 * This process; undefined if the system does not tell enough. Only Linux does: elsewhere a number and a
 * host's name do not tell a process from one in a container, or from one before the machine was started
 * again.
 */
export function ownIdentity(): ProcessIdentity | undefined {
  own ??= { identity: readOwnIdentity() };
  return own.identity;
}

function readOwnIdentity(): ProcessIdentity | undefined {
  try {
    // What is mounted there may be of another namespace, whose numbers mean other processes.
    if (readlinkSync('/proc/self') !== `${process.pid}`) return undefined;
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const pids = readlinkSync('/proc/self/ns/pid');
    const start = readStat(process.pid)?.start;
    if (boot === '' || start === undefined) return undefined;
    return { pid: process.pid, start, place: `${boot} ${pids} ${timeNamespace()}` };
  } catch {
    return undefined;
  }
}

/** Start times are counted in it; older kernels have none. */
function timeNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/time');
  } catch {
    return '';
  }
}

/**
 * Whether a process is alive. A new namespace may have the number of a former one without harm: a number
 * is reused only when all processes of the former namespace have ended.
 */
export function stateOfProcess({
  pid,
  start,
  place,
}: ProcessIdentity): 'alive' | 'dead' | 'unknown' {
  if (ownIdentity()?.place !== place) return 'unknown';
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (hasCode(error, 'ESRCH')) return 'dead';
    if (!hasCode(error, 'EPERM')) return 'unknown';
  }
  const found = readStat(pid);
  if (found === undefined) return 'unknown';
  // A zombie has died, but its parent has not waited for it yet.
  return found.start === start && !/[ZXx]/.test(found.state) ? 'alive' : 'dead';
}

function readStat(pid: number): { state: string; start: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const { [STATE]: state, [START]: start } = fields;
    return state === undefined || start === undefined ? undefined : { state, start };
  } catch {
    return undefined;
  }
}
