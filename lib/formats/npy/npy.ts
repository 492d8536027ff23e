/**
 * Reads and writes NumPy's .npy files, versions 1.0 to 3.0.
 *
 * The format is described at https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html:
 * a magic string, a version, a header that is a Python dictionary with the keys `descr`,
 * `fortran_order` and `shape`, then the elements.
 */
import { open, stat, type FileHandle } from 'node:fs/promises';

import { decodeBytes, IS_HOST_BIG_ENDIAN, type Elements } from '../elements';
import { writeCompleteFile } from '../files/complete-file';
import { readBytes } from '../files/read-bytes';
import { CommandError } from '../../errors/command-errors';
import { fileError } from '../../errors/system-errors';
import { descrOf, encodeHeader, MAX_HEADER_BYTES, parseLayout, type NpyLayout } from './header';
import { formatShape } from '../../errors/checks';
import { sizeOf } from '../../arrays/arrays';

/** An array of at most three axes in row-major (C) order; no axes at all means one number. */
export interface NpyArray<Data extends Elements = Elements> {
  data: Data;
  shape: readonly number[];
}

/**
 * Decodes the bytes of a .npy file.
 *
 * Booleans come as Uint8Array, half floats as Float32Array, 64-bit integers as BigInt64Array or
 * BigUint64Array, and everything else as the typed array of its own kind. Any byte of a boolean but 0
 * becomes 1. Fortran order becomes C order. The elements are a view of `bytes` where they lie aligned
 * and need no change, else a copy.
 *
 * @param bytes The whole file.
 * @param name What to call the file in errors.
 * @throws CommandError in one sentence when the bytes are not such a file, or not all of it.
 */
export function decodeNpy(bytes: Uint8Array, name = 'the .npy data'): NpyArray {
  const layout = parseLayout(bytes, name);
  checkFileSize(layout, bytes.length, name);
  return decodeElements(bytes.subarray(layout.headerBytes), layout);
}

/**
 * Encodes an array as a .npy file of version 1.0, byte for byte as NumPy writes it. Higher versions
 * are for headers that cannot occur here: longer than 65535 characters, or with names in them.
 *
 * @throws RangeError when the shape and the number of elements disagree.
 */
export function encodeNpy(array: NpyArray): Uint8Array {
  const [header, elements] = encodeParts(array);
  const bytes = new Uint8Array(header.length + elements.length);
  bytes.set(header);
  bytes.set(elements, header.length);
  return bytes;
}

/** Reads a whole .npy file; see decodeNpy. */
export async function readNpyFile(path: string): Promise<NpyArray> {
  try {
    if ((await stat(path)).isFIFO()) {
      throw new CommandError(`Expected a file but ${path} is a pipe.`);
    }
    const file = await open(path, 'r');
    try {
      return await readArray(file, path);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError('read', path, error);
  }
}

/** Writes a .npy file that appears under its name only when it is complete; see encodeNpy. */
export async function writeNpyFile(path: string, array: NpyArray): Promise<void> {
  await writeCompleteFile(path, encodeParts(array));
}

async function readArray(file: FileHandle, path: string): Promise<NpyArray> {
  const layout = await readNpyLayout(file, path);
  const elements = await readBytes(file, layout.headerBytes, layout.dataBytes, path);
  return decodeElements(elements, layout);
}

/**
 * Reads the header of an open .npy file, and checks it against the file's size, so that a wrong header
 * never costs any memory.
 */
export async function readNpyLayout(file: FileHandle, path: string): Promise<NpyLayout> {
  const stat = await file.stat();
  if (!stat.isFile()) {
    throw new CommandError(`Expected a file but ${path} is a folder or a device.`);
  }
  const start = await readBytes(file, 0, Math.min(stat.size, MAX_HEADER_BYTES), path);
  const layout = parseLayout(start, path);
  checkFileSize(layout, stat.size, path);
  return layout;
}

function checkFileSize(layout: NpyLayout, fileBytes: number, name: string): void {
  const { dataBytes, headerBytes, shape, type } = layout;
  if (fileBytes - headerBytes === dataBytes) return;
  throw new CommandError(
    `Expected ${dataBytes} bytes of elements in ${name}, as shape ${formatShape(shape)} of ` +
      `${type} says, but received ${fileBytes - headerBytes}; ` +
      (fileBytes - headerBytes < dataBytes
        ? 'the file is not complete.'
        : 'the file holds more than one array, or its header is wrong.'),
  );
}

/** `bytes` holds at least the elements, from its first byte on, and is left as it is. */
function decodeElements(bytes: Uint8Array, layout: NpyLayout): NpyArray {
  const { shape, dataBytes, isFortranOrder, isBigEndian, itemBytes } = layout;
  const isSwapped = itemBytes > 1 && isBigEndian !== IS_HOST_BIG_ENDIAN;
  const elements = bytes.subarray(0, dataBytes);
  const data = decodeBytes(isSwapped ? new Uint8Array(elements) : elements, layout);
  return { data: isFortranOrder ? toRowMajor(data, shape) : data, shape };
}

function toRowMajor(data: Elements, shape: readonly number[]): Elements {
  const [first = 1, second = 1, third = 1] = shape;
  const source = data as Float64Array;
  const target = new (data.constructor as Float64ArrayConstructor)(data.length);
  let next = 0;
  for (let i = 0; i < first; i++) {
    for (let j = 0; j < second; j++) {
      for (let k = 0; k < third; k++) {
        target[next++] = source[i + first * (j + second * k)] ?? 0;
      }
    }
  }
  return target;
}

function encodeParts({ data, shape }: NpyArray): [header: Uint8Array, elements: Uint8Array] {
  const size = sizeOf(shape);
  if (size !== data.length) {
    throw new RangeError(
      `Expected ${size} elements for shape ${formatShape(shape)} but received ${data.length}.`,
    );
  }
  const elements = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return [encodeHeader(descrOf(data), shape), elements];
}
