/** The codecs of a chunk put together, for either format. */
import { CHECKSUM_BYTES, COMPRESSORS, type CheckedCodec, decodeChecksum } from './codecs';
import { CHECKED_CODEC, SIZE_CHECK } from './corruption';
import { FILTERS } from './filters';
import { sizeOf } from '../../arrays/arrays';
import { type Codec, type CodecMetadata, Validator, MAX_CHUNK_BYTES, codecsOf } from './validator';

const CHECKSUM = 'crc32c';

export const COMPRESSOR_NAMES = Object.keys(COMPRESSORS).sort();

export const FILTER_NAMES = [...Object.keys(FILTERS), CHECKSUM].sort();

/** The codecs of bytes that are known, filters among them, by name. */
export const BYTE_CODECS = [...COMPRESSOR_NAMES, ...FILTER_NAMES].sort();

/** The members that the configuration of a codec may have. */
const CONFIGURATIONS: Record<string, readonly string[]> = {
  bitround: ['keepbits'],
  blosc: ['cname', 'clevel', 'shuffle', 'typesize', 'blocksize'],
  bytes: ['endian'],
  crc32c: ['location'],
  delta: ['dtype', 'astype'],
  fixedscaleoffset: ['offset', 'scale', 'dtype', 'astype'],
  gzip: ['level'],
  lz4: ['acceleration'],
  packbits: [],
  sharding_indexed: ['chunk_shape', 'codecs', 'index_codecs', 'index_location'],
  shuffle: ['elementsize'],
  transpose: ['order'],
  zlib: ['level'],
  zstd: ['level', 'checksum'],
};

/** A codec's name without that of the package that has brought it to format 3. */
function nameOf({ name }: Codec): string {
  return name.replace(/^numcodecs\./, '');
}

/**
 * Refuses what is said of codecs of format 3 and is not known, except codecs that may be ignored, which
 * are left out. (Of format 2, whatever else is said of a codec has no meaning.)
 */
export function understoodCodecs(value: unknown, validator: Validator): Codec[] {
  return codecsOf(value, validator).filter((codec) => {
    const name = nameOf(codec);
    const members = Object.hasOwn(CONFIGURATIONS, name) ? CONFIGURATIONS[name] : undefined;
    if (members === undefined) return codec.mustUnderstand;
    validator.members(codec.configuration, members, `the codec ${name}`);
    return true;
  });
}

/**
 * The codecs of a chunk, put together from those that are known, with their checks. Filters stand on
 * either side of `bytes`: in format 3 they are filters of elements, in format 2 of bytes.
 */
export function chunkPipeline(
  codecs: readonly Codec[],
  { chunkShape, itemBytes }: { chunkShape: readonly number[]; itemBytes: number },
  validator: Validator,
  known: readonly string[] = BYTE_CODECS,
): CodecMetadata[] {
  const pipeline: CodecMetadata[] = [];
  const filters: Codec[] = [];
  let bytes = sizeOf(chunkShape) * itemBytes;
  let hasBytes = false;
  const add = (codec: Codec, isBigEndian?: boolean): void => {
    const { configuration, encodedBytes } = checkedCodec(codec, bytes, validator, isBigEndian);
    pipeline.push({ name: CHECKED_CODEC, configuration: { ...configuration } });
    bytes = encodedBytes;
  };
  for (const codec of codecs) {
    const name = nameOf(codec);
    if (name === 'transpose' && pipeline.length === 0 && filters.length === 0) {
      const order = orderOf(codec.configuration['order'], chunkShape.length, validator);
      pipeline.push({ name, configuration: { order } });
    } else if (name === 'bytes' && !hasBytes) {
      const endian = endianOf(codec.configuration['endian'], itemBytes, validator);
      pipeline.push(
        { name, configuration: { endian } },
        { name: SIZE_CHECK, configuration: { bytes } },
      );
      // The library puts bytes in order last, when the filters have been undone.
      for (const filter of filters) add(filter, endian === 'big');
      hasBytes = true;
    } else if (hasBytes && known.includes(name)) {
      add(codec);
    } else if (!hasBytes && known.includes(name) && Object.hasOwn(FILTERS, name)) {
      filters.push(codec);
    } else {
      throw validator.refuse(
        `the codecs transpose, bytes and then ${known.join(', ')}`,
        codecs.map((one) => one.name),
        `; store the array without '${codec.name}', or in this order`,
      );
    }
  }
  if (!hasBytes) {
    throw validator.refuse(
      "the codec 'bytes'",
      codecs.map((codec) => codec.name),
    );
  }
  return pipeline;
}

/**
 * A codec of bytes with its checks, and how many bytes it makes of so many: at most, of a codec that
 * compresses.
 */
function checkedCodec(
  codec: Codec,
  bytes: number,
  validator: Validator,
  isBigEndian?: boolean,
): { configuration: CheckedCodec; encodedBytes: number } {
  const name = nameOf(codec);
  const filter = FILTERS[name]?.(codec.configuration, {
    validator,
    ...(isBigEndian !== undefined && { isBigEndian }),
  });
  if (filter !== undefined) {
    const { decode } = filter;
    return { configuration: { name, decode }, encodedBytes: filter.encodedBytes(bytes) };
  }
  if (name === CHECKSUM) {
    const isAtStart = isAtStartOf(codec.configuration['location'] ?? 'end', 'checksum', validator);
    const decode = (encoded: Uint8Array) => decodeChecksum(encoded, isAtStart);
    return { configuration: { name, decode }, encodedBytes: bytes + CHECKSUM_BYTES };
  }
  const decompress = COMPRESSORS[name];
  if (decompress === undefined) throw new RangeError(`Expected a codec but received '${name}'.`);
  return {
    configuration: { name, decode: (encoded, zstd) => decompress(encoded, bytes, zstd) },
    encodedBytes: longestEncoding(bytes),
  };
}

/** What no compressor exceeds, of bytes that do not become smaller. */
function longestEncoding(bytes: number): number {
  return bytes + Math.ceil(bytes / 64) + 1024;
}

/** Whether something stands at the start of what it belongs to, and not at the end. */
function isAtStartOf(location: unknown, what: string, validator: Validator): boolean {
  if (location === 'start' || location === 'end') return location === 'start';
  throw validator.refuse(`'start' or 'end' as place of the ${what}`, location);
}

function endianOf(endian: unknown, itemBytes: number, validator: Validator): 'little' | 'big' {
  if (endian === 'little' || endian === 'big') return endian;
  if (itemBytes === 1 && endian == null) return 'little';
  throw validator.refuse("'little' or 'big' as order of the bytes", endian);
}

/** Axes in the order in which the file has them, from the slowest to the fastest. */
function orderOf(value: unknown, nAxes: number, validator: Validator): number[] {
  const axes = Array.from({ length: nAxes }, (_, axis) => axis);
  if (value === 'C') return axes;
  if (value === 'F') return axes.reverse();
  const order = validator.numbers(value, 0, 'an order of the axes');
  if (order.length !== nAxes || axes.some((axis) => !order.includes(axis))) {
    throw validator.refuse(`an order of ${nAxes} axes`, value);
  }
  return order;
}

/** How several chunks share a file, a shard, and how they are encoded in it. */
export interface Sharding {
  /** Of a chunk, of which there are several in a shard. */
  chunkShape: number[];
  pipeline: CodecMetadata[];
  index: {
    /** How many chunks a shard has along each axis, and two numbers for each. */
    shape: number[];
    isAtStart: boolean;
    bytes: number;
    pipeline: CodecMetadata[];
  };
}

/** Reads the codec of an array whose chunks share files. */
export function shardingOf(
  codecs: readonly Codec[],
  layout: { shape: readonly number[]; chunkShape: readonly number[]; itemBytes: number },
  validator: Validator,
): Sharding {
  const { configuration = {} } = codecs[0] ?? {};
  if (codecs.length > 1) {
    throw validator.refuse(
      "no codec beside 'sharding_indexed'",
      codecs.map((codec) => codec.name),
    );
  }
  const isAtStart = isAtStartOf(
    configuration['index_location'] ?? 'end',
    'index of each shard',
    validator,
  );
  const { shape, chunkShape: shardShape, itemBytes } = layout;
  const chunkShape = validator.chunkShape(configuration['chunk_shape'], shape, itemBytes);
  const counts = shardShape.map((length, axis) => length / (chunkShape[axis] ?? 0));
  if (shardShape.length !== shape.length || !counts.every(Number.isInteger)) {
    throw validator.refuse('shards of whole chunks', shardShape);
  }
  const indexShape = [...counts, 2];
  const indexBytes = sizeOf(indexShape) * 8;
  if (indexBytes > MAX_CHUNK_BYTES) throw validator.refuse('shards of fewer chunks', shardShape);
  const inner = understoodCodecs(configuration['codecs'], validator);
  const pipeline = chunkPipeline(inner, { chunkShape, itemBytes }, validator);
  const indexCodecs = understoodCodecs(configuration['index_codecs'], validator);
  const indexElements = { chunkShape: indexShape, itemBytes: 8 };
  const checksums = indexCodecs.filter((codec) => nameOf(codec) === CHECKSUM).length;
  return {
    chunkShape,
    pipeline,
    index: {
      shape: indexShape,
      isAtStart,
      bytes: indexBytes + checksums * CHECKSUM_BYTES,
      pipeline: chunkPipeline(indexCodecs, indexElements, validator, [CHECKSUM]),
    },
  };
}
