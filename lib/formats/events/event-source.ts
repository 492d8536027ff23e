/** The source that every list of events becomes, however its events are kept. */
import type { EventList } from '../../arrays/event-list';
import { fileError } from '../../errors/system-errors';
import {
  columnsOf,
  lengthOf,
  type EventSummary,
  type InputIdentity,
  type Range,
  type RasterSource,
  type Region,
} from '../raster-source';
import { COUNT_TYPE, EventCounts, EventPlaces, type EventReceiver } from './event-files';

/** Events that have been checked. */
export interface EventSet {
  /** Adds the events of a region, and perhaps others that lie outside. */
  addTo(receiver: EventReceiver, region: Region): void | Promise<void>;
}

/** What a source is made from. */
export interface EventSourceContent {
  /** What to call the file. */
  name: string;
  identity: InputIdentity;
  identify: () => Promise<InputIdentity>;
  nAxes: number;
  shape: RasterSource['shape'];
  summary: EventSummary;
  unitIds?: readonly number[] | undefined;
  events: EventSet;
  /** What is done at the end. */
  close?: () => Promise<void>;
}

/** A list of events as a raster of counts, or as what calls take. */
export class EventSource implements RasterSource {
  readonly type = COUNT_TYPE.type;
  readonly itemBytes = COUNT_TYPE.itemBytes;
  readonly isInterleaved = false;
  readonly identity: InputIdentity;
  readonly identify: () => Promise<InputIdentity>;
  readonly nAxes: number;
  readonly shape: RasterSource['shape'];
  readonly events: EventSummary;
  readonly unitIds: readonly number[] | undefined;
  readonly #name: string;
  readonly #events: EventSet;
  readonly #close: (() => Promise<void>) | undefined;

  constructor(content: EventSourceContent) {
    this.identity = content.identity;
    this.identify = content.identify;
    this.nAxes = content.nAxes;
    this.shape = content.shape;
    this.events = content.summary;
    this.unitIds = content.unitIds;
    this.#name = content.name;
    this.#events = content.events;
    this.#close = content.close;
  }

  async read(region: Region, memory?: Uint8Array): Promise<Uint16Array> {
    const counts = new EventCounts(region, this.#name, memory);
    if (counts.counts.length > 0) await this.#addTo(counts, region);
    return counts.counts;
  }

  async readChannels(
    region: Omit<Region, 'channels'>,
    ranges: readonly Range[],
  ): Promise<Uint16Array> {
    const columns = columnsOf(ranges);
    const first = ranges[0]?.begin ?? 0;
    const width = ranges.reduce((sum, range) => sum + lengthOf(range), 0);
    const counts = new EventCounts({ ...region, channels: { begin: 0, end: width } }, this.#name);
    const chosen: EventReceiver = {
      add: (batch, step, channel) => {
        const column = columns[channel - first] ?? -1;
        if (column >= 0) counts.add(batch, step, column);
      },
    };
    await this.#addTo(chosen, {
      ...region,
      channels: { begin: first, end: first + columns.length },
    });
    return counts.counts;
  }

  async readEvents(region: Region, dt: number): Promise<EventList> {
    const places = new EventPlaces(region, dt);
    await this.#addTo(places, region);
    return places.list;
  }

  async close(): Promise<void> {
    await this.#close?.();
  }

  async #addTo(receiver: EventReceiver, region: Region): Promise<void> {
    try {
      await this.#events.addTo(receiver, region);
    } catch (error) {
      throw fileError('read', this.#name, error);
    }
  }
}
