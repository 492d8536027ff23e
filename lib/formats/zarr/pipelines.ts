/** The codecs of a chunk put together, for either format. */
import { CHECKED_CODECS } from './codecs';
import { CHECKED, SIZE_CHECK } from './damage';
import { type CodecMetadata, Judge, MAX_CHUNK_BYTES, codecsOf, sizeOf } from './judge';

/** The codecs of a chunk, put together from those that are known, with their checks. */
export function chunkPipeline(
  codecs: readonly CodecMetadata[],
  { chunkShape, itemBytes }: { chunkShape: readonly number[]; itemBytes: number },
  judge: Judge,
  known: readonly string[] = [...Object.keys(CHECKED_CODECS), 'shuffle'],
): CodecMetadata[] {
  const pipeline: CodecMetadata[] = [];
  const names = codecs.map((codec) => codec.name);
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
      throw judge.refuse(`the codecs transpose, bytes and then ${known.join(', ')}`, names);
    }
  }
  if (!hasBytes) throw judge.refuse("the codec 'bytes'", names);
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
export function shardPipeline(
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
