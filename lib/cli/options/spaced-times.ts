/** Notices times that are written with a space, of which a shell makes two words. */
import { existsSync } from 'node:fs';

import { UsageError } from '../../errors/command-errors';
import { KERNELS } from '../../modules/kernels';
import { flagOf } from './wording';
import { parseClockTime, parsePeriod, parseTimes } from './times';

/** The options that take several times. */
const LISTS = KERNELS.flatMap(({ parameters }) =>
  parameters.filter(({ unit }) => unit === 's').map(({ name }) => flagOf(name).slice(2)),
);
/** The options, of any command, that take a time or several. */
const OPTIONS = new RegExp(
  `^--(${LISTS.join('|')}|dt|time-unit|duration|start|from|to|lease-timeout)(?:=(.*))?$`,
  's',
);

const UNIT =
  /^([\u00b5\u03bcmun]?s|m?secs?|min|h|[kM]?Hz|((milli|micro|nano)?second|minute|hour)s?)(,|$)/i;
const NUMBER = /^-?[\d.,/]+(e[-+]?\d+)?[a-z\u00b5\u03bc,]*$/i;

/**
 * Refuses `--tau 20 ms` and `--tau 5ms, 20ms`, in which the rest of the time would be taken for the name
 * of an input. A word that is the name of a file counts as one.
 *
 * @throws UsageError that says how to write it.
 */
export function requireUnspacedTimes(args: readonly string[]): void {
  for (const [index, arg] of args.entries()) {
    const [match, option, own] = OPTIONS.exec(arg) ?? [];
    if (match === undefined) continue;
    const words = own === undefined ? args.slice(index + 1) : [own, ...args.slice(index + 1)];
    const [first = '', ...others] = words;
    if (!NUMBER.test(first)) continue;
    const end = others.findIndex(
      (word) => !(UNIT.test(word) || NUMBER.test(word)) || existsSync(word),
    );
    const rest = end < 0 ? others : others.slice(0, end);
    if (rest.length === 0) continue;
    throw new UsageError(
      `Expected a time without spaces for --${option} but received '${[first, ...rest].join(' ')}'; ` +
        `write it in one word, such as ${exampleOf(option ?? '', [first, ...rest])}.`,
    );
  }
}

/** What was most likely meant, in one word; an example if that is no time for the option. */
function exampleOf(option: string, words: readonly string[]): string {
  const text = words
    .join(' ')
    .replace(/\s*,\s*/g, ',')
    .replace(/ (?=[^\d.])/g, '')
    .replace(/ /g, ',')
    .replace(/,$/, '');
  try {
    if (LISTS.includes(option)) parseTimes(text, option);
    else if (option === 'dt' || option === 'time-unit') parsePeriod(text, option);
    else parseClockTime(text, option);
    return text;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return LISTS.includes(option) ? '20ms or 5ms,20ms' : '20ms';
  }
}
