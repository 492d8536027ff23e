/**
 * Reads Zarr arrays of formats 2 and 3, in a folder or behind an address, and writes those of
 * format 3.
 *
 * The formats are described at https://zarr-specs.readthedocs.io: a document that describes the
 * array, and a file for each chunk of it; a chunk without a file holds the fill value. What decodes
 * and encodes the chunks is zarrita. It trusts what it reads, so the document is judged here before
 * it gets it, and each codec is given what it needs to notice a damaged chunk.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { endianness } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';

import type { AbsolutePath, AsyncReadable, RangeQuery } from '@zarrita/storage' with {
  'resolution-mode': 'import',
};
import type * as Zarrita from 'zarrita' with { 'resolution-mode': 'import' };

import { CommandError, fileError } from '../errors';
import type { TypedArray } from '../index';
import { flushFolder, makeFolder, writeAll, writeCompleteFile } from './complete-file';
import type { CurrentsArray, CurrentsLayout, CurrentsSink } from './currents-sink';
import { decodeBytes, readBytes } from './npy';
import type { InputIdentity, Range, RasterSource, Region } from './raster-source';
import { lengthOf, sizeOfRegion } from './raster-source';

type Json = Record<string, unknown>;
type Triple = readonly [number, number, number];
type CodecMetadata = Zarrita.CodecMetadata;
/** The bits of half floats and of booleans are read as integers. */
type RawType = Exclude<Zarrita.NumberDataType | Zarrita.BigintDataType, 'float16'>;
type RawArray = Zarrita.Array<RawType, AsyncReadable>;
type RawChunk = Zarrita.Chunk<RawType>;

/** How to make an array. */
export interface ZarrOptions {
  /** Made smaller where an axis is shorter. */
  chunkShape: [number, number, number];
  compression: 'none' | 'zstd' | 'blosc';
  attributes: Record<string, unknown>;
}

/** What an array says about itself. */
export interface ZarrDescription {
  shape: number[];
  /** NumPy's name of the element type. */
  type: string;
  /** Of a sharded array, the shape of a shard: what is one file. */
  chunkShape: number[];
  /** Names, in the order in which they encode. */
  codecs: string[];
  zarrFormat: 2 | 3;
  attributes: Record<string, unknown>;
}

/** The element types by NumPy's names: as .npy files call them, and as zarrita is to read them. */
const TYPES: Record<string, { code: string; raw: RawType; itemBytes: number }> = {
  bool: { code: 'b1', raw: 'uint8', itemBytes: 1 },
  int8: { code: 'i1', raw: 'int8', itemBytes: 1 },
  uint8: { code: 'u1', raw: 'uint8', itemBytes: 1 },
  int16: { code: 'i2', raw: 'int16', itemBytes: 2 },
  uint16: { code: 'u2', raw: 'uint16', itemBytes: 2 },
  int32: { code: 'i4', raw: 'int32', itemBytes: 4 },
  uint32: { code: 'u4', raw: 'uint32', itemBytes: 4 },
  int64: { code: 'i8', raw: 'int64', itemBytes: 8 },
  uint64: { code: 'u8', raw: 'uint64', itemBytes: 8 },
  float16: { code: 'f2', raw: 'uint16', itemBytes: 2 },
  float32: { code: 'f4', raw: 'float32', itemBytes: 4 },
  float64: { code: 'f8', raw: 'float64', itemBytes: 8 },
};

const MAX_AXES = 3;
/** What the codecs, in their 32 bits, and Node's reading of files can hold, with room to spare. */
const MAX_CHUNK_BYTES = 2 ** 31 - 2 ** 16;
const MAX_METADATA_BYTES = 2 ** 26;
/** Chunks that are decoded, encoded or written at the same time. */
const CHUNKS_AT_ONCE = 4;
const SAMPLES = 64;
const SAMPLE_BYTES = 4096;

/** An ES module, and optional, so it is loaded when an array is opened. */
async function loadZarrita(): Promise<typeof Zarrita> {
  if (endianness() === 'BE') {
    throw new CommandError(
      'Expected a machine that stores the low byte of a number first for Zarr arrays but received ' +
        'another one; convert them to .npy files.',
    );
  }
  let zarrita: typeof Zarrita;
  try {
    zarrita = await import('zarrita');
  } catch (cause) {
    throw new CommandError(
      'Expected the packages that read and write Zarr but they could not be loaded; run ' +
        "'npm install zarrita @zarrita/storage'.",
      { cause },
    );
  }
  registerCheckedCodecs(zarrita.registry);
  return zarrita;
}

/** Whether an array is asked for by an address and not by a folder. */
export function isAddress(location: string): boolean {
  return /^https?:\/\//i.test(location);
}

/** Runs a task for each item, a few at the same time; ends when all that were begun have ended. */
async function forEachAtOnce<Item>(
  items: Iterable<Item>,
  task: (item: Item) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  let hasFailed = false;
  const work = async (): Promise<void> => {
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) {
      try {
        await task(next.value);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
      if (hasFailed) return;
    }
  };
  const results = await Promise.allSettled(Array.from({ length: CHUNKS_AT_ONCE }, work));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

// ------------------------------------------------------------------------------------------------
// The document that describes an array

/** An array's document, judged and in the words of format 3. */
interface ZarrMetadata extends ZarrDescription {
  raw: RawType;
  code: string;
  itemBytes: number;
  /** Of the type `raw`. */
  fill: number | bigint;
  keyEncoding: { name: 'default' | 'v2'; separator: '.' | '/' };
  /** The codecs with their checks; see registerCheckedCodecs(). */
  pipeline: CodecMetadata[];
  /** The file's name and content. */
  document: { name: string; bytes: Uint8Array };
}

async function readMetadata(store: ZarrStore): Promise<ZarrMetadata> {
  const { location } = store;
  const third = await store.metadata('zarr.json');
  if (third !== undefined) return parseV3({ name: 'zarr.json', bytes: third }, location);
  const second = await store.metadata('.zarray');
  if (second !== undefined) {
    const attributes = await store.metadata('.zattrs');
    return parseV2({ name: '.zarray', bytes: second }, attributes, location);
  }
  if ((await store.metadata('.zgroup')) !== undefined) throw groupError(location);
  throw new CommandError(
    `Expected a Zarr array in ${location} but there is neither zarr.json nor .zarray; give the ` +
      'folder that holds one of them.',
  );
}

function groupError(location: string): CommandError {
  return new CommandError(
    `Expected a Zarr array in ${location} but received a group; give one of the arrays in it, such ` +
      `as ${location.replace(/\/+$/, '')}/raster.`,
  );
}

function parseJson(bytes: Uint8Array, name: string, location: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'));
  } catch (cause) {
    throw new CommandError(
      `Expected a JSON document in ${name} of ${location} but received one that is damaged.`,
      { cause },
    );
  }
  if (!isObject(value)) throw new Judge(name, location).refuse('an object', value);
  return value;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Any value in a few characters. */
function shortly(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) return 'nothing';
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}

/** Reads the members of a document and says what is wrong with them. */
class Judge {
  constructor(
    readonly name: string,
    readonly location: string,
  ) {}

  refuse(expected: string, value: unknown, advice = ''): CommandError {
    return new CommandError(
      `Expected ${expected} in ${this.name} of ${this.location} but received ` +
        `${shortly(value)}${advice}.`,
    );
  }

  numbers(value: unknown, least: number, what: string): number[] {
    const isRight =
      Array.isArray(value) &&
      value.every((axis) => Number.isSafeInteger(axis) && (axis as number) >= least);
    if (!isRight) throw this.refuse(what, value);
    return value as number[];
  }

  shape(value: unknown): number[] {
    const shape = this.numbers(value, 0, 'a shape of whole numbers');
    if (shape.length < 1 || shape.length > MAX_AXES) {
      throw this.refuse('a shape of 1 to 3 axes', value);
    }
    return shape;
  }

  /** Of chunks, for which the codecs need to know the size in bytes. */
  chunkShape(value: unknown, shape: readonly number[], itemBytes: number): number[] {
    const chunkShape = this.numbers(value, 1, 'a shape of the chunks, whole numbers above 0,');
    if (chunkShape.length !== shape.length) {
      throw this.refuse(`a shape of the chunks of ${shape.length} axes`, value);
    }
    const bytes = sizeOf(chunkShape) * itemBytes;
    if (bytes > MAX_CHUNK_BYTES) {
      throw this.refuse('chunks of less than 2 GiB', value, '; store it in smaller chunks');
    }
    return chunkShape;
  }

  /** Sizes beyond 2 to the power of 53 cannot be counted. */
  size(shape: readonly number[], itemBytes: number): void {
    if (!Number.isSafeInteger(sizeOf(shape) * itemBytes)) {
      throw this.refuse('a shape that can be', shape);
    }
  }

  type(name: unknown, received = name): (typeof TYPES)[string] {
    const type = typeof name === 'string' && Object.hasOwn(TYPES, name) ? TYPES[name] : undefined;
    if (type === undefined) {
      throw this.refuse('booleans, integers or floats of at most 64 bits', received);
    }
    return type;
  }

  fill(value: unknown, type: string): number | bigint {
    // Other writers leave the fill value out where no chunk is missing.
    if (value === null || value === undefined) return isLong(type) ? 0n : 0;
    if (type === 'bool' && typeof value === 'boolean') return value ? 1 : 0;
    const fill = type.startsWith('float') ? floatOf(value, type) : integerOf(value, type);
    if (fill === undefined) throw this.refuse(`a fill value of type ${type}`, value);
    return fill;
  }

  separator(value: unknown, standard: '.' | '/'): '.' | '/' {
    if (value === undefined) return standard;
    if (value !== '.' && value !== '/') throw this.refuse("'.' or '/' between indices", value);
    return value;
  }

  attributes(value: unknown): Json {
    if (value === undefined) return {};
    if (!isObject(value)) throw this.refuse('an object of attributes', value);
    return value;
  }
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, axis) => product * axis, 1);
}

function isLong(type: string): boolean {
  return type === 'int64' || type === 'uint64';
}

function integerOf(value: unknown, type: string): number | bigint | undefined {
  if (!Number.isSafeInteger(value)) return undefined;
  const integer = BigInt(value as number);
  const bits = type === 'bool' ? 1 : Number(/[0-9]+$/.exec(type)?.[0]);
  const isSigned = type.startsWith('int');
  const isWithin = isSigned
    ? BigInt.asIntN(bits, integer) === integer
    : BigInt.asUintN(bits, integer) === integer;
  if (!isWithin) return undefined;
  return isLong(type) ? integer : (value as number);
}

function floatOf(value: unknown, type: string): number | undefined {
  const digits = Number(type.slice('float'.length)) / 4;
  const hexadecimal = new RegExp(`^0x[0-9a-fA-F]{${digits}}$`);
  if (typeof value === 'string' && hexadecimal.test(value)) {
    if (type === 'float16') return Number(value);
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, BigInt(value) << BigInt(64 - 4 * digits));
    return type === 'float32' ? view.getFloat32(0) : view.getFloat64(0);
  }
  const isNamed = value === 'NaN' || value === 'Infinity' || value === '-Infinity';
  if (!isNamed && typeof value !== 'number') return undefined;
  const float = Number(value);
  return type === 'float16' ? bitsOfHalf(float) : float;
}

/** The bits of a half float; undefined for a number that is none. */
function bitsOfHalf(float: number): number | undefined {
  const halves = decodeBytes(
    new Uint8Array(Uint16Array.from({ length: 2 ** 16 }, (_, i) => i).buffer),
    {
      code: 'f2',
      isBigEndian: false,
    },
  ) as Float32Array;
  const bits = Number.isNaN(float)
    ? 0x7e00
    : halves.findIndex((half) => Object.is(half, Math.fround(float)));
  return bits < 0 ? undefined : bits;
}

function parseV3(document: ZarrMetadata['document'], location: string): ZarrMetadata {
  const json = parseJson(document.bytes, document.name, location);
  const judge = new Judge(document.name, location);
  if (json['zarr_format'] !== 3) throw judge.refuse("'zarr_format' 3", json['zarr_format']);
  if (json['node_type'] === 'group') throw groupError(location);
  if (json['node_type'] !== 'array') throw judge.refuse("'node_type' array", json['node_type']);
  const type = judge.type(json['data_type']);
  const name = json['data_type'] as string;
  const shape = judge.shape(json['shape']);
  judge.size(shape, type.itemBytes);
  const grid = extension(json['chunk_grid'], 'a regular grid of chunks', judge);
  if (grid.name !== 'regular') throw judge.refuse('a regular grid of chunks', json['chunk_grid']);
  const transformers = json['storage_transformers'];
  if (transformers !== undefined && !(Array.isArray(transformers) && transformers.length === 0)) {
    throw judge.refuse('no storage transformers', transformers);
  }
  const keys = extension(
    json['chunk_key_encoding'],
    'an encoding of the names of the chunks',
    judge,
  );
  if (keys.name !== 'default' && keys.name !== 'v2') {
    throw judge.refuse("'default' or 'v2' as encoding of the names of the chunks", keys.name);
  }
  const separator = judge.separator(
    keys.configuration['separator'],
    keys.name === 'default' ? '/' : '.',
  );
  const gridShape = grid.configuration['chunk_shape'];
  const codecs = codecsOf(json['codecs'], judge);
  const isSharded = codecs[0]?.name === 'sharding_indexed';
  const chunkShape = isSharded
    ? judge.numbers(gridShape, 1, 'a shape of the shards, whole numbers above 0,')
    : judge.chunkShape(gridShape, shape, type.itemBytes);
  return {
    ...type,
    type: name,
    shape,
    chunkShape,
    codecs: codecs.map((codec) => codec.name),
    zarrFormat: 3,
    attributes: judge.attributes(json['attributes']),
    fill: judge.fill(json['fill_value'], name),
    keyEncoding: { name: keys.name, separator },
    pipeline: isSharded
      ? shardPipeline(codecs, { shape, chunkShape, itemBytes: type.itemBytes }, judge)
      : chunkPipeline(codecs, { chunkShape, itemBytes: type.itemBytes }, judge),
    document,
  };
}

/** What format 3 gives as a name, or as an object with a name and a configuration. */
function extension(
  value: unknown,
  what: string,
  judge: Judge,
): { name: string; configuration: Json } {
  if (typeof value === 'string') return { name: value, configuration: {} };
  if (isObject(value) && typeof value['name'] === 'string') {
    const { name, configuration = {} } = value;
    if (isObject(configuration)) return { name: name, configuration };
  }
  throw judge.refuse(what, value);
}

function codecsOf(value: unknown, judge: Judge): CodecMetadata[] {
  if (!Array.isArray(value)) throw judge.refuse('a list of codecs', value);
  return value.map((codec: unknown) => extension(codec, 'a codec', judge));
}

function parseV2(
  document: ZarrMetadata['document'],
  attributes: Uint8Array | undefined,
  location: string,
): ZarrMetadata {
  const json = parseJson(document.bytes, document.name, location);
  const judge = new Judge(document.name, location);
  if (json['zarr_format'] !== 2) throw judge.refuse("'zarr_format' 2", json['zarr_format']);
  const dtype = json['dtype'];
  const [, order, code] =
    /^([<>|])([a-z][0-9]+)$/.exec(typeof dtype === 'string' ? dtype : '') ?? [];
  const name = Object.keys(TYPES).find((key) => TYPES[key]?.code === code);
  const type = judge.type(name, dtype);
  const shape = judge.shape(json['shape']);
  judge.size(shape, type.itemBytes);
  const chunkShape = judge.chunkShape(json['chunks'], shape, type.itemBytes);
  if (json['order'] !== 'C' && json['order'] !== 'F') {
    throw judge.refuse("the order 'C' or 'F'", json['order']);
  }
  const filters = json['filters'] ?? [];
  if (!Array.isArray(filters)) throw judge.refuse('a list of filters', filters);
  const { compressor } = json;
  const coders = [...(filters as unknown[]), ...(compressor == null ? [] : [compressor])].map(
    (coder) => {
      if (!isObject(coder) || typeof coder['id'] !== 'string') throw judge.refuse('a codec', coder);
      const { id, ...configuration } = coder;
      return { name: id, configuration };
    },
  );
  const codecs = [
    ...(json['order'] === 'F' ? [{ name: 'transpose', configuration: { order: 'F' } }] : []),
    { name: 'bytes', configuration: { endian: order === '>' ? 'big' : 'little' } },
    ...coders,
  ];
  return {
    ...type,
    type: name ?? '',
    shape,
    chunkShape,
    codecs: coders.map((coder) => coder.name),
    zarrFormat: 2,
    attributes: attributes === undefined ? {} : parseJson(attributes, '.zattrs', location),
    fill: judge.fill(json['fill_value'], name ?? ''),
    keyEncoding: { name: 'v2', separator: judge.separator(json['dimension_separator'], '.') },
    pipeline: chunkPipeline(codecs, { chunkShape, itemBytes: type.itemBytes }, judge),
    document,
  };
}

/** The codecs of a chunk, put together from those that are known, with their checks. */
function chunkPipeline(
  codecs: readonly CodecMetadata[],
  { chunkShape, itemBytes }: { chunkShape: readonly number[]; itemBytes: number },
  judge: Judge,
  known: readonly string[] = [...Object.keys(CHECKED_CODECS), 'shuffle'],
): CodecMetadata[] {
  const pipeline: CodecMetadata[] = [];
  const bytes = sizeOf(chunkShape) * itemBytes;
  let hasBytes = false;
  let hasTranspose = false;
  for (const { name: fullName, configuration } of codecs) {
    const name = fullName.replace(/^numcodecs\./, '');
    if (name === 'transpose' && !hasBytes && !hasTranspose) {
      const order = orderOf(configuration['order'], chunkShape.length, judge);
      pipeline.push({ name, configuration: { order } });
      hasTranspose = true;
    } else if (name === 'bytes' && !hasBytes) {
      pipeline.push(...bytesCodecs(configuration['endian'], itemBytes, bytes, judge));
      hasBytes = true;
    } else if (hasBytes && known.includes(name)) {
      pipeline.push(
        name === 'shuffle'
          ? shuffleCodec(configuration['elementsize'], itemBytes, judge)
          : { name: `${CHECKED}${name}`, configuration: { bytes } },
      );
    } else {
      throw judge.refuse(
        `the codecs transpose, bytes and then ${known.join(', ')}`,
        codecs.map((codec) => codec.name),
      );
    }
  }
  if (!hasBytes)
    throw judge.refuse(
      "the codec 'bytes'",
      codecs.map((codec) => codec.name),
    );
  return pipeline;
}

function bytesCodecs(
  endian: unknown,
  itemBytes: number,
  bytes: number,
  judge: Judge,
): CodecMetadata[] {
  const isGiven = endian === 'little' || endian === 'big';
  if (!isGiven && (itemBytes > 1 || endian != null)) {
    throw judge.refuse("'little' or 'big' as order of the bytes", endian);
  }
  return [
    { name: 'bytes', configuration: { endian: isGiven ? endian : 'little' } },
    { name: SIZE_CHECK, configuration: { bytes } },
  ];
}

/** zarrita takes the size of an element for that of the filter. */
function shuffleCodec(elementBytes: unknown, itemBytes: number, judge: Judge): CodecMetadata {
  if ((elementBytes ?? 4) !== itemBytes) {
    throw judge.refuse(`a shuffle filter for elements of ${itemBytes} bytes`, elementBytes ?? 4);
  }
  return { name: 'numcodecs.shuffle', configuration: { elementsize: itemBytes } };
}

/** Axes in the order in which the file has them, from the slowest to the fastest. */
function orderOf(value: unknown, nAxes: number, judge: Judge): number[] {
  const axes = Array.from({ length: nAxes }, (_, axis) => axis);
  if (value === 'C') return axes;
  if (value === 'F') return axes.reverse();
  const order = judge.numbers(value, 0, 'an order of the axes');
  if (order.length !== nAxes || axes.some((axis) => !order.includes(axis))) {
    throw judge.refuse(`an order of ${nAxes} axes`, value);
  }
  return order;
}

/** The codec of an array several chunks of which share a file, a shard, that ends with an index. */
function shardPipeline(
  codecs: readonly CodecMetadata[],
  layout: { shape: readonly number[]; chunkShape: readonly number[]; itemBytes: number },
  judge: Judge,
): CodecMetadata[] {
  const { configuration = {} } = codecs[0] ?? {};
  if (codecs.length > 1) {
    throw judge.refuse(
      "no codec beside 'sharding_indexed'",
      codecs.map((codec) => codec.name),
    );
  }
  const location = configuration['index_location'] ?? 'end';
  if (location !== 'end') throw judge.refuse('the index at the end of each shard', location);
  const { shape, chunkShape: shardShape, itemBytes } = layout;
  const chunkShape = judge.chunkShape(configuration['chunk_shape'], shape, itemBytes);
  const counts = shardShape.map((length, axis) => length / (chunkShape[axis] ?? 0));
  if (shardShape.length !== shape.length || !counts.every(Number.isInteger)) {
    throw judge.refuse('shards of whole chunks', shardShape);
  }
  const indexShape = [...counts, 2];
  if (sizeOf(indexShape) * 8 > MAX_CHUNK_BYTES) {
    throw judge.refuse('shards of fewer chunks', shardShape);
  }
  const index = codecsOf(configuration['index_codecs'], judge);
  return [
    {
      name: 'sharding_indexed',
      configuration: {
        chunk_shape: chunkShape,
        codecs: chunkPipeline(
          codecsOf(configuration['codecs'], judge),
          { chunkShape, itemBytes },
          judge,
        ),
        index_codecs: chunkPipeline(index, { chunkShape: indexShape, itemBytes: 8 }, judge, [
          'crc32c',
        ]),
      },
    },
  ];
}

// ------------------------------------------------------------------------------------------------
// Codecs that notice damage

/** Names of codecs here: zarrita's own ones stay as they are for everybody else. */
const CHECKED = 'expsyn.';
const SIZE_CHECK = `${CHECKED}size`;

/** What is wrong with a chunk, as the end of a sentence. */
class DamagedChunkError extends Error {}

type Decode = (encoded: Uint8Array) => Promise<Uint8Array>;

/**
 * How the bytes of a chunk are decoded, by the codec's name.
 *
 * @param bytes How many there will be at most, when all is well.
 * @param decode What zarrita decodes them with.
 */
const CHECKED_CODECS: Record<
  string,
  (encoded: Uint8Array, bytes: number, decode: Decode, decodeZstd: Decode) => Promise<Uint8Array>
> = {
  // Node's own: those of zarrita neither end where a chunk is too large nor run beside this thread.
  gzip: (encoded, bytes) => promisify(gunzip)(encoded, { maxOutputLength: roomFor(bytes) }),
  zlib: (encoded, bytes) => promisify(inflate)(encoded, { maxOutputLength: roomFor(bytes) }),
  zstd: async (encoded, bytes, decode) => {
    checkAnnounced(sizeOfZstd(encoded), bytes);
    return decode(encoded);
  },
  lz4: async (encoded, bytes, decode) => {
    checkAnnounced(encoded.length < 4 ? Infinity : viewOf(encoded).getUint32(0, true), bytes);
    return decode(encoded);
  },
  blosc: async (encoded, bytes, decode, decodeZstd) => {
    await checkBlosc(encoded, bytes, decodeZstd);
    return decode(encoded);
  },
  // That of zarrita cuts the sum off and does not look at it.
  crc32c: (encoded) => {
    const end = encoded.length - 4;
    if (end < 0 || viewOf(encoded).getUint32(end, true) !== crc32c(encoded.subarray(0, end))) {
      throw new DamagedChunkError('its checksum is wrong');
    }
    return Promise.resolve(encoded.subarray(0, end));
  },
};

/** Checksums and the like may be inside of what a codec has encoded. */
function roomFor(bytes: number): number {
  return bytes + 64;
}

function checkAnnounced(announced: number, bytes: number): void {
  if (announced > roomFor(bytes)) {
    throw new DamagedChunkError(`it says that it holds more than its ${bytes} bytes`);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** How many bytes a frame of Zstandard says that it holds; 0 where it does not say. */
function sizeOfZstd(encoded: Uint8Array): number {
  const view = viewOf(encoded);
  if (encoded.length < 5 || view.getUint32(0, true) !== 0xfd2fb528) return 0;
  const descriptor = view.getUint8(4);
  const isSingle = (descriptor & 0x20) !== 0;
  const at = 5 + (isSingle ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  if (encoded.length < at + sizeBytes) return 0;
  switch (sizeBytes) {
    case 1:
      return view.getUint8(at);
    case 2:
      return view.getUint16(at, true) + 256;
    case 4:
      return view.getUint32(at, true);
    case 8:
      return Number(view.getBigUint64(at, true));
    default:
      return 0;
  }
}

/**
 * Looks at everything in a chunk of Blosc that could be wrong, since zarrita's codec gives whatever
 * stands in its memory where the decoder fails. Streams of BloscLZ and Snappy are not looked into.
 */
async function checkBlosc(encoded: Uint8Array, bytes: number, decodeZstd: Decode): Promise<void> {
  const headerBytes = 16;
  const damaged = new DamagedChunkError('its Blosc data is damaged');
  if (encoded.length < headerBytes) throw new DamagedChunkError('it is not complete');
  const view = viewOf(encoded);
  const [version = 0, , flags = 0, typeBytes = 0] = encoded;
  const [size, blockBytes, encodedBytes] = [4, 8, 12].map((at) => view.getUint32(at, true));
  if (size === undefined || blockBytes === undefined || version === 0 || version > 2) throw damaged;
  if (encodedBytes !== encoded.length) {
    throw new DamagedChunkError(
      `it says that it has ${encodedBytes} bytes and has ${encoded.length}`,
    );
  }
  checkAnnounced(size, bytes);
  if ((flags & 2) !== 0) {
    if (encoded.length !== headerBytes + size) throw damaged;
    return;
  }
  if (size === 0) return;
  if (blockBytes === 0 || typeBytes === 0) throw damaged;
  const nBlocks = Math.ceil(size / blockBytes);
  if (headerBytes + 4 * nBlocks > encoded.length) throw damaged;
  for (let block = 0; block < nBlocks; block++) {
    const length = Math.min(blockBytes, size - block * blockBytes);
    const isSplit =
      (flags & 0x10) === 0 &&
      typeBytes <= 16 &&
      blockBytes / typeBytes >= 128 &&
      length === blockBytes;
    const nStreams = isSplit ? typeBytes : 1;
    let at = view.getUint32(headerBytes + 4 * block, true);
    for (let stream = 0; stream < nStreams; stream++) {
      if (at < headerBytes || at + 4 > encoded.length) throw damaged;
      const end = at + 4 + view.getUint32(at, true);
      if (end > encoded.length) throw damaged;
      const content = encoded.subarray(at + 4, end);
      const isRight = await isBloscStream(
        content,
        flags >> 5,
        Math.floor(length / nStreams),
        decodeZstd,
      );
      if (!isRight) throw damaged;
      at = end;
    }
  }
}

/** Whether a stream of Blosc, by the number of its compressor, decodes to so many bytes. */
async function isBloscStream(
  stream: Uint8Array,
  compressor: number,
  bytes: number,
  decodeZstd: Decode,
): Promise<boolean> {
  // What does not become smaller is stored as it is.
  if (stream.length === bytes) return true;
  try {
    if (compressor === 1) return isLz4(stream, bytes);
    if (compressor === 3) {
      return (await promisify(inflate)(stream, { maxOutputLength: bytes })).length === bytes;
    }
    if (compressor === 4) {
      return sizeOfZstd(stream) <= bytes && (await decodeZstd(stream)).length === bytes;
    }
  } catch {
    return false;
  }
  return true;
}

/** Whether a block of LZ4 decodes to so many bytes: its sequences are counted and not carried out. */
function isLz4(block: Uint8Array, bytes: number): boolean {
  let at = 0;
  let written = 0;
  const lengthAfter = (start: number): number => {
    if (start < 15) return start;
    let length = start;
    let next: number | undefined;
    do {
      next = block[at++];
      if (next === undefined) return Infinity;
      length += next;
    } while (next === 255);
    return length;
  };
  while (at < block.length) {
    const token = block[at++] ?? 0;
    const literals = lengthAfter(token >> 4);
    at += literals;
    written += literals;
    if (at === block.length) return written === bytes;
    const offset = (block[at] ?? 0) | ((block[at + 1] ?? 0) << 8);
    at += 2;
    if (at > block.length || offset === 0 || offset > written) return false;
    written += lengthAfter(token & 15) + 4;
    if (written > bytes) return false;
  }
  return false;
}

const CRC32C_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) {
    remainder = remainder & 1 ? (remainder >>> 1) ^ 0x82f63b78 : remainder >>> 1;
  }
  return remainder;
});

function crc32c(bytes: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of bytes) sum = (sum >>> 8) ^ (CRC32C_TABLE[(sum ^ byte) & 0xff] ?? 0);
  return (sum ^ 0xffffffff) >>> 0;
}

/** Gives zarrita the codecs of CHECKED_CODECS under names of their own, and the check of sizes. */
function registerCheckedCodecs(registry: typeof Zarrita.registry): void {
  if (registry.has(SIZE_CHECK)) return;
  const register = (
    name: string,
    decodeChunk: (encoded: Uint8Array, bytes: number) => Promise<Uint8Array>,
    addedBytes = 0,
  ): void => {
    const fromConfig = (configuration: unknown) => {
      const { bytes } = configuration as { bytes: number };
      return {
        kind: 'bytes_to_bytes' as const,
        decode: (encoded: Uint8Array) => decodeChunk(encoded, bytes),
        encode: () => Promise.reject(new Error(`${name} does not encode`)),
        computeEncodedSize: (size: number) => size + addedBytes,
      };
    };
    registry.set(name, () => Promise.resolve({ kind: 'bytes_to_bytes', fromConfig }));
  };
  const decoderOf = (name: string): Decode => {
    return async (encoded) => (await codecOf(registry, name, { level: 1 })).decode(encoded);
  };
  for (const [name, decode] of Object.entries(CHECKED_CODECS)) {
    register(
      `${CHECKED}${name}`,
      async (encoded, bytes) => decode(encoded, bytes, decoderOf(name), decoderOf('zstd')),
      name === 'crc32c' ? 4 : 0,
    );
  }
  register(SIZE_CHECK, (decoded, bytes) => {
    if (decoded.length === bytes) return Promise.resolve(decoded);
    throw new DamagedChunkError(`it holds ${decoded.length} bytes of elements and not ${bytes}`);
  });
}

interface ByteCodec {
  encode(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
  decode(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** A codec of zarrita's that turns bytes into bytes. */
async function codecOf(
  registry: typeof Zarrita.registry,
  name: string,
  configuration: Json,
): Promise<ByteCodec> {
  const entry = await registry.get(name)?.();
  if (entry === undefined) throw new RangeError(`Expected a codec but received '${name}'.`);
  const meta = { dataType: 'uint8' as const, shape: [], codecs: [], fillValue: 0 };
  // The types of numcodecs, where this one comes from, cannot be found from CommonJS.
  const codec: unknown = entry.fromConfig(configuration, meta);
  return codec as ByteCodec;
}

// ------------------------------------------------------------------------------------------------
// Stores

/** Where an array lies: zarrita's way to its chunks. */
interface ZarrStore extends AsyncReadable {
  readonly location: string;
  /** The content of a file beside the chunks; undefined when there is none. */
  metadata(name: string): Promise<Uint8Array | undefined>;
  /** @throws MissingChunkError when there is no such file. */
  get(key: AbsolutePath): Promise<Uint8Array>;
  /** Exactly the bytes that were asked for, of a shard; undefined when there is no such file. */
  getRange(key: AbsolutePath, range: RangeQuery): Promise<Uint8Array | undefined>;
}

/** Saves a chunk full of fill values, which may be far larger than what is wanted of it. */
class MissingChunkError extends Error {}

function offsetIn(range: RangeQuery, fileBytes: number): { offset: number; length: number } {
  const { offset, length } =
    'offset' in range
      ? range
      : { offset: fileBytes - range.suffixLength, length: range.suffixLength };
  if (offset < 0 || offset + length > fileBytes) {
    throw new DamagedChunkError('its file is not complete');
  }
  return { offset, length };
}

/** A folder. */
class FolderStore implements ZarrStore {
  constructor(
    readonly location: string,
    readonly folder: string,
  ) {}

  async metadata(name: string): Promise<Uint8Array | undefined> {
    return this.#read(join(this.folder, name), (size) => {
      if (size <= MAX_METADATA_BYTES) return { offset: 0, length: size };
      throw new CommandError(
        `Expected at most ${MAX_METADATA_BYTES} bytes in ${name} of ${this.location} but received ` +
          `${size}.`,
      );
    });
  }

  async get(key: AbsolutePath): Promise<Uint8Array> {
    const bytes = await this.#read(join(this.folder, key), (size) => {
      if (size <= MAX_CHUNK_BYTES) return { offset: 0, length: size };
      throw new DamagedChunkError('its file has 2 GiB or more');
    });
    if (bytes === undefined) throw new MissingChunkError();
    return bytes;
  }

  async getRange(key: AbsolutePath, range: RangeQuery): Promise<Uint8Array | undefined> {
    return this.#read(join(this.folder, key), (size) => offsetIn(range, size));
  }

  /** Size, time of the last change in nanoseconds, and the first bytes of a chunk's file. */
  async sample(
    key: string,
  ): Promise<{ size: bigint; changed: bigint; start: Uint8Array } | undefined> {
    const path = join(this.folder, key);
    const start = await this.#read(path, (size) => ({
      offset: 0,
      length: Math.min(size, SAMPLE_BYTES),
    }));
    if (start === undefined) return undefined;
    try {
      const { size, mtimeNs } = await stat(path, { bigint: true });
      return { size, changed: mtimeNs, start };
    } catch (error) {
      throw fileError('read', path, error);
    }
  }

  async #read(
    path: string,
    select: (fileBytes: number) => { offset: number; length: number },
  ): Promise<Uint8Array | undefined> {
    try {
      // Opening a pipe would wait for somebody to write into it.
      const found = await stat(path);
      if (!found.isFile()) {
        throw new CommandError(`Expected a file but ${path} is a folder or a device.`);
      }
      const file = await open(path, 'r');
      try {
        const { offset, length } = select((await file.stat()).size);
        return await readBytes(file, offset, length, path);
      } finally {
        await file.close();
      }
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw fileError('read', path, error);
    }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** What lies behind an address. */
class AddressStore implements ZarrStore {
  readonly #store: Zarrita.FetchStore;

  constructor(
    readonly location: string,
    zarrita: typeof Zarrita,
  ) {
    this.#store = new zarrita.FetchStore(location);
  }

  async metadata(name: string): Promise<Uint8Array | undefined> {
    return this.#fetch(`/${name}`, () => this.#store.get(`/${name}`));
  }

  async get(key: AbsolutePath): Promise<Uint8Array> {
    const bytes = await this.#fetch(key, () => this.#store.get(key));
    if (bytes === undefined) throw new MissingChunkError();
    return bytes;
  }

  async getRange(key: AbsolutePath, range: RangeQuery): Promise<Uint8Array | undefined> {
    const bytes = await this.#fetch(key, () => this.#store.getRange(key, range));
    const wanted = 'offset' in range ? range.length : range.suffixLength;
    if (bytes === undefined || bytes.length === wanted) return bytes;
    if (bytes.length < wanted) throw new DamagedChunkError('its file is not complete');
    // Some servers send the whole file, whatever part of it is asked for.
    const { offset, length } = offsetIn(range, bytes.length);
    return bytes.slice(offset, offset + length);
  }

  async #fetch<Result>(key: string, ask: () => Promise<Result>): Promise<Result> {
    try {
      return await ask();
    } catch (cause) {
      const place = `${key.slice(1)} of ${this.location}`;
      throw new CommandError(`Could not read ${place}: ${reasonOf(cause)}.`, { cause });
    }
  }
}

/** Why a request failed. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  const [, status] = /response status ([0-9]+)/.exec(message) ?? [];
  if (status !== undefined) return `the server answers with status ${status}`;
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'ENOTFOUND') return 'there is no server of that name';
  if (code === 'ECONNREFUSED') return 'no server answers there';
  return typeof code === 'string'
    ? `the connection to the server failed with ${code}`
    : 'the connection to the server failed';
}

async function openStore(location: string): Promise<ZarrStore> {
  if (!isAddress(location)) {
    const folder = resolve(location);
    try {
      const found = await stat(folder);
      if (!found.isDirectory()) {
        throw new CommandError(`Expected the folder of a Zarr array but ${location} is a file.`);
      }
    } catch (error) {
      throw fileError('read', location, error);
    }
    return new FolderStore(location, folder);
  }
  if (!URL.canParse(location)) {
    throw new CommandError(`Expected the address of a Zarr array but received '${location}'.`);
  }
  return new AddressStore(location, await loadZarrita());
}

// ------------------------------------------------------------------------------------------------
// Reading

/**
 * Opens a Zarr array of format 2 or 3, of shape (T,), (T, N) or (B, T, N).
 *
 * @param location A folder, or an address that begins with http:// or https://.
 * @throws CommandError when it is no such array, or cannot be read.
 */
export async function openZarrSource(location: string): Promise<RasterSource> {
  const zarrita = await loadZarrita();
  const store = await openStore(location);
  const metadata = await readMetadata(store);
  const array: RawArray = new zarrita.Array<RawType, AsyncReadable>(store, '/', {
    zarr_format: 3,
    node_type: 'array',
    shape: metadata.shape,
    data_type: metadata.raw,
    chunk_grid: { name: 'regular', configuration: { chunk_shape: metadata.chunkShape } },
    chunk_key_encoding: {
      name: metadata.keyEncoding.name,
      configuration: { separator: metadata.keyEncoding.separator },
    },
    codecs: metadata.pipeline,
    fill_value: metadata.fill,
    attributes: {},
  });
  return new ZarrSource(array, metadata, location, await identify(store, metadata));
}

/** See ZarrDescription. */
export async function describeZarr(location: string): Promise<ZarrDescription> {
  const metadata = await readMetadata(await openStore(location));
  const { shape, type, chunkShape, codecs, zarrFormat, attributes } = metadata;
  return { shape, type, chunkShape, codecs, zarrFormat, attributes };
}

/** Name of a chunk's file, with slashes between its folders. */
function chunkKey(indices: readonly number[], { name, separator }: ZarrMetadata['keyEncoding']) {
  return (name === 'default' ? ['c', ...indices] : [...indices]).join(separator);
}

/** The names of some chunks' files, evenly spread, those of the first and the last among them. */
function sampleKeys({ shape, chunkShape, keyEncoding }: ZarrMetadata): string[] {
  const counts = shape.map((length, axis) => Math.ceil(length / (chunkShape[axis] ?? 1)));
  const total = sizeOf(counts);
  const nSamples = Math.min(SAMPLES, total);
  return Array.from({ length: nSamples }, (_, sample) => {
    let rest = nSamples === 1 ? 0 : Math.floor(((total - 1) / (nSamples - 1)) * sample);
    const indices = counts.toReversed().map((count) => {
      const index = rest % count;
      rest = Math.floor(rest / count);
      return index;
    });
    return chunkKey(indices.reverse(), keyEncoding);
  });
}

/** Of an address only the document is sampled. A change that keeps all the samples is not seen. */
async function identify(store: ZarrStore, metadata: ZarrMetadata): Promise<InputIdentity> {
  const { document, shape, itemBytes } = metadata;
  const hash = createHash('sha256').update(document.bytes);
  const bytes = sizeOf(shape) * itemBytes;
  if (!(store instanceof FolderStore)) {
    const fingerprint = hash.digest('hex');
    return { path: store.location, format: 'zarr', bytes, modified: '', fingerprint };
  }
  let modified = (await store.sample(document.name))?.changed ?? 0n;
  for (const key of sampleKeys(metadata)) {
    const sample = await store.sample(key);
    hash.update(`\n${key} ${sample === undefined ? 'missing' : sample.size}\n`);
    if (sample === undefined) continue;
    hash.update(sample.start);
    if (sample.changed > modified) modified = sample.changed;
  }
  const fingerprint = hash.digest('hex');
  return { path: store.folder, format: 'zarr', bytes, modified: `${modified}`, fingerprint };
}

/** Arrays that move elements of so many bytes as they are. */
const MOVERS = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: Float64Array } as const;
type Movable = Uint8Array | Uint16Array | Uint32Array | Float64Array;

function movableView(
  buffer: ArrayBufferLike,
  byteOffset: number,
  length: number,
  itemBytes: number,
): Movable {
  const Mover = MOVERS[itemBytes as keyof typeof MOVERS];
  return new Mover(buffer as ArrayBuffer, byteOffset, length);
}

/** Elements in memory, and where element (0, 0, 0) of the part in question lies. */
interface Strided {
  data: Movable;
  begin: number;
  strides: Triple;
}

/** Runs that are shorter are moved faster one element at a time. */
const SHORT_RUN = 16;

function copyPart(from: Strided, to: Strided, [nBatches, nSteps, width]: Triple): void {
  const [fromBatch, fromStep, fromChannel] = from.strides;
  const [toBatch, toStep, toChannel] = to.strides;
  const isRun = fromChannel === 1 && toChannel === 1 && width >= SHORT_RUN;
  for (let batch = 0; batch < nBatches; batch++) {
    for (let step = 0; step < nSteps; step++) {
      let source = from.begin + batch * fromBatch + step * fromStep;
      let target = to.begin + batch * toBatch + step * toStep;
      if (isRun) {
        to.data.set(from.data.subarray(source, source + width), target);
        continue;
      }
      for (let channel = 0; channel < width; channel++) {
        to.data[target] = from.data[source] ?? 0;
        source += fromChannel;
        target += toChannel;
      }
    }
  }
}

/** Three numbers, of fewer axes those in front are `missing`. */
function toTriple(numbers: readonly number[], missing: number): Triple {
  const [a, b, c] = [missing, missing, missing, ...numbers].slice(-3);
  return [a ?? missing, b ?? missing, c ?? missing];
}

function rowMajor([, steps, channels]: Triple): Triple {
  return [steps * channels, channels, 1];
}

/** A chunk's indices, and what it has in common with a region, in indices of the array. */
interface ChunkPart {
  indices: number[];
  ranges: Range[];
  /** Whether that is all that the array has of this chunk. */
  isWhole: boolean;
}

/** The parts of a region, chunk by chunk. */
function* partsOf(
  region: readonly Range[],
  shape: readonly number[],
  chunkShape: readonly number[],
): Generator<ChunkPart> {
  const [range, ...otherRanges] = region;
  const [length = 0, ...otherLengths] = shape;
  const [chunk = 1, ...otherChunks] = chunkShape;
  if (range === undefined) {
    yield { indices: [], ranges: [], isWhole: true };
    return;
  }
  for (let index = Math.floor(range.begin / chunk); index * chunk < range.end; index++) {
    const first = index * chunk;
    const last = Math.min(first + chunk, length);
    const part = { begin: Math.max(first, range.begin), end: Math.min(last, range.end) };
    const isWhole = part.begin === first && part.end === last;
    for (const other of partsOf(otherRanges, otherLengths, otherChunks)) {
      yield {
        indices: [index, ...other.indices],
        ranges: [part, ...other.ranges],
        isWhole: isWhole && other.isWhole,
      };
    }
  }
}

class ZarrSource implements RasterSource {
  readonly shape: Triple;
  readonly nAxes: number;
  readonly type: string;
  readonly itemBytes: number;
  readonly isInterleaved = false;
  readonly #array: RawArray;
  readonly #metadata: ZarrMetadata;
  readonly #location: string;
  /** Chunks of which the last region has taken a part, by their indices; undefined: fill values. */
  readonly #kept = new Map<string, Promise<RawChunk | undefined>>();

  constructor(
    array: RawArray,
    metadata: ZarrMetadata,
    location: string,
    readonly identity: InputIdentity,
  ) {
    const { shape, type, code, itemBytes } = metadata;
    const [first = 0, second] = shape;
    this.shape = second === undefined ? [1, first, 1] : toTriple(shape, 1);
    this.nAxes = shape.length;
    this.type = type;
    // Half floats are widened.
    this.itemBytes = code === 'f2' ? 4 : itemBytes;
    this.#array = array;
    this.#metadata = metadata;
    this.#location = location;
  }

  async read(region: Region): Promise<TypedArray> {
    const { batches, steps, channels } = region;
    const { shape, code, itemBytes } = this.#metadata;
    checkRegion(region, this.shape);
    const size = sizeOfRegion(region);
    const bytes = this.#allocate(size * itemBytes);
    const target = movableView(bytes.buffer, 0, size, itemBytes);
    if (size > 0) {
      const ranges = [batches, steps, channels].slice(
        ...(this.nAxes === 1 ? [1, 2] : [-this.nAxes]),
      );
      const targetShape = toTriple(ranges.map(lengthOf), 1);
      const parts = () => partsOf(ranges, shape, this.#array.chunks);
      this.#forget(parts());
      await forEachAtOnce(parts(), async (part) => {
        const begin = part.ranges.map((range, axis) => range.begin - (ranges[axis]?.begin ?? 0));
        const strides = rowMajor(targetShape);
        const to = { data: target, begin: indexOf(toTriple(begin, 0), strides), strides };
        this.#take(part, await this.#chunk(part), to);
      });
    }
    if (code === 'b1') for (let i = 0; i < size; i++) target[i] = target[i] === 0 ? 0 : 1;
    return decodeBytes(bytes, { code, isBigEndian: false });
  }

  close(): Promise<void> {
    this.#kept.clear();
    return Promise.resolve();
  }

  #allocate(bytes: number): Uint8Array {
    try {
      return new Uint8Array(bytes);
    } catch (cause) {
      throw new CommandError(
        `Expected a part of ${this.#location} to fit the memory but it has ${bytes} bytes.`,
        { cause },
      );
    }
  }

  /** Copies a part of a chunk. */
  #take({ ranges, indices }: ChunkPart, chunk: RawChunk | undefined, to: Strided): void {
    const { itemBytes, fill, raw } = this.#metadata;
    const partShape = toTriple(ranges.map(lengthOf), 1);
    if (chunk === undefined) {
      const filling = elementsOf(raw, fill);
      const data = movableView(filling.buffer, 0, 1, itemBytes);
      copyPart({ data, begin: 0, strides: [0, 0, 0] }, to, partShape);
      return;
    }
    const { buffer, byteOffset, length } = chunk.data;
    const data = movableView(buffer, byteOffset, length, itemBytes);
    const begin = ranges.map((range, axis) => {
      return range.begin - (indices[axis] ?? 0) * (chunk.shape[axis] ?? 1);
    });
    const strides = toTriple(chunk.stride, 0);
    copyPart({ data, begin: indexOf(toTriple(begin, 0), strides), strides }, to, partShape);
  }

  /** Drops the kept chunks that a region does not need. */
  #forget(parts: Iterable<ChunkPart>): void {
    if (this.#kept.size === 0) return;
    const needed = new Set<string>();
    for (const { indices } of parts) {
      const name = indices.join();
      if (this.#kept.has(name)) needed.add(name);
    }
    for (const name of this.#kept.keys()) if (!needed.has(name)) this.#kept.delete(name);
  }

  /** A chunk, which is kept while something is left of it to be read; undefined: fill values. */
  async #chunk({ indices, isWhole }: ChunkPart): Promise<RawChunk | undefined> {
    const name = indices.join();
    const kept = this.#kept.get(name);
    if (kept !== undefined) return kept;
    const loaded = this.#load(indices);
    if (isWhole) return loaded;
    this.#kept.set(name, loaded);
    try {
      return await loaded;
    } catch (error) {
      if (this.#kept.get(name) === loaded) this.#kept.delete(name);
      throw error;
    }
  }

  async #load(indices: number[]): Promise<RawChunk | undefined> {
    try {
      return await this.#array.getChunk(indices);
    } catch (error) {
      if (error instanceof MissingChunkError) return undefined;
      if (error instanceof CommandError) throw error;
      throw new CommandError(
        `Could not read chunk (${indices.join(', ')}) of ${this.#location}: ${damageOf(error)}; ` +
          'its file is damaged or not complete.',
        { cause: error },
      );
    }
  }
}

/** What is wrong with a chunk, by the error of zarrita or of a check. */
function damageOf(error: unknown): string {
  if (error instanceof DamagedChunkError) return error.message;
  if (error instanceof Error) {
    if (error.cause instanceof DamagedChunkError) return error.cause.message;
    if ('codec' in error && typeof error.codec === 'string') {
      return `the codec ${error.codec.replace(CHECKED, '')} cannot decode it`;
    }
  }
  return 'it cannot be decoded';
}

/** One element of a type. */
function elementsOf(raw: RawType, value: number | bigint): TypedArray {
  switch (raw) {
    case 'int64':
    case 'uint64':
      return BigUint64Array.of(BigInt.asUintN(64, BigInt(value)));
    case 'float32':
      return Float32Array.of(Number(value));
    case 'float64':
      return Float64Array.of(Number(value));
    case 'int8':
    case 'uint8':
      return Uint8Array.of(Number(value));
    case 'int16':
    case 'uint16':
      return Uint16Array.of(Number(value));
    case 'int32':
    case 'uint32':
      return Uint32Array.of(Number(value));
  }
}

function indexOf(place: Triple, strides: Triple): number {
  return place[0] * strides[0] + place[1] * strides[1] + place[2] * strides[2];
}

/** A programming error when it fails. */
function checkRegion({ batches, steps, channels }: Region, shape: Triple): void {
  [batches, steps, channels].forEach(({ begin, end }, axis) => {
    const isWithin = Number.isInteger(begin) && Number.isInteger(end) && begin >= 0;
    if (!isWithin || end < begin || end > (shape[axis] ?? 0)) {
      throw new RangeError(
        `Expected a region within (${shape.join(', ')}) but received ${begin} to ${end}.`,
      );
    }
  });
}

// ------------------------------------------------------------------------------------------------
// Writing

const BLOSC = { cname: 'lz4', clevel: 5, blocksize: 0 };

function codecsFor(compression: ZarrOptions['compression'], itemBytes: number): CodecMetadata[] {
  const bytes = { name: 'bytes', configuration: { endian: 'little' } };
  switch (compression) {
    case 'none':
      return [bytes];
    case 'zstd':
      return [bytes, { name: 'zstd', configuration: { level: 3, checksum: false } }];
    case 'blosc': {
      const configuration = { ...BLOSC, shuffle: 'shuffle', typesize: itemBytes };
      return [bytes, { name: 'blosc', configuration }];
    }
  }
}

/**
 * Makes an array of format 3 whose elements are zeros until they are written.
 *
 * @param folder Must not exist, or be empty.
 * @throws CommandError when the folder cannot be made, or no such array can be.
 */
export async function createZarr(
  folder: string,
  { shape, dtype }: CurrentsLayout,
  { chunkShape, compression, attributes }: ZarrOptions,
): Promise<void> {
  const zarrita = await loadZarrita();
  const itemBytes = dtype === 'float64' ? 8 : 4;
  const chunks = shape.map((length, axis) => {
    return Math.min(Math.max(length, 1), chunkShape[axis] ?? 1);
  });
  checkSizes(folder, shape, chunks, itemBytes);
  await makeEmptyFolder(folder);
  const set = async (key: AbsolutePath, value: Uint8Array): Promise<void> => {
    await writeCompleteFile(join(folder, key), [value]);
  };
  await zarrita.create(
    { get: () => Promise.resolve(undefined), set },
    {
      shape: [...shape],
      chunkShape: chunks,
      dtype,
      codecs: codecsFor(compression, itemBytes),
      // Other readers refuse an array without one.
      fillValue: 0,
      dimensionNames: ['batch', 'time', 'synapse'],
      attributes,
    },
  );
}

function checkSizes(
  folder: string,
  shape: readonly number[],
  chunkShape: readonly number[],
  itemBytes: number,
): void {
  const isCount = (length: number): boolean => Number.isSafeInteger(length) && length >= 0;
  const areChunks = chunkShape.every((length) => isCount(length) && length > 0);
  if (!shape.every(isCount) || !areChunks) {
    throw new RangeError(
      `Expected shapes of whole numbers but received (${shape.join(', ')}) and ` +
        `(${chunkShape.join(', ')}).`,
    );
  }
  if (!Number.isSafeInteger(sizeOf(shape) * itemBytes)) {
    throw new CommandError(
      `Expected a shape that can be for ${folder} but received (${shape.join(', ')}).`,
    );
  }
  if (sizeOf(chunkShape) * itemBytes > MAX_CHUNK_BYTES) {
    throw new CommandError(
      `Expected chunks of less than 2 GiB for ${folder} but received shape ` +
        `(${chunkShape.join(', ')}); make them smaller.`,
    );
  }
}

async function makeEmptyFolder(folder: string): Promise<void> {
  try {
    await makeFolder(dirname(resolve(folder)));
    await mkdir(folder).catch((error: unknown) => {
      const isThere = error instanceof Error && 'code' in error && error.code === 'EEXIST';
      if (!isThere) throw error;
    });
    if ((await readdir(folder)).length === 0) {
      await flushFolder(dirname(resolve(folder)));
      return;
    }
  } catch (error) {
    throw fileError('write', folder, error);
  }
  throw new CommandError(
    `Expected an empty folder for the array but ${folder} holds something; give another name.`,
  );
}

/** Adds attributes to an array of format 3, or replaces those of the same names, at one stroke. */
export async function updateZarrAttributes(
  folder: string,
  attributes: Record<string, unknown>,
): Promise<void> {
  const store = new FolderStore(folder, resolve(folder));
  const { document, attributes: former, zarrFormat } = await readMetadata(store);
  if (zarrFormat !== 3) {
    throw new CommandError(
      `Expected an array of Zarr format 3 in ${folder} but received one of 2.`,
    );
  }
  const json = parseJson(document.bytes, document.name, folder);
  const updated = { ...json, attributes: { ...former, ...attributes } };
  await writeCompleteFile(join(folder, document.name), [
    Buffer.from(`${JSON.stringify(updated, undefined, 2)}\n`),
  ]);
}

/**
 * Opens an array that createZarr() made. A region that is written must begin and end between chunks
 * or at the array's end. Each chunk's file appears when it is complete, so that neither a process
 * that is killed nor several ones that write the same leave half of it.
 *
 * @param temporaries A folder on the same disk for files that are not complete; a process that is
 *   killed may leave some there.
 * @throws CommandError when the array is not one that createZarr() makes.
 */
export async function openZarrSink(folder: string, temporaries: string): Promise<CurrentsSink> {
  const zarrita = await loadZarrita();
  const metadata = await readMetadata(new FolderStore(folder, resolve(folder)));
  const { shape, type, codecs, keyEncoding, zarrFormat, pipeline } = metadata;
  const [bytes, compressor, ...others] = codecs;
  const isKnown = compressor === undefined || compressor === 'zstd' || compressor === 'blosc';
  const isOurs =
    zarrFormat === 3 &&
    shape.length === 3 &&
    (type === 'float64' || type === 'float32') &&
    bytes === 'bytes' &&
    pipeline[0]?.configuration['endian'] === 'little' &&
    isKnown &&
    others.length === 0 &&
    keyEncoding.name === 'default' &&
    keyEncoding.separator === '/' &&
    metadata.fill === 0;
  if (!isOurs) {
    throw new CommandError(
      `Expected ${folder} to be as the run left it but it has changed; begin anew with --restart.`,
    );
  }
  const encode = async (content: Uint8Array): Promise<Uint8Array> => {
    if (compressor === undefined) return content;
    const configuration = compressor === 'zstd' ? { level: 3 } : { ...BLOSC, shuffle: 1 };
    return (await codecOf(zarrita.registry, compressor, configuration)).encode(content);
  };
  try {
    await makeFolder(resolve(temporaries));
  } catch (error) {
    throw fileError('write', temporaries, error);
  }
  return new ZarrSink(resolve(folder), resolve(temporaries), metadata, encode);
}

class ZarrSink implements CurrentsSink {
  readonly #folder: string;
  readonly #temporaries: string;
  readonly #metadata: ZarrMetadata;
  readonly #encode: (content: Uint8Array) => Promise<Uint8Array>;
  /** Files that are not yet durable. */
  #unsafe = new Set<string>();
  readonly #folders = new Map<string, Promise<void>>();

  constructor(
    folder: string,
    temporaries: string,
    metadata: ZarrMetadata,
    encode: (content: Uint8Array) => Promise<Uint8Array>,
  ) {
    this.#folder = folder;
    this.#temporaries = temporaries;
    this.#metadata = metadata;
    this.#encode = encode;
  }

  async write(region: Region, data: CurrentsArray): Promise<void> {
    const { shape, chunkShape, keyEncoding, type } = this.#metadata;
    const ranges = [region.batches, region.steps, region.channels];
    checkRegion(region, toTriple(shape, 1));
    ranges.forEach((range, axis) => checkAlignment(range, shape[axis] ?? 0, chunkShape[axis] ?? 1));
    const isOfType = data instanceof (type === 'float64' ? Float64Array : Float32Array);
    if (!isOfType || data.length !== sizeOfRegion(region)) {
      throw new RangeError(
        `Expected ${sizeOfRegion(region)} elements of ${type} but received ${data.length}.`,
      );
    }
    if (data.length === 0) return;
    await forEachAtOnce(partsOf(ranges, shape, chunkShape), async (part) => {
      const path = join(this.#folder, chunkKey(part.indices, keyEncoding));
      const content = await this.#encodeChunk(part, ranges, data);
      await this.#writeChunk(path, content);
    });
  }

  async sync(): Promise<void> {
    const paths = this.#unsafe;
    this.#unsafe = new Set();
    try {
      const folders = new Set<string>();
      for (const path of paths) {
        let folder = dirname(path);
        for (; folder !== this.#folder; folder = dirname(folder)) {
          folders.add(folder);
        }
      }
      if (paths.size > 0) folders.add(this.#folder);
      await forEachAtOnce(paths, flushFile);
      await forEachAtOnce(folders, flushFolder);
    } catch (error) {
      for (const path of paths) this.#unsafe.add(path);
      throw fileError('write', this.#folder, error);
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** A chunk's content: the array's elements without a copy where they lie as they must. */
  async #encodeChunk(
    { ranges }: ChunkPart,
    region: readonly Range[],
    data: CurrentsArray,
  ): Promise<Uint8Array> {
    const chunkShape = toTriple(this.#metadata.chunkShape, 1);
    const regionShape = toTriple(region.map(lengthOf), 1);
    const partShape = toTriple(ranges.map(lengthOf), 1);
    const itemBytes = data.BYTES_PER_ELEMENT;
    const place = ranges.map((range, axis) => range.begin - (region[axis]?.begin ?? 0));
    const strides = rowMajor(regionShape);
    const begin = indexOf(toTriple(place, 0), strides);
    if (isContiguous(partShape, chunkShape, regionShape)) {
      const byteOffset = data.byteOffset + begin * itemBytes;
      return this.#encode(new Uint8Array(data.buffer, byteOffset, sizeOf(chunkShape) * itemBytes));
    }
    // What a chunk at the array's end has beyond it is the fill value.
    const chunk = new Uint8Array(sizeOf(chunkShape) * itemBytes);
    const to = movableView(chunk.buffer, 0, sizeOf(chunkShape), itemBytes);
    const from = movableView(data.buffer, data.byteOffset, data.length, itemBytes);
    copyPart(
      { data: from, begin, strides },
      { data: to, begin: 0, strides: rowMajor(chunkShape) },
      partShape,
    );
    return this.#encode(chunk);
  }

  async #writeChunk(path: string, content: Uint8Array): Promise<void> {
    const folder = dirname(path);
    const name = `${basename(path)}.${randomBytes(6).toString('hex')}`;
    const temporary = join(this.#temporaries, name);
    try {
      await this.#makeFolder(folder);
      try {
        const file = await open(temporary, 'wx');
        try {
          await writeAll(file, content);
        } finally {
          await file.close();
        }
        await rename(temporary, path);
      } catch (error) {
        await rm(temporary, { force: true }).catch(() => undefined);
        throw error;
      }
    } catch (error) {
      throw fileError('write', path, error);
    }
    this.#unsafe.add(path);
  }

  async #makeFolder(folder: string): Promise<void> {
    const made = this.#folders.get(folder) ?? makeFolder(folder);
    this.#folders.set(folder, made);
    try {
      await made;
    } catch (error) {
      this.#folders.delete(folder);
      throw error;
    }
  }
}

function checkAlignment({ begin, end }: Range, length: number, chunk: number): void {
  if (begin % chunk === 0 && (end % chunk === 0 || end === length)) return;
  throw new RangeError(
    `Expected a region of whole chunks of ${chunk} but received ${begin} to ${end} of ${length}.`,
  );
}

/** Whether a whole chunk lies in a region as it lies in its file. */
function isContiguous(part: Triple, chunk: Triple, region: Triple): boolean {
  if (part.some((length, axis) => length !== chunk[axis])) return false;
  // Up to the first axis that is longer than 1, the others must be the region's own.
  const first = part.findIndex((length) => length > 1);
  return first < 0 || part.slice(first + 1).every((length, i) => length === region[first + 1 + i]);
}

/** Windows flushes only what is open for writing. */
async function flushFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
