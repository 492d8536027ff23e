/** Reads and writes .npy files of floats in C order, and makes random numbers that are the same every time. */
import { readFileSync, writeFileSync } from 'node:fs';

export function readNpy(path) {
  const bytes = readFileSync(path);
  const begin = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, begin);
  const Type = header.includes('<f4') ? Float32Array : Float64Array;
  const shape = /\(([^)]*)\)/.exec(header)[1].split(',').filter(Boolean).map(Number);
  return { data: new Type(bytes.buffer.slice(bytes.byteOffset + begin)), shape };
}

export function writeNpy(path, numbers, shape) {
  const dictionary = `{'descr': '<f8', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`;
  const length = Math.ceil((10 + dictionary.length + 1) / 64) * 64;
  const header = Buffer.alloc(length, ' ');
  header.write('\x93NUMPY\x01\x00', 'latin1');
  header.writeUInt16LE(length - 10, 8);
  header.write(dictionary, 10);
  header.write('\n', length - 1);
  writeFileSync(path, Buffer.concat([header, Buffer.from(Float64Array.from(numbers).buffer)]));
}

/** SplitMix32: uniform numbers from 0 to 1. */
export function makeRandom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  };
}
