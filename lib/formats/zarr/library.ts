/** The library that decodes and encodes chunks. */
import { endianness } from 'node:os';

import type * as Zarrita from 'zarrita' with { 'resolution-mode': 'import' };

import { CommandError } from '../../errors/command-errors';
import { registerCheckedCodecs } from './codecs';
import type { RawType } from './validator';

export type RawArray = Zarrita.Array<RawType, Zarrita.AsyncReadable>;

export type RawChunk = Zarrita.Chunk<RawType>;

/** An ES module, and optional, so it is loaded when an array is opened. */
export async function loadZarrita(): Promise<typeof Zarrita> {
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
        "'npm install zarrita'.",
      { cause },
    );
  }
  registerCheckedCodecs(zarrita.registry);
  return zarrita;
}
