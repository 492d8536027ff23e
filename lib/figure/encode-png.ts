import { crc32, deflateSync } from 'node:zlib';

/** A colour in sRGB, each part from 0 to 255. */
export type Colour = readonly [red: number, green: number, blue: number];

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const BITS_PER_PIXEL = 8;
const INDEXED_COLOUR = 3;
const UNFILTERED = 0;
const DIFFERENCE_FROM_ABOVE = 2;

/**
 * Encodes an image whose pixels are indices into a palette as a PNG file.
 *
 * @param pixels Indices, shape (height, width) in row-major order, the top row first.
 * @param palette At most 256 colours.
 */
export function encodePng(
  pixels: Uint8Array,
  width: number,
  height: number,
  palette: readonly Colour[],
): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([BITS_PER_PIXEL, INDEXED_COLOUR, 0, 0, 0], 8);
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('PLTE', Buffer.from(palette.flat())),
    chunk('IDAT', deflateSync(filterRows(pixels, width, height), { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** Each row begins with the number of its filter; equal ones become rows of zeros. */
function filterRows(pixels: Uint8Array, width: number, height: number): Buffer {
  const filtered = Buffer.alloc(height * (width + 1));
  let previous: Uint8Array = new Uint8Array(0);
  for (let row = 0; row < height; row++) {
    const current = pixels.subarray(row * width, (row + 1) * width);
    const begin = row * (width + 1);
    if (Buffer.compare(current, previous) === 0) {
      filtered[begin] = DIFFERENCE_FROM_ABOVE;
    } else {
      filtered[begin] = UNFILTERED;
      filtered.set(current, begin + 1);
    }
    previous = current;
  }
  return filtered;
}

function chunk(type: string, data: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const content = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(content));
  return Buffer.concat([length, content, check]);
}
