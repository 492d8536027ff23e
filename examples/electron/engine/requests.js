// @ts-check
/**
 * Checks the messages of a page. The preload script sends only correct ones; but a page that an attacker
 * has taken over may send anything.
 */
import { isAbsolute } from 'node:path';

/** A message that is not understood, or that cannot be carried out now. */
export class RequestError extends Error {}

/** What is said about an error. */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
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
    `Expected ${least} to ${most}${unit} for ${name} but received ${JSON.stringify(value)}.`,
  );
}

/** Reads a request for the next steps of the live simulation. */
export function readSteps({ steps, tau, dt, rate }) {
  if (!Number.isInteger(steps)) {
    throw new RequestError(
      `Expected a whole number for steps but received ${JSON.stringify(steps)}.`,
    );
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
  // An absolute path is neither an option of the command line nor an address on the network.
  if (typeof path !== 'string' || !isAbsolute(path) || path.includes('\0')) {
    throw new RequestError(`Expected an absolute path but received ${JSON.stringify(path)}.`);
  }
  if (typeof name !== 'string') {
    throw new RequestError(`Expected the name of a file but received ${JSON.stringify(name)}.`);
  }
  // Only a list of events has times, and so a unit of them.
  if (timeUnit !== undefined && !TIME_UNITS.includes(timeUnit)) {
    throw new RequestError(
      `Expected ${TIME_UNITS.join(', ')} or undefined for timeUnit but received ${JSON.stringify(timeUnit)}.`,
    );
  }
  return { path, name, tau: readNumber('tau', tau), dt: readNumber('dt', dt), timeUnit };
}
