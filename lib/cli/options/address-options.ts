/** The options of commands that read http(s) addresses. */
import type { Command } from 'commander';

import { UsageError } from '../../errors/command-errors';
import { DEFAULT_TIMEOUT, DEFAULT_TRIES, type AddressOptions } from '../../formats/http/reader';
import { readCount } from './numbers';
import { parseTime } from './times';

/** After this many seconds, Node itself gives a request up. */
const LONGEST_TIMEOUT = 300;

/** The flags as commander gives them. */
export interface AddressFlags {
  httpTimeout?: string;
  httpTries?: string;
}

/** Adds them to a command. */
export function addAddressOptions(command: Command): Command {
  return command
    .option(
      '--http-timeout <time>',
      `longest time that an http(s) server may send nothing (default: ${DEFAULT_TIMEOUT / 1000}s)`,
    )
    .option(
      '--http-tries <n>',
      `number of tries of a request if the server fails (default: ${DEFAULT_TRIES})`,
    );
}

/** Adds the option of commands that read inputs. */
export function addForbiddenOption(command: Command): Command {
  return command.option(
    '--forbidden-is-missing',
    'for an http(s) address: status 403 means that a chunk is missing',
  );
}

export function readAddressFlags(flags: AddressFlags): AddressOptions {
  const seconds =
    flags.httpTimeout === undefined ? undefined : parseTime(flags.httpTimeout, '--http-timeout');
  if (seconds !== undefined && seconds > LONGEST_TIMEOUT) {
    throw new UsageError(
      `Expected at most ${LONGEST_TIMEOUT} s for --http-timeout but received '${flags.httpTimeout}'.`,
    );
  }
  return {
    timeout: seconds === undefined ? undefined : Math.max(1, seconds * 1000),
    tries: readCount(flags.httpTries, '--http-tries'),
  };
}
