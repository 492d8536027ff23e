/** The document of an array, of either format, validated and in the words of format 3. */
import { CommandError } from '../../errors/command-errors';
import { type FillValue, readFill } from './fill';
import { sourceOf } from './json-source';
import {
  type Codec,
  type CodecMetadata,
  type Json,
  type RawType,
  Validator,
  TYPES,
  extension,
  isObject,
} from './validator';
import {
  BYTE_CODECS,
  COMPRESSOR_NAMES,
  FILTER_NAMES,
  type Sharding,
  chunkPipeline,
  shardingOf,
  understoodCodecs,
} from './pipelines';
import type { ZarrStore } from './stores';

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

/** An array's document, validated and in the words of format 3. */
export interface ZarrMetadata extends ZarrDescription {
  raw: RawType;
  code: string;
  itemBytes: number;
  /** Of the type `raw`. */
  fill: FillValue;
  keyEncoding: { name: 'default' | 'v2'; separator: '.' | '/' };
  /** The codecs of a chunk with their checks; see registerCheckedCodecs(). */
  pipeline: CodecMetadata[];
  /** Of a sharded array. */
  sharding?: Sharding;
  /** The file's name and content. */
  document: { name: string; bytes: Uint8Array };
}

export async function readMetadata(store: ZarrStore): Promise<ZarrMetadata> {
  const { location } = store;
  const third = await store.metadata('zarr.json');
  if (third !== undefined) return parseV3({ name: 'zarr.json', bytes: third }, location);
  const second = await store.metadata('.zarray');
  if (second !== undefined) {
    const attributes = await store.metadata('.zattrs');
    return parseV2({ name: '.zarray', bytes: second }, attributes, location);
  }
  if ((await store.metadata('.zgroup')) !== undefined) throw groupError(location);
  const doubt = store.doubt === undefined ? '' : `, ${store.doubt}`;
  throw new CommandError(
    `Expected a Zarr array in ${location} but there is neither zarr.json nor .zarray${doubt}; give the ` +
      'folder that holds one of them.',
  );
}

function groupError(location: string): CommandError {
  return new CommandError(
    `Expected a Zarr array in ${location} but received a group; give one of the arrays in it, such ` +
      `as ${location.replace(/\/+$/, '')}/raster.`,
  );
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
}

/** The fill value of an array, with its text: a number may have more digits than can be parsed. */
function fillOf(json: Json, bytes: Uint8Array, type: string, validator: Validator): FillValue {
  const value = json['fill_value'];
  return readFill({ value, source: sourceOf(textOf(bytes), 'fill_value') }, type, validator);
}

export function parseJson(bytes: Uint8Array, name: string, location: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(textOf(bytes));
  } catch (cause) {
    throw new CommandError(
      `Expected a JSON document in ${name} of ${location} but received one that is corrupt.`,
      { cause },
    );
  }
  if (!isObject(value)) throw new Validator(name, location).refuse('an object', value);
  return value;
}

/** The members of an array's document of format 3. */
const MEMBERS = [
  'zarr_format',
  'node_type',
  'shape',
  'data_type',
  'chunk_grid',
  'chunk_key_encoding',
  'fill_value',
  'codecs',
  'attributes',
  'storage_transformers',
  'dimension_names',
];

/** None is known, and only those may be there that can be ignored. */
function checkTransformers(transformers: unknown, validator: Validator): void {
  if (!Array.isArray(transformers))
    throw validator.refuse('a list of storage transformers', transformers);
  for (const value of transformers as unknown[]) {
    const { mustUnderstand } = extension(value, 'a storage transformer', validator);
    if (mustUnderstand) throw validator.refuse('no storage transformers', value);
  }
}

function parseV3(document: ZarrMetadata['document'], location: string): ZarrMetadata {
  const json = parseJson(document.bytes, document.name, location);
  const validator = new Validator(document.name, location);
  if (json['zarr_format'] !== 3) throw validator.refuse("'zarr_format' 3", json['zarr_format']);
  if (json['node_type'] === 'group') throw groupError(location);
  if (json['node_type'] !== 'array') throw validator.refuse("'node_type' array", json['node_type']);
  validator.members(json, MEMBERS, 'the array');
  const dataType = json['data_type'];
  const { name, configuration } = extension(
    dataType,
    'booleans, integers or floats of at most 64 bits',
    validator,
  );
  const type = validator.type(name, dataType);
  validator.members(configuration, [], `the type ${name}`);
  const shape = validator.shape(json['shape']);
  validator.size(shape, type.itemBytes);
  const grid = extension(json['chunk_grid'], 'a regular grid of chunks', validator);
  if (grid.name !== 'regular')
    throw validator.refuse('a regular grid of chunks', json['chunk_grid']);
  validator.members(grid.configuration, ['chunk_shape'], 'the grid of chunks');
  checkTransformers(json['storage_transformers'] ?? [], validator);
  const keys = extension(
    json['chunk_key_encoding'],
    'an encoding of the names of the chunks',
    validator,
  );
  if (keys.name !== 'default' && keys.name !== 'v2') {
    throw validator.refuse("'default' or 'v2' as encoding of the names of the chunks", keys.name);
  }
  validator.members(keys.configuration, ['separator'], 'the encoding of the names of the chunks');
  const separator = validator.separator(
    keys.configuration['separator'],
    keys.name === 'default' ? '/' : '.',
  );
  const gridShape = grid.configuration['chunk_shape'];
  const codecs = understoodCodecs(json['codecs'], validator);
  const isSharded = codecs[0]?.name === 'sharding_indexed';
  const chunkShape = isSharded
    ? validator.numbers(gridShape, 1, 'a shape of the shards, whole numbers above 0,')
    : validator.chunkShape(gridShape, shape, type.itemBytes);
  const layout = { shape, chunkShape, itemBytes: type.itemBytes };
  const sharding = isSharded ? shardingOf(codecs, layout, validator) : undefined;
  return {
    ...type,
    type: name,
    shape,
    chunkShape,
    codecs: codecs.map((codec) => codec.name),
    zarrFormat: 3,
    attributes: validator.attributes(json['attributes']),
    fill: fillOf(json, document.bytes, name, validator),
    keyEncoding: { name: keys.name, separator },
    pipeline: sharding?.pipeline ?? chunkPipeline(codecs, layout, validator),
    ...(sharding && { sharding }),
    document,
  };
}

function parseV2(
  document: ZarrMetadata['document'],
  attributes: Uint8Array | undefined,
  location: string,
): ZarrMetadata {
  const json = parseJson(document.bytes, document.name, location);
  const validator = new Validator(document.name, location);
  if (json['zarr_format'] !== 2) throw validator.refuse("'zarr_format' 2", json['zarr_format']);
  const dtype = json['dtype'];
  const [, order, code] =
    /^([<>|])([a-z][0-9]+)$/.exec(typeof dtype === 'string' ? dtype : '') ?? [];
  const name = Object.keys(TYPES).find((key) => TYPES[key]?.code === code);
  const type = validator.type(name, dtype);
  const shape = validator.shape(json['shape']);
  validator.size(shape, type.itemBytes);
  const chunkShape = validator.chunkShape(json['chunks'], shape, type.itemBytes);
  if (json['order'] !== 'C' && json['order'] !== 'F') {
    throw validator.refuse("the order 'C' or 'F'", json['order']);
  }
  const filters = json['filters'] ?? [];
  if (!Array.isArray(filters)) throw validator.refuse('a list of filters', filters);
  const { compressor } = json;
  const coders = [
    ...(filters as unknown[]).map((filter) => coderOf(filter, 'filter', validator)),
    ...(compressor == null ? [] : [coderOf(compressor, 'compressor', validator)]),
  ];
  const codecs = [
    ...(json['order'] === 'F' ? [codecOf('transpose', { order: 'F' })] : []),
    codecOf('bytes', { endian: order === '>' ? 'big' : 'little' }),
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
    fill: fillOf(json, document.bytes, name ?? '', validator),
    keyEncoding: { name: 'v2', separator: validator.separator(json['dimension_separator'], '.') },
    pipeline: chunkPipeline(codecs, { chunkShape, itemBytes: type.itemBytes }, validator),
    document,
  };
}

function codecOf(name: string, configuration: Json): Codec {
  return { name, configuration, mustUnderstand: true };
}

/** A filter or compressor of format 2. */
function coderOf(value: unknown, kind: 'filter' | 'compressor', validator: Validator): Codec {
  if (!isObject(value) || typeof value['id'] !== 'string') throw validator.refuse('a codec', value);
  const { id, ...configuration } = value;
  if (BYTE_CODECS.includes(id)) return codecOf(id, configuration);
  throw validator.refuse(
    `a ${kind} among ${(kind === 'filter' ? FILTER_NAMES : COMPRESSOR_NAMES).join(', ')}`,
    id,
    '; store the array without it',
  );
}
