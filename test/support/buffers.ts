/** Memory that may be detached or resized, and a raster with its expected output. */
import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { ExpSyn, type Dtype } from '../../lib/index';
import { assertSameBits } from './bits';
import { randomNumbers } from './oracle';

export const SIZE = 5;
export const STEPS = 4000;
export const SHAPE = [STEPS, SIZE];
export const LENGTH = STEPS * SIZE;
export const BYTES = 8 * LENGTH;

/** Buffers whose size may change: of ES2024, which the library's types do not know. */
export type Resizable = ArrayBuffer & { resize(bytes: number): void };
export type Growable = SharedArrayBuffer & { grow(bytes: number): void };

export function resizable(bytes: number): Resizable {
  return Reflect.construct(ArrayBuffer, [bytes, { maxByteLength: 2 * bytes }]) as Resizable;
}

export function growable(bytes: number): Growable {
  return Reflect.construct(SharedArrayBuffer, [bytes, { maxByteLength: 2 * bytes }]) as Growable;
}

/** Takes a buffer's memory away from whoever holds it. */
export function detach(buffer: ArrayBufferLike): void {
  structuredClone(buffer as ArrayBuffer, { transfer: [buffer as ArrayBuffer] });
}

setFlagsFromString('--expose-gc');
export const collectGarbage = runInNewContext('gc') as () => void;

/** Waits for a turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A raster of shape SHAPE; its numbers leave the window many times within one run. */
export function raster(): Float64Array {
  const random = randomNumbers(3);
  return new Float64Array(LENGTH).map(() => random() - 0.3);
}

/** The same raster in a given memory. */
export function rasterIn(buffer: ArrayBufferLike, byteOffset = 0): Float64Array {
  const data = new Float64Array(buffer, byteOffset, LENGTH);
  data.set(raster());
  return data;
}

export function newModule(): ExpSyn {
  return new ExpSyn(SIZE);
}

/** What a new module makes of the raster. */
export const EXPECTED = newModule().evolveSync({ data: raster(), shape: SHAPE }).output.data;

/** A module whose calls are slow, by the dearest method and noise on one thread. */
export function slowModule(size: number): ExpSyn {
  return new ExpSyn(size, {
    method: 'fft',
    tau: 0.2,
    noiseStd: 1,
    noise: 'state',
    seed: 5,
    threads: 1,
  });
}

/** The bytes of all array buffers of this process. */
export const allocated = () => process.memoryUsage().arrayBuffers;

/** Collects garbage until the memory of array buffers is released. */
export async function collectAll(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    collectGarbage();
    await turn();
  }
}

/** A module with the options and state of another. */
export function newModuleLike(module: ExpSyn<Dtype>): ExpSyn<Dtype> {
  return ExpSyn.fromJSON(JSON.stringify(module));
}

/** Fails unless the call is rejected as expected, and leaves the module as it was. */
export async function assertRefused(
  module: ExpSyn<Dtype>,
  call: () => unknown,
  name: 'TypeError' | 'RangeError',
  message: RegExp,
): Promise<void> {
  const before = JSON.stringify(module);
  await assert.rejects(
    async () => {
      await call();
    },
    { name, message },
  );
  assert.equal(JSON.stringify(module), before);
  const { output } = await newModuleLike(module).evolve({ data: raster(), shape: SHAPE });
  const { output: own } = await module.evolve({ data: raster(), shape: SHAPE });
  assertSameBits(own.data, output.data);
}
