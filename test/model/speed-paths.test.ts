/** What makes a run fast changes no bit of it: threads, instruction sets, sizes of the output. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';

import { ExpSyn, type ExpSynOptions } from '../../lib/index';
import { assertSameBits } from '../support/bits';
import { randomNumbers, spikes } from '../support/oracle';
import { runScript, ROOT } from '../support/processes';

const METHODS: ExpSynOptions[] = [
  { method: 'recursive' },
  { method: 'fft' },
  { method: 'recursive', windowTaus: Infinity },
  { method: 'fft', windowTaus: Infinity },
];
const NOISES: ExpSynOptions[] = [
  {},
  { noiseStd: 0.3, noise: 'output' },
  { noiseStd: 0.3, noise: 'state' },
  { noiseStd: 0.3, noise: 'input' },
];

function taus(size: number): Float64Array {
  return Float64Array.from({ length: size }, (_, n) => 0.005 + 0.0007 * (n % 40));
}

describe('threads', () => {
  // Large enough that helpers come in: see kSamplesPerThread in the core.
  const shapes: [number, number, number][] = [
    [1, 3000, 150],
    [5, 1000, 90],
    [1, 400000, 1],
    [3, 150000, 2],
    [2, 200, 1300],
  ];
  for (const [batches, timesteps, size] of shapes) {
    it(`(${batches}, ${timesteps}, ${size}): the same bits from one, two, three and all`, () => {
      const samples = batches * timesteps * size;
      const random = randomNumbers(3);
      const input = {
        data: Float32Array.from({ length: samples }, () => (random() < 0.05 ? random() : 0)),
        shape: [batches, timesteps, size],
      };
      for (const method of METHODS) {
        for (const noise of NOISES) {
          for (const dtype of ['float64', 'float32'] as const) {
            const run = (threads: number) => {
              const options = { ...method, ...noise, dtype, threads, seed: 9, tau: taus(size) };
              const { output, state } = new ExpSyn(size, options).evolveSync(input);
              return [output.data, state.isyn.data] as const;
            };
            const [expected, expectedState] = run(1);
            for (const threads of [2, 3, Infinity]) {
              const [output, state] = run(threads);
              assertSameBits(output, expected);
              assertSameBits(state, expectedState);
            }
          }
        }
      }
    }).timeout(60000);
  }

  it('a non-finite input is named by its first index, however many run', () => {
    const data = new Float64Array(3000 * 150);
    data[200 * 150 + 140] = NaN;
    data[2000 * 150 + 3] = Infinity;
    for (const threads of [1, 2, 4]) {
      const module = new ExpSyn(150, { threads });
      assert.throws(() => module.evolveSync({ data, shape: [3000, 150] }), {
        name: 'RangeError',
        message: /NaN at \[200, 140\]/,
      });
      assert.deepEqual(module.isyn.data, new Float64Array(150));
    }
  });

  it('many calls at once share the pool, each with its own result', async () => {
    const input = { data: spikes(3000 * 150, 0.05, 4), shape: [3000, 150] };
    const expected = new ExpSyn(150, { threads: 1 }).evolveSync(input).output.data;
    const modules = Array.from({ length: 8 }, () => new ExpSyn(150));
    const pending = modules.map((module) => module.evolve(input));
    const here = new ExpSyn(150).evolveSync(input);
    assertSameBits(here.output.data, expected);
    for (const { output } of await Promise.all(pending)) assertSameBits(output.data, expected);
  });

  it('the option can be read, assigned and saved, and stands in no result', () => {
    const module = new ExpSyn(2, { threads: 3 });
    assert.equal(module.threads, 3);
    assert.equal(ExpSyn.fromJSON(JSON.stringify(module)).threads, 3);
    module.threads = Infinity;
    assert.equal(ExpSyn.fromJSON(JSON.stringify(module)).threads, Infinity);
  });
});

/** Prints a hash of every output, at the instruction set of the environment. */
const HASHES = `
  const { createHash } = require('node:crypto');
  const { ExpSyn } = require(process.argv[1]);
  const { native } = require(process.argv[1] + '/dist/native/native.js');
  const cases = JSON.parse(process.argv[2]);
  const hash = createHash('sha256');
  for (const [size, timesteps, options] of cases) {
    // Numbers whose products must be rounded.
    const data = Float64Array.from({ length: timesteps * size }, (_, i) => ((i * 7919) % 997) / 49);
    const module = new ExpSyn(size, options);
    hash.update(module.evolveSync({ data, shape: [timesteps, size] }).output.data);
    hash.update(module.evolveSync({ data, shape: [timesteps, size] }).output.data);
  }
  console.log(native.instructionSet(), hash.digest('hex'));
`;

describe('instruction sets', () => {
  it('give the same bits by every method and for the noise, forced in turn', () => {
    const cases = [1, 2, 3, 7, 8, 15, 16, 33, 64, 65, 200].flatMap((size) =>
      NOISES.flatMap((noise) =>
        (['float64', 'float32'] as const).flatMap((dtype) =>
          (['recursive', 'fft'] as const).map((method) => [
            size,
            777,
            { ...noise, dtype, method, seed: 4, tau: [...taus(size)] },
          ]),
        ),
      ),
    );
    const seen = ['baseline', 'avx2', 'avx512'].map((set) => {
      const environment = { ...process.env, EXPSYN_INSTRUCTION_SET: set };
      const script = [HASHES, ROOT, JSON.stringify(cases)];
      const output = execFileSync(process.execPath, ['-e', ...script], { env: environment });
      return output.toString().trim().split(' ') as [string, string];
    });
    assert.equal(seen[0]?.[0], 'baseline');
    for (const [, hash] of seen) assert.equal(hash, seen[0][1]);
    assert.equal(seen[0][1].length, createHash('sha256').digest('hex').length);
  }).timeout(60000);

  it('are refused by a name that none has, when the package is loaded', async () => {
    const load = (set: string) =>
      runScript('console.log(new ExpSyn(1).evolveSync([1]).output.data.length)', {
        env: { EXPSYN_INSTRUCTION_SET: set },
      });
    for (const wrong of ['avx52', 'AVX2', 'avx2 ', 'sse', '0']) {
      const { code, output, errors } = await load(wrong);
      assert.deepEqual([code, output], [1, ''], wrong);
      const expected =
        'Error: Expected EXPSYN_INSTRUCTION_SET to be one of baseline, avx2, avx512 but it is ' +
        `'${wrong}'; correct it, or unset it to use the best one of this processor.`;
      assert.ok(errors.split(/\r?\n/).includes(expected), errors);
      assert.doesNotMatch(errors, /npm run setup/);
    }
    for (const right of ['', 'baseline', 'avx512']) {
      assert.deepEqual((await load(right)).output, '1\n', right);
    }
  });
});

describe('large outputs', () => {
  it('that go past the caches hold what small ones hold', () => {
    // 8 MB, and any alignment that a view can have.
    const [timesteps, size] = [20000, 50];
    const input = { data: spikes(timesteps * size, 0.05, 6), shape: [timesteps, size] };
    for (const dtype of ['float64', 'float32'] as const) {
      const Data = dtype === 'float32' ? Float32Array : Float64Array;
      const expected = new Data(timesteps * size);
      const parts = new ExpSyn(size, { dtype, windowTaus: Infinity, seed: 1 });
      const whole = new ExpSyn(size, { dtype, windowTaus: Infinity, seed: 1 });
      for (let first = 0; first < timesteps; first += 64 * 25) {
        const n = Math.min(64 * 25, timesteps - first);
        const data = input.data.subarray(first * size, (first + n) * size);
        expected.set(parts.evolveSync({ data, shape: [n, size] }).output.data, first * size);
      }
      const tolerance = dtype === 'float32' ? 5e-6 : 1e-12;
      for (const offset of [0, 1, 2, 3, 8]) {
        const buffer = new ArrayBuffer((timesteps * size + offset) * Data.BYTES_PER_ELEMENT);
        const out = new Data(buffer, offset * Data.BYTES_PER_ELEMENT);
        whole.evolveSync(input, { out });
        whole.resetState();
        let worst = 0;
        for (let i = 0; i < out.length; i++) {
          worst = Math.max(worst, Math.abs((out[i] ?? NaN) - (expected[i] ?? NaN)));
        }
        assert.ok(worst <= tolerance * 20, `${dtype} at ${offset}: ${worst}`);
      }
    }
  });
});
