/** The unit of times, as their names, their attributes, or a sampling rate beside them tell it. */
import { CommandError } from '../../errors/command-errors';
import { message, option } from '../../errors/message';
import type { EventTable } from '../events/event-table';
import { isRateName, isSampleName, secondsIn, unitInName } from './columns';
import { joinName, readNumbers, splitName, type NamedArrays } from './named-arrays';

/** What units of numbers of samples are called. */
const SAMPLE_UNIT = /^(?:samples?|frames?)$/i;

/**
 * A list with the unit of its times.
 *
 * @param names The arrays that hold the times.
 * @param words What else may name their unit.
 */
export async function withUnit(
  table: EventTable,
  arrays: NamedArrays,
  names: readonly string[],
  words: readonly string[] = names,
): Promise<EventTable> {
  const inName = table.timeUnit ?? words.map(unitInName).find((unit) => unit !== undefined);
  if (inName !== undefined) return { ...table, timeUnit: inName };
  const unit = unitOf(arrays, names);
  const isSamples = table.isSamples === true || SAMPLE_UNIT.test(unit) || words.some(isSampleName);
  if (isSamples) {
    const rate = await samplingRateOf(arrays, names);
    return { ...table, isSamples, timeUnit: rate && 1 / rate };
  }
  const timeUnit = secondsIn(unit);
  if (unit === '' || timeUnit !== undefined) return { ...table, timeUnit };
  throw new CommandError(
    message`Expected times in s, ms, us or ns in ${names[0] ?? ''} of ${arrays.path} but received '${unit}'; give \
${option('timeUnit')}.`,
  );
}

/** The attribute of some arrays that tells their unit. */
function unitOf({ nodes, path }: NamedArrays, names: readonly string[]): string {
  const units = names.map((name) => {
    const { units: several, unit = several } = nodes.get(name)?.texts ?? {};
    return unit ?? '';
  });
  const [first = '', ...others] = new Set(units);
  const [other] = others;
  if (other === undefined) return first;
  throw new CommandError(
    message`Expected one unit of the times of all units in ${path} but received '${first}' and '${other}'; give \
${option('timeUnit')}.`,
  );
}

/** Samples per second, from the place that is nearest to the times: themselves, their group, or one around it. */
async function samplingRateOf(
  arrays: NamedArrays,
  names: readonly string[],
): Promise<number | undefined> {
  const places = [names];
  for (let [group] = splitName(names[0] ?? ''), end = false; !end; [group] = splitName(group)) {
    places.push([group]);
    end = group === '';
  }
  for (const [index, place] of places.entries()) {
    const rates = new Map(place.flatMap((name) => ratesIn(arrays, name)));
    if (index > 0) {
      for (const name of rateArraysIn(arrays, place[0] ?? '')) {
        rates.set(name, Number((await readNumbers(arrays, name))[0]));
      }
    }
    const [rate, ...others] = new Set(rates.values());
    if (rate === undefined) continue;
    if (others.length === 0 && rate > 0 && rate < Infinity) return rate;
    const received = [...rates].map(([name, value]) => `${value} in ${name}`).join(' and ');
    throw new CommandError(
      message`Expected one sampling rate above 0 in ${arrays.path} but received ${received}; give \
${option('timeUnit')}, such as 30kHz.`,
    );
  }
  return undefined;
}

function ratesIn({ nodes }: NamedArrays, name: string): [string, number][] {
  const numbers = Object.entries(nodes.get(name)?.numbers ?? {});
  return numbers
    .filter(([own]) => isRateName(own))
    .map(([own, rate]) => [joinName(name, own), rate]);
}

/** The arrays of one number in a group that are a sampling rate by their name. */
function rateArraysIn({ nodes }: NamedArrays, group: string): string[] {
  return [...nodes].flatMap(([name, { content, shape }]) => {
    const [of, own] = splitName(name);
    const isOne = content === 'numbers' && shape.every((size) => size === 1);
    return of === group && isOne && isRateName(own) ? [name] : [];
  });
}
