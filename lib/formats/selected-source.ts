/** A part of an input, as if it were a file of its own. */
import type { TypedArray } from '../arrays/element-types';
import type { EventList } from '../arrays/event-list';
import {
  columnsOf,
  lengthOf,
  sizeOfRegion,
  type Range,
  type RasterSource,
  type Region,
} from './raster-source';

/** Which steps and channels of a raster. */
export interface Selection {
  steps: Range;
  /** Ascending, and apart from each other. */
  channels: readonly Range[];
}

/** A raster that holds the selected steps and channels of another one, and reads nothing else of it. */
export class SelectedSource implements RasterSource {
  readonly identity: RasterSource['identity'];
  readonly identify: RasterSource['identify'];
  readonly shape: RasterSource['shape'];
  readonly nAxes: number;
  readonly type: string;
  readonly itemBytes: number;
  readonly isInterleaved: boolean;
  readonly events: RasterSource['events'];
  readonly unitIds: readonly number[] | undefined;
  readonly stepsAtOnce?: number;
  readonly channelsAtOnce?: number;
  readonly remark: string | undefined;
  readonly readEvents?: RasterSource['readEvents'];
  readonly interrupt?: () => void;
  readonly #whole: RasterSource;
  readonly #selection: Selection;

  constructor(whole: RasterSource, selection: Selection) {
    const { steps, channels } = selection;
    this.#whole = whole;
    this.#selection = selection;
    this.identity = whole.identity;
    this.identify = () => whole.identify();
    const [batches, , columns] = whole.shape;
    const width = channels.reduce((sum, range) => sum + lengthOf(range), 0);
    this.shape = [batches, lengthOf(steps), width];
    this.nAxes = whole.nAxes;
    this.type = whole.type;
    this.itemBytes = whole.itemBytes;
    this.isInterleaved = whole.isInterleaved;
    if (width === columns) {
      this.events = whole.events;
      this.unitIds = whole.unitIds;
    } else {
      this.events = whole.events && { ...whole.events, isChannelZeroEmpty: false, isOfMore: true };
      this.unitIds = channels.flatMap(({ begin, end }) =>
        Array.from({ length: end - begin }, (_, n) => whole.unitIds?.[begin + n] ?? begin + n),
      );
    }
    if (whole.stepsAtOnce !== undefined) this.stepsAtOnce = whole.stepsAtOnce;
    if (whole.channelsAtOnce !== undefined) this.channelsAtOnce = whole.channelsAtOnce;
    this.remark = whole.remark;
    if (whole.readEvents !== undefined) this.readEvents = this.#readEvents.bind(this);
    if (whole.interrupt !== undefined) this.interrupt = () => whole.interrupt?.();
  }

  async read(region: Region, memory?: Uint8Array): Promise<TypedArray> {
    const parts = this.#partsOf(region);
    const [only] = parts;
    if (only !== undefined && parts.length === 1) return this.#whole.read(only, memory);
    if (only !== undefined && this.#whole.readChannels !== undefined) {
      const ranges = parts.map(({ channels }) => channels);
      return this.#whole.readChannels({ batches: only.batches, steps: only.steps }, ranges);
    }
    const width = lengthOf(region.channels);
    let all: TypedArray | undefined;
    let first = 0;
    for (const part of parts) {
      const own = await this.#whole.read(part);
      all ??= arrayLike(own, sizeOfRegion(region));
      const ownWidth = lengthOf(part.channels);
      const rows = own.length / ownWidth;
      for (let row = 0; row < rows; row++) {
        const values = own.subarray(row * ownWidth, (row + 1) * ownWidth);
        // Both are of one type.
        (all as Float64Array).set(values as Float64Array, row * width + first);
      }
      first += ownWidth;
    }
    return all ?? this.#whole.read({ ...region, channels: { begin: 0, end: 0 } });
  }

  async close(): Promise<void> {
    await this.#whole.close();
  }

  /** Where the columns of a region, from first to last, are in the whole raster. */
  #partsOf({ batches, steps, channels }: Region): Region[] {
    const { begin } = this.#selection.steps;
    const moved = { begin: steps.begin + begin, end: steps.end + begin };
    const parts: Region[] = [];
    let first = 0;
    for (const range of this.#selection.channels) {
      const from = Math.max(channels.begin - first, 0) + range.begin;
      const to = Math.min(channels.end - first + range.begin, range.end);
      if (from < to) parts.push({ batches, steps: moved, channels: { begin: from, end: to } });
      first += lengthOf(range);
    }
    return parts;
  }

  async #readEvents(region: Region, dt: number): Promise<EventList> {
    const times: number[] = [];
    const channels: number[] = [];
    const batches: number[] = [];
    const parts = this.#partsOf(region);
    const [first] = parts;
    if (first !== undefined) {
      const columns = columnsOf(parts.map((part) => part.channels));
      // One pass over the events, however many ranges there are.
      const range = { begin: first.channels.begin, end: first.channels.begin + columns.length };
      const own = await this.#whole.readEvents?.({ ...first, channels: range }, dt);
      for (let event = 0; event < (own?.times.length ?? 0); event++) {
        const column = columns[Number(own?.channels[event])] ?? -1;
        if (column < 0) continue;
        times.push(Number(own?.times[event]));
        channels.push(column);
        batches.push(Number(own?.batches?.[event] ?? 0));
      }
    }
    const shape = [region.batches, region.steps, region.channels].map(lengthOf);
    return { times, channels, batches, shape };
  }
}

/** Memory for so many elements of the type of an array. */
function arrayLike(array: TypedArray, length: number): TypedArray {
  return new (array.constructor as new (length: number) => TypedArray)(length);
}
