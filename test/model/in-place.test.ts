/** evolveSync() with the output in the memory of the input. */
import assert from 'node:assert/strict';

import { ExpSyn } from '../../lib/index';
import { assertSameBits } from '../support/bits';
import {
  assertRefused,
  BYTES,
  LENGTH,
  newModuleLike,
  raster,
  SHAPE,
  SIZE,
  STEPS,
} from '../support/buffers';
import { randomNumbers } from '../support/oracle';

describe('evolveSync() in place', () => {
  const METHODS = ['fft', 'recursive'] as const;
  const DTYPES = ['float64', 'float32'] as const;

  /** Makes calls with the output at `outByte` of the buffer that has the input at `inputByte`. */
  function inPlace(
    Type: typeof Float64Array | typeof Float32Array | typeof Uint8Array,
    inputByte: number,
    outByte: number,
  ): void {
    const random = randomNumbers(11);
    const values = Array.from({ length: LENGTH }, () => Math.floor(random() * 3));
    for (const method of METHODS) {
      for (const dtype of DTYPES) {
        for (const compat of ['none', 'rockpool'] as const) {
          const Out = dtype === 'float64' ? Float64Array : Float32Array;
          if (outByte % Out.BYTES_PER_ELEMENT !== 0) continue;
          const options = {
            method,
            dtype,
            compat,
            noiseStd: 0.1,
            seed: 1,
            noise: 'input' as const,
          };
          const input = Type.from(values);
          const expected = new ExpSyn(SIZE, options).evolveSync({ data: input, shape: SHAPE });
          const buffer = new ArrayBuffer(2 * BYTES);
          const data = new Type(buffer, inputByte, LENGTH);
          data.set(values);
          const out = new Out(buffer, outByte, LENGTH);
          const module = new ExpSyn(SIZE, options);
          const { output, state } = module.evolveSync({ data, shape: SHAPE }, { out });
          assert.equal(output.data, out);
          assertSameBits(out, expected.output.data, `${method} ${dtype} ${inputByte} ${outByte}`);
          assertSameBits(state.isyn.data, expected.state.isyn.data);
        }
      }
    }
  }

  it('puts the output exactly over the input', () => {
    inPlace(Float64Array, 0, 0);
    inPlace(Float32Array, 8, 8);
  });

  it('puts the output in the array of the input', () => {
    for (const method of METHODS) {
      const data = raster();
      const module = new ExpSyn(SIZE, { method });
      const expected = newModuleLike(module).evolveSync({ data: raster(), shape: SHAPE });
      assert.equal(module.evolveSync({ data, shape: SHAPE }, { out: data }).output.data, data);
      assertSameBits(data, expected.output.data);
    }
  });

  it('puts the output before, after and across the input, at any distance', () => {
    for (const distance of [8, 16, 40, 64, 1000, BYTES / 2, BYTES - 8, BYTES]) {
      inPlace(Float64Array, 0, distance);
      inPlace(Float64Array, distance, 0);
    }
  });

  it('puts the output over an input of another type', () => {
    for (const [inputByte, outByte] of [
      [0, 0],
      [1, 0],
      [BYTES - LENGTH, 0],
      [BYTES / 2 + 3, 8],
      [0, 16],
    ] as const) {
      inPlace(Uint8Array, inputByte, outByte);
      inPlace(Float32Array, inputByte - (inputByte % 4), outByte);
    }
  });

  it('leaves the array as it was if the input contains a NaN', async () => {
    for (const method of METHODS) {
      const module = new ExpSyn(SIZE, { method });
      module.evolveSync([1, 2]);
      const data = raster();
      data[100] = NaN;
      const before = data.slice();
      await assertRefused(
        module,
        () => module.evolveSync({ data, shape: SHAPE }, { out: data }),
        'RangeError',
        /^Expected finite numbers for input but received NaN at \[20, 0\];/,
      );
      assertSameBits(data, before);
      const shifted = new Float64Array(data.buffer, 8, LENGTH - SIZE);
      const input = { data: shifted, shape: [STEPS - 1, SIZE] };
      const out = new Float64Array(data.buffer, 0, LENGTH - SIZE);
      const evolve = () => module.evolveSync(input, { out });
      await assertRefused(module, evolve, 'RangeError', /received NaN/);
      assertSameBits(data, before);
    }
  });
});
