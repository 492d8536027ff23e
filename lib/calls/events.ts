/** Inputs that are lists of events: how they are read, counted, and refused. */
import {
  allocate,
  duplicateOrShare,
  readShape,
  type GivenArray,
  type NdArray,
} from '../arrays/arrays';
import { ELEMENT_TYPES, type TypedArray } from '../arrays/element-types';
import type { EventList, EventNumbers } from '../arrays/event-list';
import { isDetached, isList, isRevoked, isTypedArray, lengthOf } from '../arrays/typed-arrays';
import {
  formatShape,
  notFinite,
  oneOf,
  outOfRange,
  positive,
  readOptions,
  requireObject,
  wrongType,
} from '../errors/checks';
import { native, type EventFault } from '../native/native';

export type { EventList, EventNumbers };

/** What becomes of events before the first step or after the last. */
export type OutsidePolicy = 'throw' | 'drop';

/** @internal */
export const readOutside = oneOf<OutsidePolicy>(['throw', 'drop']);

/** @internal A list of events as a caller gave it. */
export interface GivenEvents {
  readonly times: TypedArray;
  readonly channels: TypedArray;
  readonly values: TypedArray | undefined;
  readonly batches: TypedArray | undefined;
  /** Of events that were given as a list for each batch item: the index of each list's first one. */
  readonly begins?: readonly number[] | undefined;
}

const LISTS = ['times', 'channels', 'values', 'batches'] as const;
const NAMES = [...LISTS, 'shape'] as const;

/** @internal Whether a value is to be read as a list of events. Runs none of the caller's code. */
export function isEventList(value: unknown): value is EventList {
  return (
    typeof value === 'object' &&
    value !== null &&
    !isRevoked(value) &&
    !isList(value) &&
    !isTypedArray(value) &&
    Object.hasOwn(value, 'times')
  );
}

/** @internal Reads a list of events: its times as an array with the shape of the raster, and the rest. */
export function readEvents(
  value: object,
  name: string,
): { raster: GivenArray; events: GivenEvents } {
  const given = readOptions(value, name, NAMES);
  const times = readNumbers(given.times, `${name}.times`);
  const events: GivenEvents = {
    times,
    channels: readNumbers(given.channels, `${name}.channels`),
    values: given.values === undefined ? undefined : readNumbers(given.values, `${name}.values`),
    batches:
      given.batches === undefined ? undefined : readNumbers(given.batches, `${name}.batches`),
  };
  const shape = readShape(given.shape, `${name}.shape`);
  if (shape.length !== 2 && shape.length !== 3) {
    throw outOfRange('shape (T, N) or (B, T, N)', `${name}.shape`, `shape ${formatShape(shape)}`);
  }
  return { raster: { data: times, shape }, events };
}

/** @internal Whether a value is to be read as one list of events for each session or batch item. */
export function areEventLists(value: unknown): value is readonly EventList[] {
  return isList(value) && value.length > 0 && isEventList(value[0]);
}

/**
 * Reads lists of events of shape (T, N), one a batch item, as one list.
 *
 * @internal
 */
export function readEventLists(
  lists: readonly unknown[],
  name: string,
): { raster: GivenArray; events: GivenEvents } {
  const read = lists.map((list, item) => {
    const place = `${name}[${item}]`;
    if (!isEventList(list)) throw wrongType('a list of events', place, list);
    const given = readEvents(list, place);
    if (given.raster.shape.length !== 2 || given.events.batches !== undefined) {
      const received = `shape ${formatShape(given.raster.shape)} with${given.events.batches ? '' : 'out'} batches`;
      throw outOfRange('shape (T, N) without batches', place, received);
    }
    checkEvents(given.events, place);
    return given;
  });
  const shape = read[0]?.raster.shape ?? [];
  read.forEach(({ raster }, item) => {
    if (formatShape(raster.shape) === formatShape(shape)) return;
    const expected = `shape ${formatShape(shape)}, as the first list has,`;
    throw outOfRange(expected, `${name}[${item}].shape`, `shape ${formatShape(raster.shape)}`);
  });
  const begins: number[] = [];
  let total = 0;
  for (const { events } of read) {
    begins.push(total);
    total += lengthOf(events.times);
  }
  const all = (numbersOf: (events: GivenEvents) => TypedArray | undefined): Float64Array => {
    const numbers = allocate(Float64Array, [total], name).fill(1);
    read.forEach(({ events }, item) => {
      const own = numbersOf(events);
      if (own === undefined) return;
      numbers.set(Float64Array.from(own as ArrayLike<number>, Number), begins[item]);
    });
    return numbers;
  };
  const batches = allocate(Float64Array, [total], name);
  begins.forEach((begin, item) => batches.fill(item, begin, begins[item + 1]));
  const hasValues = read.some(({ events }) => events.values !== undefined);
  const times = all((events) => events.times);
  const events = {
    times,
    channels: all((given) => given.channels),
    values: hasValues ? all((given) => given.values) : undefined,
    batches,
    begins,
  };
  return { raster: { data: times, shape: [read.length, ...shape] }, events };
}

/** @internal Throws unless there are as many channels, values and batch items as times. */
export function checkEvents(events: GivenEvents, name: string): void {
  const length = lengthOf(events.times);
  for (const list of ['channels', 'values', 'batches'] as const) {
    const array = events[list];
    if (array === undefined || lengthOf(array) === length) continue;
    const expected = `${length} elements, as there are times,`;
    throw outOfRange(expected, `${name}.${list}`, `${lengthOf(array)}`);
  }
}

/** @internal The lists but the times, in memory that nobody can detach while another thread reads it. */
export function othersForThread(events: GivenEvents): Omit<GivenEvents, 'times'> {
  const own = (list: TypedArray | undefined): TypedArray | undefined =>
    list === undefined ? undefined : duplicateOrShare(list, 'input');
  return {
    channels: duplicateOrShare(events.channels, 'input'),
    values: own(events.values),
    batches: own(events.batches),
    begins: events.begins,
  };
}

function readNumbers(value: unknown, name: string): TypedArray {
  if (isTypedArray(value)) {
    if (isDetached(value))
      throw outOfRange('numbers in memory', name, 'an array whose buffer is detached');
    return value;
  }
  if (!isList(value)) throw wrongType('an array of numbers', name, value);
  const numbers = allocate(Float64Array, [value.length], name);
  for (let index = 0; index < numbers.length; index++) {
    const number = value[index];
    if (typeof number !== 'number') throw wrongType('a number', `${name}[${index}]`, number);
    numbers[index] = number;
  }
  return numbers;
}

/** What an event's raster is like. */
interface EventPlace {
  readonly batches: number;
  readonly timesteps: number;
  readonly columns: number;
  readonly dt: number;
}

/** Where an event was given: the name of its list, and its index there. */
function origin(events: GivenEvents, event: number, name: string): { name: string; index: number } {
  const { begins } = events;
  if (begins === undefined) return { name, index: event };
  const item = begins.findLastIndex((begin) => begin <= event);
  return { name: `${name}[${item}]`, index: event - (begins[item] ?? 0) };
}

/** @internal The error for an event that has no place in its raster. */
export function eventError(
  { event, fault }: EventFault,
  events: GivenEvents,
  { batches, timesteps, columns, dt }: EventPlace,
  name: string,
  adviceOnValues?: string,
): RangeError {
  const given = origin(events, event, name);
  const at = (list: (typeof LISTS)[number]): [string, string] => [
    `${given.name}.${list}[${given.index}]`,
    String(Number(events[list]?.[event])),
  ];
  const leave = "leave such events out by outside: 'drop'";
  switch (fault) {
    case 'time':
      return outOfRange('a finite number of seconds', ...at('times'));
    case 'before': {
      const advice = `give times relative to that, or ${leave}`;
      return outOfRange(
        'at least 0, where the first step of the call begins,',
        ...at('times'),
        advice,
      );
    }
    case 'after': {
      const [place, received] = at('times');
      // Within the tolerance of an end that is not reached.
      const isNear = Number(received) < timesteps * dt;
      const expected = `${isNear ? 'a time that is earlier by more than the tolerance' : 'less'} than the end of its ${timesteps} steps of ${dt} s, counted from the first step of the call,`;
      const advice = isNear
        ? 'it belongs to the step after them; give one step more'
        : 'check the unit';
      return outOfRange(expected, place, received, `${advice}, or ${leave}`);
    }
    case 'channel':
      return outOfRange(`a channel from 0 to ${columns - 1}`, ...at('channels'));
    case 'batch':
      return outOfRange(`a batch item from 0 to ${batches - 1}`, ...at('batches'));
    case 'value': {
      const value = Number(events.values?.[event] ?? 1);
      const [place, received] = at('values');
      if (Number.isFinite(value)) {
        const expected = 'a sum with the other events of its step and channel that is finite';
        const found = { argument: place, index: [given.index], value: Infinity };
        return notFinite(expected, place, received, found, adviceOnValues);
      }
      const found = { argument: place, index: [given.index], value };
      return notFinite('a finite number', place, received, found, adviceOnValues);
    }
  }
}

/** The options of countEvents(). */
export interface CountOptions {
  /** Length of a step in seconds. */
  dt: number;
  /** What becomes of events before the first step or after the last; by default they are an error. */
  outside?: OutsidePolicy;
}

/**
 * The raster of a list of events, of the list's shape: how many events each channel has in each step, as a
 * Uint16Array; or, if the events have values, the sums of these as a Float64Array. A call that is given the
 * list computes the same bits as one that is given the raster, without making it.
 *
 * Throws an error for an event that has no place in the raster, and for more than 65,535 events in one.
 */
export function countEvents(
  events: EventList,
  options: CountOptions,
): NdArray<Uint16Array | Float64Array>;
/* eslint-disable @typescript-eslint/unified-signatures -- only the first signature is public */
/** @internal With the name by which the caller knows the list. */
export function countEvents(
  events: EventList,
  options: CountOptions,
  name: string,
): NdArray<Uint16Array | Float64Array>;
/* eslint-enable @typescript-eslint/unified-signatures */
export function countEvents(
  events: EventList,
  options: CountOptions,
  name = 'events',
): NdArray<Uint16Array | Float64Array> {
  requireObject(events, name, 'a list of events');
  const { raster, events: given } = readEvents(events, name);
  const { dt: step, outside } = readOptions(options, 'options', ['dt', 'outside']);
  const dt = positive(step, 'options.dt');
  const isDropped = outside !== undefined && readOutside(outside, 'options.outside') === 'drop';
  checkEvents(given, name);
  const { shape } = raster;
  const [batches = 0, timesteps = 0, columns = 0] = shape.length === 3 ? shape : [1, ...shape];
  const type = given.values === undefined ? 'uint16' : 'float64';
  const counts = allocate<Uint16Array | Float64Array>(ELEMENT_TYPES[type], shape, 'the raster');
  const { times, channels, values, batches: items } = given;
  const found = native.countEvents(
    times,
    channels,
    values,
    items,
    dt,
    isDropped,
    batches,
    columns,
    counts,
  );
  if (typeof found === 'object') {
    const place = { batches, timesteps, columns, dt };
    throw eventError(found, given, place, name, 'leave such events out');
  }
  if (found >= 0) {
    throw outOfRange(
      'at most 65535',
      'the events of one channel in one step',
      'more',
      'take shorter steps, or give values',
    );
  }
  return { data: counts, shape };
}
