/** Which part of an input is taken: times and ids as the user gave them become steps and channels. */
import { CommandError } from '../errors/command-errors';
import { message, option } from '../errors/message';
import { divide, fractionOf, parseFraction, toNumber } from '../formats/events/fraction';
import { lengthOf, type Range, type RasterSource } from '../formats/raster-source';
import { SelectedSource } from '../formats/selected-source';
import type { IdRange, InputSpecification } from './job';

/** So many ids are listed in a message. */
const LISTED_IDS = 10;

/**
 * The part of an input that a run takes. Of lists of events, the format has applied the times itself.
 *
 * @param dt Length of a step in seconds.
 * @param name What to call the input.
 * @throws CommandError when the input has no such part.
 */
export function selectPart(
  source: RasterSource,
  { start, duration, selected }: InputSpecification,
  { dt, name, isEventList }: { dt: number; name: string; isEventList: boolean },
): RasterSource {
  const hasTimes = !isEventList && (start !== undefined || duration !== undefined);
  if (!hasTimes && selected === undefined) return source;
  const [, timesteps, columns] = source.shape;
  const steps = hasTimes
    ? selectSteps(timesteps, { start, duration, dt, name })
    : { begin: 0, end: timesteps };
  const channels =
    selected === undefined ? [{ begin: 0, end: columns }] : selectChannels(source, selected, name);
  return new SelectedSource(source, { steps, channels });
}

function selectSteps(
  timesteps: number,
  given: { start: string | undefined; duration: number | undefined; dt: number; name: string },
): Range {
  const { start = '0', duration, dt, name } = given;
  const length = `${timesteps} steps of ${dt} s`;
  const time = parseFraction(start);
  const { numerator, denominator } = divide(time, fractionOf(dt));
  const begin = Number(numerator / denominator);
  const received = `received ${toNumber(time)} s`;
  if (numerator % denominator !== 0n) {
    throw new CommandError(
      message`Expected a whole number of steps of ${dt} s for ${option('start')}, where ${name} is a raster, \
but ${received}.`,
    );
  }
  if (begin < 0 || begin >= timesteps) {
    throw new CommandError(
      message`Expected a time from 0 s to before the end of ${name}, which has ${length}, for \
${option('start')} but ${received}.`,
    );
  }
  if (duration === undefined) return { begin, end: timesteps };
  const count = Math.round(duration / dt);
  if (count >= 1 && begin + count <= timesteps) return { begin, end: begin + count };
  throw new CommandError(
    message`Expected 1 to ${timesteps - begin} steps of ${dt} s for ${option('duration')}, as ${name} has \
from the first one on, but received ${duration} s.`,
  );
}

/** The channels that have the selected ids, in the order of the input. */
function selectChannels(
  { shape: [, , columns], unitIds }: RasterSource,
  selected: readonly IdRange[],
  name: string,
): Range[] {
  if (unitIds === undefined && columns === 1) {
    throw new CommandError(
      message`Expected several channels in ${name} for ${option('channels')} but received one; leave it out.`,
    );
  }
  const isTaken = new Uint8Array(columns);
  for (const [first, last] of selected) {
    let nFound = 0;
    // Channels without ids are all there, so a range beyond the last one is a mistake.
    if (unitIds !== undefined || last === null || last < columns) {
      for (let channel = 0; channel < columns; channel++) {
        const id = unitIds?.[channel] ?? channel;
        if (id < first || id > (last ?? Infinity)) continue;
        isTaken[channel] = 1;
        nFound++;
      }
    }
    if (nFound > 0) continue;
    const received = first === last ? `${first}` : `${first}-${last ?? ''}`;
    throw new CommandError(
      message`Expected ${describeIds(columns, unitIds)} in ${name} for ${option('channels')} but received \
${received}.`,
    );
  }
  return rangesOf(isTaken);
}

/** The ids that there are, in words. */
function describeIds(columns: number, unitIds: readonly number[] | undefined): string {
  if (unitIds === undefined) return `channels from 0 to ${columns - 1}`;
  const some = unitIds.slice(0, LISTED_IDS).join(', ');
  return unitIds.length <= LISTED_IDS
    ? `ids of units among ${some}`
    : `ids of the ${unitIds.length} units ${some} and so on`;
}

/** The runs of elements that are not 0. */
function rangesOf(isTaken: Uint8Array): Range[] {
  const ranges: Range[] = [];
  let end = 0;
  for (;;) {
    const begin = isTaken.indexOf(1, end);
    if (begin < 0) return ranges.filter((range) => lengthOf(range) > 0);
    const next = isTaken.indexOf(0, begin);
    end = next < 0 ? isTaken.length : next;
    ranges.push({ begin, end });
  }
}
