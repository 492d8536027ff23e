/** Describes a list of events, and warns of what looks like a mistake. */
import { CommandError } from '../../errors/command-errors';
import type { EventSummary, RasterSource } from '../../formats/raster-source';
import { meanRate } from '../../figure/input-summary';
import { counted, formatTime } from '../../figure/words';

/** Digits of a time, so that one since 1970 has its seconds. */
const TIME_DIGITS = 12;
/** Fewer steps than this before the first event are no mistake. */
const FEW_STEPS = 1000;
/** More elements of currents before the first event are a mistake: 8 TB in double precision. */
const MAX_EMPTY_ELEMENTS = 1e12;
/** A unit of fewer digits was not rounded. */
const ROUNDED_DIGITS = 4;

/** How a list of events is read. */
export interface EventReading {
  input: {
    /** In seconds, where it is given. */
    start?: string | undefined;
    /** Seconds; 1 unless given. */
    timeUnit?: number | undefined;
  };
  /** Seconds. */
  dt: number;
  /** What to call the list. */
  name: string;
}

/** A raster that may have been made from a list of events. */
type EventRaster = Pick<RasterSource, 'events' | 'shape'>;

/** What a list of events holds; JSON. */
export interface EventMeasures {
  count: number;
  /** Events that were left out, since they lie before the first step or after the last. */
  dropped?: number;
  /** The earliest and the latest time, in seconds; absent if there are no events. */
  first?: number;
  last?: number;
  /**
   * Events a second of the average batch item, and of the average channel of it: from the first step on,
   * or from the first event on where that is far from the first step.
   */
  rate: number;
  ratePerChannel: number;
}

/** Undefined if the input is no list of events, or a part of one. */
export function measureEvents(
  { events, shape: [batches, timesteps, channels] }: EventRaster,
  { input, dt }: Pick<EventReading, 'input' | 'dt'>,
): EventMeasures | undefined {
  if (events === undefined || events.isOfMore === true) return undefined;
  const { count, dropped, first, last, firstStep } = events;
  const steps = batches * (timesteps - (isFarFromOrigin(events, input) ? firstStep : 0));
  return {
    count,
    ...(dropped > 0 && { dropped }),
    ...(first !== undefined && { first }),
    ...(last !== undefined && { last }),
    rate: rounded(meanRate(count, steps, dt)),
    ratePerChannel: rounded(meanRate(count, steps * channels, dt)),
  };
}

/** To three digits. */
function rounded(rate: number): number {
  return Number(rate.toPrecision(3));
}

export function describeEvents(measures: EventMeasures): string {
  const { count, dropped, first, last, rate, ratePerChannel } = measures;
  const parts = [counted(count, 'event')];
  if (dropped !== undefined) parts.push(`${counted(dropped, 'other')} left out`);
  if (first !== undefined) parts.push(`first at ${formatTime(first, TIME_DIGITS)}`);
  if (last !== undefined) parts.push(`last at ${formatTime(last, TIME_DIGITS)}`);
  parts.push(`${rate} events/s, ${ratePerChannel} of a channel`);
  return parts.join(', ');
}

/** One line for each thing that looks like a mistake; none if the input is no list of events. */
export function eventWarnings(
  { events, shape }: EventRaster,
  { input, dt, name }: EventReading,
): string[] {
  if (events === undefined) return [];
  const { lastChannel, isChannelZeroEmpty, tolerance } = events;
  const warnings: string[] = [];
  if (isFarFromOrigin(events, input)) {
    const start = startOf(events);
    warnings.push(
      `The first event of ${name} is at ${start.first}, so the run begins with ` +
        `${counted(events.firstStep, 'step')} without any, since time 0 is the beginning of step 0; ` +
        `to begin later, give --start ${start.advice}.`,
    );
  }
  if (isChannelZeroEmpty && lastChannel > 0 && lastChannel === shape[2] - 1) {
    warnings.push(
      `Channel 0 of ${name} has no event while the largest channel is ${lastChannel}; channels count ` +
        'from 0, so subtract 1 if those of the file count from 1.',
    );
  }
  if (tolerance >= 0.5) {
    warnings.push(
      `The times of ${name} are rounded to single precision, which is coarser than the steps of ` +
        `${formatTime(dt)}, so events lie in neighbouring steps; save the times in double precision.`,
    );
  }
  const rate = roundedRateOf(input.timeUnit ?? 1);
  if (rate !== undefined) {
    warnings.push(
      `The unit of the times of ${name} is nearly, but not exactly, that of a clock of ${rate} Hz; give ` +
        `--time-unit ${rate}Hz if it is one, so that late events keep their steps.`,
    );
  }
  return warnings;
}

/** Whether so much lies before the first event that no disk holds the output. */
export function isTooLong({ events, shape }: EventRaster): boolean {
  return events !== undefined && events.firstStep * shape[2] > MAX_EMPTY_ELEMENTS;
}

/** Refuses a run whose output is too large, if that is because time 0 is far from its first event. */
export function requireNearOrigin(
  { events }: RasterSource,
  { input, dt, name }: EventReading,
): void {
  if (events === undefined || !isFarFromOrigin(events, input)) return;
  const { first, advice } = startOf(events);
  throw new CommandError(
    `Expected events soon after time 0, where step 0 begins, in ${name} but the first is at ${first}, ` +
      `${counted(events.firstStep, 'step')} of ${formatTime(dt)} later; give --start ${advice}, or ` +
      'check --time-unit.',
  );
}

/** Whether there is more time before the first event than after it, and no start was given. */
function isFarFromOrigin(
  { firstStep, lastStep }: EventSummary,
  input: EventReading['input'],
): boolean {
  return input.start === undefined && firstStep >= FEW_STEPS && firstStep > lastStep - firstStep;
}

function startOf({ first = 0 }: EventSummary): { first: string; advice: string } {
  const units: [unit: string, perSecond: number][] = [
    ['s', 1],
    ['ms', 1e3],
    ['us', 1e6],
  ];
  const [unit, perSecond] = units.find(([, size]) => first * size >= 1) ?? ['ns', 1e9];
  return {
    first: formatTime(first, TIME_DIGITS),
    advice: `${Math.floor(first * perSecond)}${unit}`,
  };
}

/** A whole rate of which a unit is the rounded inverse, such as 30000 of 33.3333 us. */
function roundedRateOf(timeUnit: number): number | undefined {
  const rate = Math.round(1 / timeUnit / 100) * 100;
  if (rate < 1000 || 1 / rate === timeUnit) return undefined;
  const digits = timeUnit.toExponential().replace(/e.*$/, '').replace('.', '').length;
  const isRounded = digits >= ROUNDED_DIGITS && Number((1 / rate).toPrecision(digits)) === timeUnit;
  return isRounded ? rate : undefined;
}
