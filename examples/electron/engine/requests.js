// @ts-check
/**
 * Checks the messages of a page. The preload script sends only correct ones; but a page that an attacker
 * has taken over may send anything.
 */
import { posix, win32 } from 'node:path';

/** A message that is not understood, or that cannot be carried out now. */
export class RequestError extends Error {}

/** What is said about an error. */
export function messageOf(error) {
  return error instanceof Error ? error.message : shown(error);
}

/** A value as it is shown in a message. It may be anything, such as an object that cannot become a string. */
export function shown(value) {
  try {
    return JSON.stringify(value) ?? 'undefined';
  } catch {
    return `a value of type ${typeof value}`;
  }
}

/**
 * Whether a path is absolute and on a disk of this machine, as far as it tells: neither an option of the
 * command line nor an address on the network. On Windows, it begins with the letter of a disk: `\\server`
 * would make the process log in there.
 */
export function isLocalPath(path, platform = process.platform) {
  if (path.includes('\0')) return false;
  return platform === 'win32'
    ? /^[A-Za-z]:[\\/]/.test(path) && win32.isAbsolute(path)
    : posix.isAbsolute(path);
}

/** [least, most, unit]. Beyond them, a call would take long, or the simulation would mean nothing. */
const RANGES = {
  steps: [1, 10_000, ''],
  tau: [1e-4, 10, ' seconds'],
  dt: [1e-5, 0.1, ' seconds'],
  rate: [0, 1000, ' spikes per second'],
};

const TIME_UNITS = ['1s', '1ms', '1us'];

function readNumber(name, value) {
  const [least, most, unit] = RANGES[name];
  if (typeof value === 'number' && value >= least && value <= most) return value;
  throw new RequestError(
    `Expected ${least} to ${most}${unit} for ${name} but received ${shown(value)}.`,
  );
}

/** Reads a request for the next steps of the live simulation. */
export function readSteps({ steps, tau, dt, rate }) {
  if (!Number.isInteger(steps)) {
    throw new RequestError(`Expected a whole number for steps but received ${shown(steps)}.`);
  }
  return {
    steps: readNumber('steps', steps),
    tau: readNumber('tau', tau),
    dt: readNumber('dt', dt),
    rate: readNumber('rate', rate),
  };
}

/** Reads a request to compute the currents of a file. */
export function readRun({ path, name, tau, dt, timeUnit }) {
  if (typeof path !== 'string' || !isLocalPath(path)) {
    throw new RequestError(
      'Expected an absolute path on a disk of this computer but received ' +
        `${typeof path === 'string' ? 'another one' : shown(path)}; copy the file to such a disk.`,
    );
  }
  if (typeof name !== 'string') {
    throw new RequestError(`Expected the name of a file but received ${shown(name)}.`);
  }
  // Only a list of events has times, and so a unit of them.
  if (timeUnit !== undefined && !TIME_UNITS.includes(timeUnit)) {
    throw new RequestError(
      `Expected ${TIME_UNITS.join(', ')} or undefined for timeUnit but received ${shown(timeUnit)}.`,
    );
  }
  return { path, name, tau: readNumber('tau', tau), dt: readNumber('dt', dt), timeUnit };
}
