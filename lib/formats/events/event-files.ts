/** What all files of events have in common: how events are checked, described and counted. */
import { CommandError } from '../../errors/command-errors';
import { message, option } from '../../errors/message';
import type { EventClock } from './event-clock';
import { parseFraction, toNumber } from './fraction';
import type { Elements } from '../elements';
import type { EventOptions } from '../event-options';
import type { EventList } from '../../arrays/event-list';
import {
  lengthOf,
  sizeOfRegion,
  type EventSummary,
  type Range,
  type Region,
} from '../raster-source';

/** The type of the counts. */
export const COUNT_TYPE = { type: 'uint16', itemBytes: Uint16Array.BYTES_PER_ELEMENT } as const;
const MAX_COUNT = 0xffff;
/** Channels are kept in 32 bits. */
const MAX_CHANNEL = 0xffff_ffff;

const START = option('start');
const DURATION = option('duration');
const DROP = option('outside', 'drop');

/** What besides the content of a file decides its raster, as a text. */
export function describeOptions(options: EventOptions): string {
  const { dt, timeUnit, start = '0', duration, channels, outside = 'throw' } = options;
  const { population, units, member, sensor } = options;
  const selection = [population, units, ...(member === undefined ? [] : [member])];
  const isWhole = selection.every((each) => each === undefined);
  return JSON.stringify([
    dt,
    timeUnit,
    duration ?? null,
    channels ?? null,
    start,
    outside,
    ...(isWhole ? [] : selection),
    ...(sensor === undefined ? [] : [{ sensor }]),
  ]);
}

/** Some events, one after the other. */
export interface Events {
  /** As the file has them. */
  times: Elements;
  /** Of EventClock.stepsOf(). */
  steps: Float64Array;
  channels: ArrayLike<number>;
}

/** Checks all events of a file, and finds the size of their raster. */
export class EventCheck {
  readonly #options: EventOptions;
  readonly #clock: EventClock;
  readonly #name: string;
  /** How many steps and channels there may be. */
  readonly #timesteps: number;
  readonly #channels: number;
  #events = 0;
  #dropped = 0;
  /** Of those dropped. */
  #droppedBefore = 0;
  #first = Infinity;
  #last = -Infinity;
  #firstStep = Infinity;
  #lastStep = -1;
  #lastChannel = -1;
  #hasChannelZero = false;

  /**
   * @param options The size of a sensor is an error: who reads pixels has used it.
   * @throws CommandError when the duration is less than half a step.
   */
  constructor(options: EventOptions, clock: EventClock, name: string) {
    const { dt, duration, channels, sensor } = options;
    if (sensor !== undefined) {
      throw new CommandError(
        message`Expected events of a camera, with x and y, in ${name} for ${option('sensor')} but received others; leave it out.`,
      );
    }
    this.#options = options;
    this.#clock = clock;
    this.#name = name;
    this.#timesteps = duration === undefined ? Number.MAX_SAFE_INTEGER : Math.round(duration / dt);
    this.#channels = channels ?? MAX_CHANNEL + 1;
    if (this.#timesteps < 1 || this.#timesteps > Number.MAX_SAFE_INTEGER) {
      throw new CommandError(
        `Expected a duration of 1 to 2^53 - 1 steps of ${dt} s for ${name} ` +
          `but received ${duration ?? ''} s.`,
      );
    }
  }

  /**
   * The step of event `index`; one before 0 or after the last for an event that is dropped.
   *
   * @param before How many events of the file, or of the sample, come before these.
   * @throws CommandError when there is no bin for it.
   */
  stepOf(
    { times, steps, channels }: Events,
    index: number,
    before: number,
    sample?: number,
  ): number {
    const time = Number(times[index]);
    const channel = channels[index] ?? NaN;
    const step = steps[index] ?? NaN;
    const isInside = step >= 0 && step < this.#timesteps;
    const mayDrop = this.#options.outside === 'drop' && Number.isFinite(time);
    if (!isInside && !mayDrop) {
      throw this.#wrongTime(times.slice(index, index + 1), step, nameOf(before + index, sample));
    }
    if (!(channel >= 0 && channel < this.#channels && Number.isInteger(channel))) {
      throw this.#wrongChannel(channel, nameOf(before + index, sample));
    }
    if (!isInside) {
      this.#dropped++;
      if (step < 0) this.#droppedBefore++;
      return step;
    }
    this.#events++;
    if (time < this.#first) this.#first = time;
    if (time > this.#last) this.#last = time;
    if (step < this.#firstStep) this.#firstStep = step;
    if (step > this.#lastStep) this.#lastStep = step;
    if (channel > this.#lastChannel) this.#lastChannel = channel;
    if (channel === 0) this.#hasChannelZero = true;
    return step;
  }

  /**
   * T and N.
   *
   * @throws CommandError when neither an event nor an option tells them.
   */
  get shape(): readonly [timesteps: number, channels: number] {
    const { duration, channels } = this.#options;
    if (this.#lastStep < 0 && (duration === undefined || channels === undefined)) {
      throw this.#noEvents();
    }
    return [
      duration === undefined ? this.#lastStep + 1 : this.#timesteps,
      channels ?? this.#lastChannel + 1,
    ];
  }

  /** What the events that are not dropped are like. */
  get summary(): EventSummary {
    const isAny = this.#events > 0;
    return {
      count: this.#events,
      dropped: this.#dropped,
      ...(isAny && {
        first: this.#clock.secondsOf(this.#first),
        last: this.#clock.secondsOf(this.#last),
      }),
      firstStep: isAny ? this.#firstStep : -1,
      lastStep: this.#lastStep,
      lastChannel: this.#lastChannel,
      isChannelZeroEmpty: !this.#hasChannelZero,
      tolerance: this.#clock.tolerance,
    };
  }

  #noEvents(): CommandError {
    const { duration, channels } = this.#options;
    const expected = `Expected events in ${this.#name} but received`;
    if (this.#dropped === 0) {
      return new CommandError(
        `${expected} none; give the duration and the number of channels to make a raster of zeros.`,
      );
    }
    const before = this.#droppedBefore;
    const after = this.#dropped - before;
    const parts = [
      ...(before > 0 ? [`${before} before the first step`] : []),
      ...(after > 0 ? [`${after} after the last step`] : []),
    ];
    const checked = after > 0 ? message`${START} and ${DURATION}` : [START];
    const missing = [
      ...(duration === undefined ? [DURATION] : []),
      ...(duration === undefined && channels === undefined ? [' and '] : []),
      ...(channels === undefined ? [option('channels')] : []),
    ];
    return new CommandError(
      message`${expected} ${parts.join(' and ')}; check ${checked}, or give ${missing} to make a raster of zeros.`,
    );
  }

  /** @param times That of the event alone. */
  #wrongTime(times: Elements, step: number, event: string): CommandError {
    const [time = NaN] = times;
    const { dt, duration, start = '0' } = this.#options;
    const received = `but the time of ${event} is ${time}`;
    const origin = `${toNumber(parseFraction(start))} s`;
    if (typeof time === 'number' && !Number.isFinite(time)) {
      return new CommandError(`Expected times that are finite in ${this.#name} ${received}.`);
    }
    if (step < 0) {
      return new CommandError(
        message`Expected times from ${origin} on, where step 0 begins, in ${this.#name} ${received}; \
give an earlier ${START}, or leave such events out with ${DROP}.`,
      );
    }
    if (duration === undefined) {
      return new CommandError(
        message`Expected times of fewer than 2^53 steps of ${dt} s from ${origin} on, where step 0 begins, \
in ${this.#name} ${received}; check the unit of the times, or give a later ${START}.`,
      );
    }
    const isAtEnd = step === this.#timesteps && this.#clock.isEarly(times);
    const reason = isAtEnd
      ? `, which is within the tolerance of the end and so belongs to step ${step}`
      : '';
    return new CommandError(
      message`Expected times before the end of the ${this.#timesteps} steps of ${dt} s, which begin at \
${origin}, in ${this.#name} ${received}${reason}; give a longer duration or a later ${START}, check the unit \
of the times, or leave such events out with ${DROP}.`,
    );
  }

  #wrongChannel(channel: number, event: string): CommandError {
    const received = `but the channel of ${event} is ${channel}`;
    const isChannel = Number.isInteger(channel) && channel >= 0;
    if (isChannel && this.#options.channels !== undefined) {
      return new CommandError(
        `Expected channels from 0 to ${this.#channels - 1} in ${this.#name} ${received}; ` +
          'give a greater number of channels, or none, or subtract 1 if the channels count from 1.',
      );
    }
    return new CommandError(
      `Expected channels that are whole numbers from 0 to ${MAX_CHANNEL} in ${this.#name} ` +
        `${received}; the first column is the time and the second the channel.`,
    );
  }
}

function nameOf(index: number, sample: number | undefined): string {
  return sample === undefined ? `event ${index}` : `event ${index} of sample ${sample}`;
}

/** What takes the events that a region may have. */
export interface EventReceiver {
  add(batch: number, step: number, channel: number): void;
}

/** Lists the events of a region, as a call takes them. */
export class EventPlaces implements EventReceiver {
  readonly #region: Region;
  readonly #dt: number;
  readonly #times: number[] = [];
  readonly #channels: number[] = [];
  readonly #batches: number[] = [];

  /** @param dt The length of the steps of the call, in seconds. */
  constructor(region: Region, dt: number) {
    this.#region = region;
    this.#dt = dt;
  }

  /** Lists an event, unless it lies outside the region. */
  add(batch: number, step: number, channel: number): void {
    const { batches, steps, channels } = this.#region;
    if (!isIn(batches, batch) || !isIn(steps, step) || !isIn(channels, channel)) return;
    // The middle of its step, whatever is lost by rounding.
    this.#times.push((step - steps.begin + 0.5) * this.#dt);
    this.#channels.push(channel - channels.begin);
    this.#batches.push(batch - batches.begin);
  }

  get list(): EventList {
    const { batches, steps, channels } = this.#region;
    return {
      times: this.#times,
      channels: this.#channels,
      batches: this.#batches,
      shape: [lengthOf(batches), lengthOf(steps), lengthOf(channels)],
    };
  }
}

function isIn({ begin, end }: Range, index: number): boolean {
  return index >= begin && index < end;
}

/** Counts the events of a region. */
export class EventCounts implements EventReceiver {
  /** In row-major (C) order. */
  readonly counts: Uint16Array;
  readonly #region: Region;
  readonly #name: string;

  /** @param memory Where the counts may be put. */
  constructor(region: Region, name: string, memory?: Uint8Array) {
    this.#region = region;
    this.#name = name;
    this.counts = countsIn(sizeOfRegion(region), name, memory);
  }

  /**
   * Counts an event, unless it lies outside the region.
   *
   * @throws CommandError when there are more in its bin than a count can tell.
   */
  add(batch: number, step: number, channel: number): void {
    const { batches, steps, channels } = this.#region;
    const isInside =
      step >= steps.begin &&
      step < steps.end &&
      channel >= channels.begin &&
      channel < channels.end;
    if (!isInside) return;
    const row = (batch - batches.begin) * lengthOf(steps) + (step - steps.begin);
    const index = row * lengthOf(channels) + (channel - channels.begin);
    const count = (this.counts[index] ?? 0) + 1;
    if (count > MAX_COUNT) {
      const sample = lengthOf(batches) > 1 || batch > 0 ? ` of sample ${batch}` : '';
      throw new CommandError(
        `Expected at most ${MAX_COUNT} events of one channel in a step in ${this.#name} but ` +
          `channel ${channel} has more in step ${step}${sample}; take shorter steps, or check ` +
          'the unit of the times.',
      );
    }
    this.counts[index] = count;
  }
}

function countsIn(length: number, name: string, memory: Uint8Array | undefined): Uint16Array {
  const { itemBytes } = COUNT_TYPE;
  if (
    memory !== undefined &&
    memory.length >= length * itemBytes &&
    memory.byteOffset % itemBytes === 0
  ) {
    return new Uint16Array(memory.buffer, memory.byteOffset, length).fill(0);
  }
  try {
    return new Uint16Array(length);
  } catch (cause) {
    throw new CommandError(
      `Expected a part of the raster of ${name} to fit the memory but it has ${length} bins.`,
      { cause },
    );
  }
}

/** Numbers of any type as numbers; whole ones beyond 2^53 lose their last digits. */
export function toNumbers(values: Elements): Exclude<Elements, BigInt64Array | BigUint64Array> {
  return values instanceof BigInt64Array || values instanceof BigUint64Array
    ? Float64Array.from(values, Number)
    : values;
}
