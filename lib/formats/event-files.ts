/** What all files of events have in common: how an event finds its step, and how events are counted. */
import { CommandError } from '../errors';
import type { NpyData } from './npy';
import { lengthOf, sizeOfRegion, type Region } from './raster-source';

/** How events become a raster. All numbers are positive and finite. */
export interface EventOptions {
  /** Length of a step in seconds. */
  dt: number;
  /** Seconds per unit of the file's times. */
  timeUnit: number;
  /**
   * Length of the raster in seconds; T is the nearest whole number of steps. An event in a later
   * step, one at the very end included, is an error. Without it the last event's step is the last.
   */
  duration?: number;
  /** N, a whole number; an event of a later channel is an error. */
  channels?: number;
}

/** The type of the counts. */
export const COUNT_TYPE = { type: 'uint16', itemBytes: Uint16Array.BYTES_PER_ELEMENT } as const;
const MAX_COUNT = 0xffff;
/** Channels are kept in 32 bits. */
const MAX_CHANNEL = 0xffff_ffff;
/**
 * What time, unit and dt lose as binary fractions, and the product and the quotient, is at most
 * five halves of 2^-52 together.
 */
const TOLERANCE = 2 ** -50;
/** What single precision loses of a time is far more: half of 2^-23. */
const SINGLE_TOLERANCE = 2 ** -23;

/** Options, and how much of a time may be the rounding of its type. */
export interface Binning extends EventOptions {
  tolerance: number;
}

/**
 * How times of a type are binned. Times in half precision are taken as they are: what they lose is as
 * much as a step.
 *
 * @param code The type as a .npy header has it, without the byte order.
 */
export function binningOf(options: EventOptions, code: string): Binning {
  return { ...options, tolerance: code === 'f4' ? SINGLE_TOLERANCE : TOLERANCE };
}

/**
 * The step that a time lies in: floor(time * timeUnit / dt), except that a time before the beginning
 * of a step by no more than `tolerance` of itself counts as that beginning, so that 0.043 s at
 * 0.001 s per step is step 43, though the quotient of these numbers is less. It never decreases with
 * time.
 */
export function stepOf(
  time: number,
  { dt, timeUnit, tolerance }: Pick<Binning, 'dt' | 'timeUnit' | 'tolerance'>,
): number {
  const position = (time * timeUnit) / dt;
  const nearest = Math.round(position);
  return nearest - position <= position * tolerance && nearest > position
    ? nearest
    : Math.floor(position);
}

/** What besides the content of a file decides its raster, as a text. */
export function describeOptions({ dt, timeUnit, duration, channels }: EventOptions): string {
  return JSON.stringify([dt, timeUnit, duration ?? null, channels ?? null]);
}

/** Checks all events of a file, and finds the size of their raster. */
export class EventCheck {
  readonly #options: Binning;
  readonly #name: string;
  /** How many steps and channels there may be. */
  readonly #timesteps: number;
  readonly #channels: number;
  #lastStep = -1;
  #lastChannel = -1;

  /** @throws CommandError when the duration is less than half a step. */
  constructor(options: Binning, name: string) {
    const { dt, duration, channels } = options;
    this.#options = options;
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
   * The step of an event.
   *
   * @param index Which event of the file, or of the sample, it is.
   * @throws CommandError when there is no bin for it.
   */
  stepOf(time: number, channel: number, index: number, sample?: number): number {
    const step = stepOf(time, this.#options);
    const isInside = step >= 0 && step < this.#timesteps && time >= 0;
    if (!isInside) throw this.#wrongTime(time, index, sample);
    if (!(channel >= 0 && channel < this.#channels && Number.isInteger(channel))) {
      throw this.#wrongChannel(channel, index, sample);
    }
    if (step > this.#lastStep) this.#lastStep = step;
    if (channel > this.#lastChannel) this.#lastChannel = channel;
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
      throw new CommandError(
        `Expected events in ${this.#name} but received none; ` +
          'give the duration and the number of channels to make a raster of zeros.',
      );
    }
    return [
      duration === undefined ? this.#lastStep + 1 : this.#timesteps,
      channels ?? this.#lastChannel + 1,
    ];
  }

  #wrongTime(time: number, index: number, sample: number | undefined): CommandError {
    const received = `but the time of ${nameOf(index, sample)} is ${time}`;
    const { dt, duration } = this.#options;
    if (!Number.isFinite(time) || time < 0) {
      return new CommandError(
        `Expected times that are finite and not negative in ${this.#name} ${received}.`,
      );
    }
    if (duration === undefined) {
      return new CommandError(
        `Expected times of fewer than 2^53 steps of ${dt} s in ${this.#name} ${received}; ` +
          'check the unit of the times.',
      );
    }
    return new CommandError(
      `Expected times before the end of the ${this.#timesteps} steps of ${dt} s in ${this.#name} ` +
        `${received}; give a longer duration, or check the unit of the times.`,
    );
  }

  #wrongChannel(channel: number, index: number, sample: number | undefined): CommandError {
    const received = `but the channel of ${nameOf(index, sample)} is ${channel}`;
    const isChannel = Number.isInteger(channel) && channel >= 0;
    if (isChannel && this.#options.channels !== undefined) {
      return new CommandError(
        `Expected channels from 0 to ${this.#channels - 1} in ${this.#name} ${received}; ` +
          'give a greater number of channels, or none.',
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

/** Counts the events of a region. */
export class EventCounts {
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
export function toNumbers(values: NpyData): Exclude<NpyData, BigInt64Array | BigUint64Array> {
  return values instanceof BigInt64Array || values instanceof BigUint64Array
    ? Float64Array.from(values, Number)
    : values;
}
