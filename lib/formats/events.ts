/** Lists of events in .npy files, shape (E, 2): the time and the channel of each. */
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';

import { CommandError, fileError } from '../errors';
import { countEvent, Extent, type BinningOptions } from './binning';
import { identifyFile } from './fingerprint';
import { openNpySource } from './npy-file';
import { lengthOf, type InputIdentity, type RasterSource, type Region } from './raster-source';

/** Events that are read at a time. */
const SLAB = 2 ** 16;
/** Lists that are not in order are sorted in memory; longer ones would not fit. */
const MOST_UNSORTED = 2 ** 25;

/** Steps and channels of some events, in order of the steps. */
interface Events {
  steps: Float64Array;
  channels: Uint32Array;
}

/**
 * Opens a list of events as a raster of counts, shape (1, T, N). One pass over the file checks it;
 * then only what a region needs is read.
 *
 * @throws CommandError when it is no such list, or too long to be sorted and not in order.
 */
export async function openEventsNpy(path: string, options: BinningOptions): Promise<RasterSource> {
  const list = await openNpySource(path);
  try {
    const [, count, columns] = list.shape;
    if (list.nAxes !== 2 || columns !== 2) {
      throw new CommandError(
        `Expected shape (E, 2), a time and a channel for each event, in ${path} but received ` +
          `(${list.shape.slice(3 - list.nAxes).join(', ')}).`,
      );
    }
    const extent = new Extent(options, path);
    const slabs = new SlabReader(list, count, extent);
    await slabs.scan();
    const [timesteps, channels] = extent.shape();
    if (!slabs.isSorted) await slabs.sort(path);
    return new EventsSource(path, slabs, await identify(path, options), [1, timesteps, channels]);
  } catch (error) {
    await list.close();
    throw error;
  }
}

async function identify(path: string, options: BinningOptions): Promise<InputIdentity> {
  const absolute = resolve(path);
  try {
    const file = await open(absolute, 'r');
    try {
      return await identifyFile(file, absolute, 'events', JSON.stringify(options));
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError('read', path, error);
  }
}

/** The list in slabs, whose first steps are known. */
class SlabReader {
  isSorted = true;
  readonly #list: RasterSource;
  readonly #count: number;
  readonly #extent: Extent;
  readonly #firstSteps: number[] = [];
  #sorted: Events | undefined;
  /** The slab that was read last: the next region often begins in it. */
  #last: { slab: number; events: Promise<Events> } | undefined;

  constructor(list: RasterSource, count: number, extent: Extent) {
    this.#list = list;
    this.#count = count;
    this.#extent = extent;
  }

  async scan(): Promise<void> {
    let before = 0;
    for (let slab = 0; slab * SLAB < this.#count; slab++) {
      const { steps } = await this.#read(slab);
      this.#firstSteps.push(steps[0] ?? 0);
      for (const step of steps) {
        if (step < before) this.isSorted = false;
        before = step;
      }
    }
  }

  /** Reads everything, in order of steps and channels. */
  async sort(path: string): Promise<void> {
    if (this.#count > MOST_UNSORTED) {
      throw new CommandError(
        `Expected events in order of time in ${path}, since there are more than ${MOST_UNSORTED}, but ` +
          'received others; sort them by time first.',
      );
    }
    const [, width] = this.#extent.shape();
    // Numbers up to 2^53 hold both, and are sorted at once.
    const keys = new Float64Array(this.#count);
    for (let slab = 0; slab * SLAB < this.#count; slab++) {
      const { steps, channels } = await this.#read(slab);
      steps.forEach((step, index) => {
        const key = step * width + (channels[index] ?? 0);
        if (key >= 2 ** 53) {
          throw new CommandError(
            `Expected events in order of time in ${path}, since their times reach so far, but received ` +
              'others; sort them by time first.',
          );
        }
        keys[slab * SLAB + index] = key;
      });
    }
    keys.sort();
    const steps = keys.map((key) => Math.floor(key / width));
    const channels = Uint32Array.from(keys, (key, index) => key - (steps[index] ?? 0) * width);
    this.#sorted = { steps, channels };
    this.#firstSteps.splice(0);
    for (let begin = 0; begin < this.#count; begin += SLAB)
      this.#firstSteps.push(steps[begin] ?? 0);
  }

  /** Slabs with events from step `begin` to the one before `end`, in order. */
  async *within({ begin, end }: { begin: number; end: number }): AsyncGenerator<Events> {
    // The last slab that begins before may reach into the range.
    let low = 0;
    let high = this.#firstSteps.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#firstSteps[middle] ?? 0) < begin) low = middle + 1;
      else high = middle;
    }
    for (let slab = Math.max(0, low - 1); slab < this.#firstSteps.length; slab++) {
      if ((this.#firstSteps[slab] ?? 0) >= end) return;
      yield await this.#events(slab);
    }
  }

  async close(): Promise<void> {
    await this.#list.close();
  }

  async #events(slab: number): Promise<Events> {
    if (this.#sorted !== undefined) {
      const [begin, end] = [slab * SLAB, (slab + 1) * SLAB];
      const { steps, channels } = this.#sorted;
      return { steps: steps.subarray(begin, end), channels: channels.subarray(begin, end) };
    }
    if (this.#last?.slab !== slab) this.#last = { slab, events: this.#read(slab) };
    return this.#last.events;
  }

  async #read(slab: number): Promise<Events> {
    const begin = slab * SLAB;
    const end = Math.min(begin + SLAB, this.#count);
    const pairs = await this.#list.read({
      batches: { begin: 0, end: 1 },
      steps: { begin, end },
      channels: { begin: 0, end: 2 },
    });
    const steps = new Float64Array(end - begin);
    const channels = new Uint32Array(end - begin);
    for (let index = 0; index < steps.length; index++) {
      const channel = Number(pairs[2 * index + 1]);
      const place = (): string => `event ${begin + index}`;
      steps[index] = this.#extent.include(Number(pairs[2 * index]), channel, place);
      channels[index] = channel;
    }
    return { steps, channels };
  }
}

class EventsSource implements RasterSource {
  readonly nAxes = 2;
  readonly type = 'uint16';
  readonly itemBytes = 2;
  readonly isInterleaved = false;
  readonly #path: string;
  readonly #slabs: SlabReader;

  constructor(
    path: string,
    slabs: SlabReader,
    readonly identity: InputIdentity,
    readonly shape: readonly [number, number, number],
  ) {
    this.#path = path;
    this.#slabs = slabs;
  }

  async read({ batches, steps, channels }: Region): Promise<Uint16Array> {
    const width = lengthOf(channels);
    const counts = new Uint16Array(lengthOf(batches) * lengthOf(steps) * width);
    if (counts.length === 0) return counts;
    for await (const events of this.#slabs.within(steps)) {
      events.steps.forEach((step, index) => {
        const channel = events.channels[index] ?? 0;
        if (step < steps.begin || step >= steps.end) return;
        if (channel < channels.begin || channel >= channels.end) return;
        countEvent(
          counts,
          (step - steps.begin) * width + channel - channels.begin,
          () => `in a step in ${this.#path} but received more in step ${step}, channel ${channel}`,
        );
      });
    }
    return counts;
  }

  async close(): Promise<void> {
    await this.#slabs.close();
  }
}
