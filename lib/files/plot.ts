/** Figures of currents in memory. */
import { extname } from 'node:path';

import {
  checkSize,
  readArray,
  type GivenArray,
  type NdArray,
  type NestedArray,
} from '../arrays/arrays';
import type { Dtype, TypedArray } from '../arrays/element-types';
import type { EventList } from '../arrays/event-list';
import { isList } from '../arrays/typed-arrays';
import {
  describe,
  formatShape,
  nonNegative,
  oneOf,
  outOfRange,
  positive,
  readOptions,
  text,
  wholeNumber,
  wrongType,
} from '../errors/checks';
import { drawFigure, drawFigureAsPng, type Recording } from '../figure/figure';
import { loadRecording, MOST_CHOSEN_SAMPLES, type PictureRequest } from '../figure/recording';
import { writeCompleteFile } from '../formats/files/complete-file';
import type { Range } from '../formats/raster-source';
import type { OutsidePolicy, Synapses } from '../index';
import { longestTimeConstants } from '../runs/settings';
import { arraySource, type ArraySource } from './array-source';
import { asPublic } from './failure';
import { readPath, type FilePath } from './paths';
import { settingsOf } from './synapses-settings';

/** What a figure can be: a text in SVG, or the bytes of a PNG file. */
export type FigureFormat = 'svg' | 'png';

/** What a figure shows beside the currents. */
export interface FigureOptions {
  /**
   * The input of the currents: spikes are drawn as a raster with their rates, other numbers as colours. It
   * has the shape of the currents, or one channel that all synapses receive.
   */
  raster?: NdArray<TypedArray> | NestedArray | EventList;
  /** What becomes of events of the input that are outside the currents; by default they are an error. */
  outside?: OutsidePolicy;
  /** The module that computed the currents: its kernels and time constants are drawn, and it gives dt. */
  synapses?: Synapses<Dtype>;
  /** Length of a time step in seconds; by default that of `synapses`, or else 1 ms. */
  dt?: number;
  /** The title; by default 'Synaptic currents'. */
  title?: string;
  /** The batch item that is drawn; 0 by default. */
  item?: number;
  /** The beginning of the part that is drawn, in seconds; 0 by default. */
  from?: number;
  /**
   * The end of that part, in seconds; by default that of the currents. If neither is given, at most the first
   * 20 million samples are drawn.
   */
  to?: number;
  /** The channels whose currents are drawn as traces; by default up to four of the most active ones. */
  traces?: readonly number[];
}

/** The options of a figure that is returned. */
export interface PlotOptions<Format extends FigureFormat = FigureFormat> extends FigureOptions {
  /** 'svg' by default. */
  format?: Format;
}

/** The options of a figure that is written to a file. */
export interface FigureFileOptions extends FigureOptions {
  /** Where it is written. The ending of the name, .svg or .png, says in which format. */
  path: FilePath;
}

const OPTIONS = [
  'raster',
  'outside',
  'synapses',
  'dt',
  'title',
  'item',
  'from',
  'to',
  'traces',
  'format',
  'path',
] as const;

const FORMATS = ['svg', 'png'] as const;

/**
 * Draws currents as `expsyn run` and `expsyn plot` do: as colours over time and channel, and as traces of a
 * few channels; with their raster, kernels and time constants if these are given.
 *
 * The figure is a text in SVG, or the bytes of a PNG file; with `path`, it is written to a file, which is
 * replaced if it is there, and appears when it is complete. Arrays must not be changed until the promise is
 * settled.
 *
 * Needs the packages vega and vega-lite, and @napi-rs/canvas for PNG. Rejects with a TypeError or RangeError
 * for a wrong argument, with code `ERR_EXPSYN_FIGURE` if a package or, for PNG, a font is missing, and with
 * code `ERR_EXPSYN_FILE` if the file cannot be written.
 *
 * @param currents Shape (T,), (T, N) or (B, T, N), such as the output of `evolve()`.
 * @param options What else is drawn, and how.
 */
export async function plot(
  currents: NdArray<TypedArray> | NestedArray,
  options: FigureFileOptions,
): Promise<void>;
export async function plot(
  currents: NdArray<TypedArray> | NestedArray,
  options: PlotOptions<'png'> & { format: 'png' },
): Promise<Uint8Array>;
export async function plot(
  currents: NdArray<TypedArray> | NestedArray,
  options?: PlotOptions<'svg'>,
): Promise<string>;
export async function plot(
  currents: NdArray<TypedArray> | NestedArray,
  options: PlotOptions,
): Promise<string | Uint8Array>;
export async function plot(
  currents: NdArray<TypedArray> | NestedArray,
  options: PlotOptions | FigureFileOptions = {},
): Promise<string | Uint8Array | void> {
  const given = readOptions(options, 'options', OPTIONS);
  const path = given.path === undefined ? undefined : readPath(given.path, 'options.path');
  const format = readFormat(given.format, path);
  const request = await readRequest(currents, given);
  const figure = await asPublic(draw(request, format), 'ERR_EXPSYN_FIGURE');
  if (path === undefined) return figure;
  const bytes = typeof figure === 'string' ? Buffer.from(figure) : figure;
  const writing = writeCompleteFile(path, [bytes], { folders: 'require' });
  return asPublic(writing, 'ERR_EXPSYN_FILE', { path });
}

async function draw(request: PictureRequest, format: FigureFormat): Promise<string | Uint8Array> {
  const recording: Recording = await loadRecording(request);
  if (format === 'svg') return drawFigure(recording);
  return new Uint8Array(await drawFigureAsPng(recording));
}

/** The format that is asked for, or the one of the file's ending. */
function readFormat(value: unknown, path: string | undefined): FigureFormat {
  if (path === undefined) {
    return value === undefined ? 'svg' : oneOf(FORMATS)(value, 'options.format');
  }
  if (value !== undefined) {
    const expected = 'no format beside options.path, whose ending says it,';
    throw outOfRange(expected, 'options.format', describe(value));
  }
  const ending = extname(path).toLowerCase();
  const format = FORMATS.find((one) => ending === `.${one}`);
  if (format !== undefined) return format;
  throw outOfRange('a name that ends in .svg or .png', 'options.path', describe(path));
}

/** Reads and checks what is drawn. */
async function readRequest(
  currents: unknown,
  given: Partial<Record<(typeof OPTIONS)[number], unknown>>,
): Promise<PictureRequest> {
  const output = sourceOf(currents, 'currents');
  const [batches, timesteps, columns] = output.shape;
  if (output.shape.includes(0)) {
    const expected = 'at least one time step and one channel';
    throw outOfRange(expected, 'currents', `shape ${formatShape(output.shape)}`);
  }
  const synapses = await readSynapses(given.synapses, columns);
  const dt = given.dt === undefined ? (synapses?.dt ?? 1e-3) : positive(given.dt, 'options.dt');
  const job = synapses && settingsOf(synapses);
  return {
    output,
    input:
      given.raster === undefined
        ? undefined
        : await readRaster(given.raster, output, dt, given.outside),
    dt,
    name: given.title === undefined ? 'Synaptic currents' : text(given.title, 'options.title'),
    item: given.item === undefined ? 0 : wholeNumber(given.item, 'options.item', 0, batches - 1),
    steps: readSteps(given, timesteps, columns, dt),
    traces: given.traces === undefined ? undefined : readTraces(given.traces, columns),
    job,
    tau: job && longestTimeConstants(job.settings),
  };
}

/** An array as it is drawn from. */
function sourceOf(value: unknown, name: string): ArraySource {
  const array: GivenArray = readArray(value, name);
  checkSize(array, name);
  const { length } = array.shape;
  if (length > 0) return arraySource(array);
  throw outOfRange('shape (T,), (T, N) or (B, T, N)', name, 'a single number');
}

async function readRaster(
  value: unknown,
  output: ArraySource,
  dt: number,
  outside: unknown,
): Promise<ArraySource> {
  const name = 'options.raster';
  const isEventList =
    typeof value === 'object' && value !== null && !isList(value) && 'times' in value;
  const options = { dt, ...(outside !== undefined && { outside: outside as OutsidePolicy }) };
  // The addon counts events, so it is loaded for them alone.
  const raster = isEventList
    ? (await import('../index.js')).countEvents(value as EventList, options, name)
    : value;
  const source = sourceOf(raster, name);
  const [batches, timesteps, columns] = output.shape;
  const [ofBatches, ofTimesteps, ofColumns] = source.shape;
  const isSame = batches === ofBatches && timesteps === ofTimesteps;
  if (isSame && (ofColumns === columns || ofColumns === 1)) return source;
  throw outOfRange(
    `shape ${formatShape(output.shape)}, as the currents have,`,
    name,
    formatShape(source.shape),
  );
}

async function readSynapses(value: unknown, columns: number): Promise<Synapses<Dtype> | undefined> {
  if (value === undefined) return undefined;
  const library = await import('../index.js');
  const name = 'options.synapses';
  if (!(value instanceof library.Synapses)) {
    throw wrongType('a module such as ExpSyn', name, value);
  }
  const synapses = value as Synapses<Dtype>;
  if (synapses.sizeOut === columns) return synapses;
  throw outOfRange(
    `a module of size ${columns}, as the currents have,`,
    name,
    `one of size ${synapses.sizeOut}`,
  );
}

/** The steps from one moment to another; undefined when neither is given. */
function readSteps(
  { from, to }: { from?: unknown; to?: unknown },
  timesteps: number,
  columns: number,
  dt: number,
): Range | undefined {
  if (from === undefined && to === undefined) return undefined;
  const begin = from === undefined ? 0 : Math.round(nonNegative(from, 'options.from') / dt);
  const last = to === undefined ? timesteps : Math.round(nonNegative(to, 'options.to') / dt);
  const end = Math.min(timesteps, last);
  const duration = timesteps * dt;
  if (begin >= timesteps) {
    throw outOfRange(
      `a time before the end of the currents, ${duration} s,`,
      'options.from',
      describe(from),
    );
  }
  if (begin >= end) {
    throw outOfRange(
      `a time that is a step or more after ${begin * dt} s`,
      'options.to',
      describe(to),
    );
  }
  if ((end - begin) * columns <= MOST_CHOSEN_SAMPLES) return { begin, end };
  throw outOfRange(
    `a part of at most ${MOST_CHOSEN_SAMPLES} samples`,
    to === undefined ? 'options.from' : 'options.to',
    `one of ${(end - begin) * columns}`,
  );
}

function readTraces(value: unknown, columns: number): number[] {
  const name = 'options.traces';
  if (!isList(value)) throw wrongType('an array of channels', name, value);
  if (value.length === 0) throw outOfRange('at least one channel', name, 'an empty array');
  return Array.from(value, (channel, index) =>
    wholeNumber(channel, `${name}[${index}]`, 0, columns - 1),
  );
}
