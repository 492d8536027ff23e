/** Trials: batch items of unequal length, and resets. */
import assert from 'node:assert/strict';

import { AlphaSyn, ExpSyn, FirSyn, type Synapses } from '../../lib/index';
import { randomNumbers } from '../support/oracle';

const SIZE = 5;
const BATCHES = 4;
const TIMESTEPS = 150;

const KERNELS: [string, (options: object) => Synapses][] = [
  ['ExpSyn', (options) => new ExpSyn(SIZE, options)],
  ['AlphaSyn', (options) => new AlphaSyn(SIZE, options)],
  ['FirSyn', (options) => new FirSyn(SIZE, { ...options, kernel: [3, 2, 1, 0.5] })],
];

function randomRaster(batches: number, timesteps: number) {
  const random = randomNumbers(7);
  const length = batches * timesteps * SIZE;
  return {
    data: Uint8Array.from({ length }, () => (random() < 0.1 ? 1 : 0)),
    shape: [batches, timesteps, SIZE],
  };
}

/** The numbers of a state variable that belong to a batch item. */
function itemOf(
  { data, shape }: { data: ArrayLike<number>; shape: readonly number[] },
  item: number,
) {
  const axis = shape.indexOf(BATCHES);
  const sizeOf = (axes: readonly number[]) => axes.reduce((size, length) => size * length, 1);
  const inner = sizeOf(shape.slice(axis + 1));
  const numbers: number[] = [];
  for (let outer = 0; outer < sizeOf(shape.slice(0, axis)); outer++) {
    for (let index = 0; index < inner; index++) {
      numbers.push(data[(outer * BATCHES + item) * inner + index] ?? NaN);
    }
  }
  return numbers;
}

describe('lengths and resetAt', () => {
  for (const [name, make] of KERNELS) {
    it(`give what separate calls give, to the bit: ${name}`, async () => {
      const lengths = [TIMESTEPS, 70, 0, 1];
      const resetAt = [[70, 10], [0], [5], []];
      const raster = randomRaster(BATCHES, TIMESTEPS);
      for (const options of [
        { seed: 3 },
        { seed: 3, noiseStd: 0.2 },
        { seed: 3, noiseStd: 0.2, noise: name === 'FirSyn' ? 'input' : 'state' },
        { seed: 3, threads: 1, dtype: 'float32', method: 'fft' },
      ]) {
        const warm = randomRaster(BATCHES, 9);
        const module = make(options);
        const before = module.evolveSync(warm).state;
        const saved = JSON.stringify(module);
        const found = module.evolveSync(raster, { lengths, resetAt });
        const other = make(options);
        other.evolveSync(warm);
        assert.equal(JSON.stringify(other), saved);
        assert.deepEqual(await other.evolve(raster, { lengths, resetAt }), found);
        const variables = Object.keys(before).filter((key) => key !== 'step');
        for (let item = 0; item < BATCHES; item++) {
          const length = lengths[item] ?? 0;
          const starts = (resetAt[item] ?? []).filter((step) => step < length);
          const bounds = [...new Set([0, ...starts, length])].sort((a, b) => a - b);
          let last: Record<string, unknown> | undefined;
          const expected: number[] = [];
          bounds.slice(1).forEach((end, index) => {
            const begin = bounds[index] ?? 0;
            const first = (item * TIMESTEPS + begin) * SIZE;
            const part = raster.data.subarray(first, first + (end - begin) * SIZE);
            const alone = make(options);
            const origin = { batch: item };
            const warmPart = warm.data.subarray(item * 9 * SIZE, (item + 1) * 9 * SIZE);
            if (!starts.includes(begin)) {
              alone.evolveSync({ data: warmPart, shape: [9, SIZE] }, { origin });
            }
            alone.step = 9 + begin;
            const result = alone.evolveSync({ data: part, shape: [end - begin, SIZE] }, { origin });
            expected.push(...result.output.data);
            last = result.state;
          });
          expected.push(...new Array<number>((TIMESTEPS - length) * SIZE).fill(0));
          const from = item * TIMESTEPS * SIZE;
          assert.deepEqual(
            [...found.output.data.subarray(from, from + TIMESTEPS * SIZE)],
            expected,
          );
          for (const key of variables) {
            const left = itemOf(Reflect.get(found.state, key), item);
            const wanted =
              last === undefined
                ? itemOf(Reflect.get(before, key), item)
                : [...(last[key] as { data: Float64Array }).data];
            assert.deepEqual(left, wanted, `${key} of item ${item}`);
          }
        }
        assert.equal(found.state.step, 9 + TIMESTEPS);
      }
    });
  }

  it('read nothing after the end of an item', () => {
    const raster = { data: new Float64Array(2 * 4 * SIZE), shape: [2, 4, SIZE] };
    raster.data.fill(NaN, 2 * SIZE, 4 * SIZE);
    const module = new ExpSyn(SIZE);
    assert.ok(
      module.evolveSync(raster, { lengths: [2, 4] }).output.data.every((value) => value === 0),
    );
    const before = JSON.stringify(module);
    const refused = { code: 'ERR_EXPSYN_NON_FINITE', index: [0, 2, 0] };
    assert.throws(() => module.evolveSync(raster, { lengths: [3, 4] }), refused);
    assert.equal(JSON.stringify(module), before);
  });

  it('read no events after the end of an item, as of a raster', () => {
    const events = {
      times: [0.001, 0.002, 0.003, 0.003],
      channels: [0, 0, 99, 1],
      batches: [1, 1, 1, 0],
      values: [1, NaN, 1, 1],
      shape: [2, 4, SIZE],
    };
    const raster = { data: new Uint8Array(2 * 4 * SIZE), shape: [2, 4, SIZE] };
    raster.data[3 * SIZE + 1] = 1;
    raster.data[(4 + 1) * SIZE] = 1;
    const options = { lengths: [4, 2] };
    const expected = new ExpSyn(SIZE).evolveSync(raster, options);
    assert.deepEqual(new ExpSyn(SIZE).evolveSync(events, options), expected);
    const message =
      /^Expected less than the end of its 4 steps of 0\.001 s, counted from the first step of the call, for input\.times\[0\] but received 0\.004;/;
    const late = { times: [0.004], channels: [0], batches: [1], shape: [2, 4, SIZE] };
    assert.throws(() => new ExpSyn(SIZE).evolveSync(late, options), { message });
  });

  it('keep steps as the full output does', () => {
    const raster = randomRaster(BATCHES, TIMESTEPS);
    const options = { lengths: [150, 70, 0, 1], resetAt: [3, 50] };
    const full = new ExpSyn(SIZE).evolveSync(raster, options).output.data;
    const kept = new ExpSyn(SIZE).evolveSync(raster, { ...options, every: 10 }).output;
    assert.deepEqual(kept.shape, [BATCHES, 15, SIZE]);
    kept.data.forEach((value, index) => {
      const synapse = index % SIZE;
      const row = Math.floor(index / SIZE);
      const step = (row % 15) * 10 + 9;
      assert.equal(value, full[(Math.floor(row / 15) * TIMESTEPS + step) * SIZE + synapse]);
    });
  });

  it('are refused where they do not fit the input', () => {
    const module = new ExpSyn(1);
    const cases: [object, RegExp][] = [
      [
        { lengths: [2] },
        /^Expected at most 1 steps, as the input has, for options\.lengths\[0\] but received 2\.$/,
      ],
      [
        { lengths: [1, 1] },
        /^Expected 1 numbers, one a batch item, for options\.lengths but received 2\.$/,
      ],
      [
        { lengths: [0.5] },
        /^Expected a whole number from 0 to 9007199254740991 for options\.lengths\[0\]/,
      ],
      [
        { lengths: 1 },
        /^Expected an array of whole numbers for options\.lengths but received 1\.$/,
      ],
      [
        { resetAt: [1] },
        /^Expected steps of the call, 0 to 0, for options\.resetAt but received 1; to begin the next call at 0, give resetAt: \[0\] with that one\.$/,
      ],
      [
        { resetAt: [[0], [1]] },
        /^Expected 1 lists, one a batch item, for options\.resetAt but received 2\.$/,
      ],
    ];
    for (const [options, message] of cases) {
      assert.throws(() => module.evolveSync([1], options), { message });
    }
    const session = module.session();
    assert.throws(
      () => session.evolveSync([1], { lengths: [1] } as never),
      /received an option 'lengths'/,
    );
  });
});
