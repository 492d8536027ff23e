/** The library that reads HDF5, h5wasm: how it is loaded, made quiet, and asked. */
import { devNull } from 'node:os';

import type { Metadata, ready } from 'h5wasm/node' with { 'resolution-mode': 'import' };

import { CommandError } from '../../errors/command-errors';

export type Hdf5 = Awaited<typeof ready>;

/** An ES module, and only needed here, so it is loaded when such a file is opened. */
export async function loadHdf5(): Promise<Hdf5> {
  try {
    const hdf5 = await (await import('h5wasm/node')).ready;
    silence(hdf5);
    return hdf5;
  } catch (cause) {
    throw new CommandError(
      "Expected the package that reads HDF5 but it could not be loaded; run 'npm install h5wasm'.",
      { cause },
    );
  }
}

/**
 * HDF5 prints what goes wrong, over many lines. Its own way to be quiet, h5wasm's error handler that
 * throws, leaves a file open every time, so its standard error, and not this process's, becomes the
 * null device: a stream that is opened takes the lowest number that is free.
 */
function silence({ FS }: Hdf5): void {
  const getStream: unknown = Reflect.get(FS, 'getStream');
  if (typeof getStream !== 'function') return;
  // First, so that the number stays taken should there be no null device.
  const spare = FS.open(devNull, 'w');
  FS.close(Reflect.apply(getStream, FS, [2]) as typeof spare);
  FS.open(devNull, 'w');
  FS.close(spare);
}

/** Opens a file; throws unless it is a whole one. */
export function openHdf5(hdf5: Hdf5, absolute: string, name: string): bigint {
  const file = guard(name, () => hdf5.open(absolute, hdf5.H5F_ACC_RDONLY, false, -1, -1));
  if (file < 0n) {
    throw new CommandError(
      `Expected a whole HDF5 file in ${name} but it could not be opened; ` +
        'it is corrupt, or not complete.',
    );
  }
  return file;
}

/** What the library throws, a trap of its code among it, means that the file is corrupt. */
export function guard<Result>(name: string, call: () => Result): Result {
  try {
    return call();
  } catch (cause) {
    if (cause instanceof CommandError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const [line = ''] = reason.split('\n');
    throw new CommandError(`Could not read ${name}: the HDF5 library says '${line}'.`, { cause });
  }
}

/** NumPy's code of a type of elements, whatever its byte order; undefined if they are no numbers. */
export function codeOf(hdf5: Hdf5, element: Metadata | undefined): string | undefined {
  if (element === undefined) return undefined;
  const { type, size, signed } = element;
  const { H5T_INTEGER, H5T_FLOAT, H5T_ENUM } = hdf5.H5T_class_t;
  // h5py writes booleans as an enumeration.
  const isInteger = type === H5T_INTEGER.value || type === H5T_ENUM.value;
  if (isInteger && [1, 2, 4, 8].includes(size)) return `${signed ? 'i' : 'u'}${size}`;
  if (type === H5T_FLOAT.value && [2, 4, 8].includes(size)) return `f${size}`;
  return undefined;
}
