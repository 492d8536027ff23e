/** Synapses of other kernels: what the library does with them knows of no exponential. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { inspect } from 'node:util';

import type * as Package from '../../lib/index';
import type * as Restore from '../../lib/modules/restore';
import type * as Streams from '../../lib/streams';
import { assertSameBits } from '../support/bits';
import { testSynapses } from '../support/kernels/registry';
import { randomNumbers, relativeError, TOLERANCE } from '../support/oracle';
import { makeTestPackage } from '../support/test-package';

const SIZE = 6;
const STEPS = 90;
const DT = 1e-3;

type Class = Restore.SynapsesClass;
type TestModule = InstanceType<Class>;

/** w_n[k] of each kernel, by the name of its class, with parameters that differ between synapses. */
const KERNELS: Record<
  string,
  { options: object; variables: string[]; sample: (n: number, k: number) => number }
> = {
  OscillationSyn: {
    options: {
      tau: Float64Array.from({ length: SIZE }, (_, n) => 0.01 + 0.01 * n),
      frequency: Float64Array.from({ length: SIZE }, (_, n) => 10 + 5 * n),
    },
    variables: ['isyn', 'quadrature'],
    sample: (n, k) => {
      const t = (k + 1) * DT;
      return Math.exp(-t / (0.01 + 0.01 * n)) * Math.cos(2 * Math.PI * (10 + 5 * n) * t);
    },
  },
  AlphaSyn: {
    options: { tau: Float64Array.from({ length: SIZE }, (_, n) => 0.004 + 0.01 * n) },
    variables: ['isyn', 'rising'],
    sample: (n, k) => {
      const t = ((k + 1) * DT) / (0.004 + 0.01 * n);
      return t * Math.exp(1 - t);
    },
  },
  DoubleExpSyn: {
    options: {
      tauRise: Float64Array.from({ length: SIZE }, (_, n) => 0.002 + 0.003 * n),
      tauDecay: Float64Array.from({ length: SIZE }, (_, n) => 0.02 + 0.01 * n),
    },
    variables: ['isyn', 'rising'],
    sample: (n, k) => {
      const [rise, decay] = [0.002 + 0.003 * n, 0.02 + 0.01 * n];
      const at = (t: number) => Math.exp(-t / decay) - Math.exp(-t / rise);
      return at((k + 1) * DT) / at((Math.log(decay / rise) * rise * decay) / (decay - rise));
    },
  },
  TriangleSyn: {
    options: { width: Float64Array.from({ length: SIZE }, (_, n) => 5 + 6 * n) },
    variables: ['inputs'],
    sample: (n, k) => Math.max(0, 1 - k / (5 + 6 * n)),
  },
};

const raster = (steps: number, seed: number, batches = 1) => ({
  data: new Float64Array(batches * steps * SIZE).map(randomNumbers(seed)),
  shape: [batches, steps, SIZE],
});

/** The output by the definition, of one batch item. */
function expectedOutput(input: Float64Array, sample: (n: number, k: number) => number) {
  const output = new Float64Array(input.length);
  for (let i = 0; i < output.length; i++) {
    const n = i % SIZE;
    const t = Math.floor(i / SIZE);
    for (let k = 0; k <= t; k++) {
      output[i] = (output[i] ?? 0) + sample(n, k) * (input[(t - k) * SIZE + n] ?? 0);
    }
  }
  return output;
}

describe('synapses of another kernel', function () {
  let folder: string;
  let classes: Class[];
  let restoreSynapses: typeof Restore.restoreSynapses;
  let iterate: typeof Streams.iterate;

  before(function () {
    if (process.platform !== 'linux') this.skip();
    folder = makeTestPackage();
    const load = createRequire(join(folder, 'package.json'));
    const library = load('./dist/index.js') as typeof Package;
    const { AlphaSyn, DoubleExpSyn } = library;
    classes = [...testSynapses(library), AlphaSyn, DoubleExpSyn];
    ({ restoreSynapses } = load('./dist/modules/restore.js') as typeof Restore);
    ({ iterate } = load('./dist/streams.js') as typeof Streams);
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  /** Runs a test with each class, and with an object that makes modules of it. */
  function each(
    test: (
      make: (options?: object) => TestModule,
      kernel: (typeof KERNELS)[string],
      OneClass: Class,
    ) => void | Promise<void>,
  ) {
    return async () => {
      for (const OneClass of classes) {
        const kernel = KERNELS[OneClass.definition.className];
        assert.ok(kernel !== undefined);
        const make = (options: object = {}) =>
          new OneClass(SIZE, { ...kernel.options, ...options });
        await test(make, kernel, OneClass);
      }
    };
  }

  it(
    'have the output of the definition, by every method, in calls of any length',
    each(async (make, { sample }, { definition }) => {
      const input = raster(STEPS, 1);
      const expected = expectedOutput(input.data, sample);
      for (const method of [...definition.methods, 'auto']) {
        for (const dtype of ['float64', 'float32'] as const) {
          const module = make({ method, dtype });
          const output: number[] = [];
          for (let begin = 0, steps = 1; begin < STEPS; begin += steps, steps = (steps * 3) % 20) {
            steps = Math.min(steps, STEPS - begin);
            const data = input.data.subarray(begin * SIZE, (begin + steps) * SIZE);
            const part = { data, shape: [steps, SIZE] };
            const run = begin % 2 === 0 ? module.evolveSync(part) : await module.evolve(part);
            output.push(...run.output.data);
          }
          const error = relativeError(Float64Array.from(output), expected);
          assert.ok(error <= TOLERANCE[dtype], `${definition.name} ${method} ${dtype}: ${error}`);
        }
      }
    }),
  );

  it(
    'have parameters, state variables and a plan of their own',
    each((make, { variables, options }, { definition }) => {
      const module = make();
      assert.deepEqual(Object.keys(module.parameters()), Object.keys(options));
      assert.deepEqual(Object.keys(module.state()), [...variables, 'step']);
      const { state, record } = module.evolveSync(raster(STEPS, 2));
      assert.deepEqual(Object.keys(state), [...variables, 'step']);
      assert.deepEqual(state, module.state());
      assert.deepEqual(module.plan(STEPS), {
        method: record.method,
        windowLength: module.windowLength,
      });
      assert.match(inspect(module), new RegExp(`^${definition.className} \\(6,\\) \\{`));
      assert.throws(() => make({ method: 'other' }), /'auto' or 'fft'/);
      const withNoise = () => make({ noiseStd: 1, noise: 'state' }).evolveSync(raster(STEPS, 2));
      if (definition.remembersNoise) assert.ok(withNoise());
      else assert.throws(withNoise, { code: 'ERR_EXPSYN_ARGUMENT_VALUE', argument: 'noise' });
    }),
  );

  it(
    'go on from a state that was saved, returned or batched',
    each(async (make, _, OneClass) => {
      const module = make({ noiseStd: 0.1, seed: 4 });
      module.evolveSync(raster(STEPS, 3, 2));
      const copies = [
        restoreSynapses(OneClass, JSON.stringify(module)),
        make({ noiseStd: 0.1, seed: 4 }).setAttributes(module.state()),
      ];
      const { output } = await module.evolve(raster(20, 4, 2));
      for (const copy of copies) {
        assertSameBits(copy.evolveSync(raster(20, 4, 2)).output.data, output.data);
        assert.deepEqual(copy.state(), module.state());
        assert.deepEqual(copy.toJSON(), module.toJSON());
      }
      // Each item of a batch has a state of its own.
      const halves = [0, 1].map((item) => {
        const alone = make();
        const input = raster(STEPS, 3, 2);
        const length = STEPS * SIZE;
        const data = input.data.subarray(item * length, (item + 1) * length);
        alone.evolveSync({ data, shape: [STEPS, SIZE] });
        return alone.evolveSync(raster(5, 5)).output.data;
      });
      const both = make();
      both.evolveSync(raster(STEPS, 3, 2));
      const { data } = raster(5, 5);
      const twice = { data: Float64Array.of(...data, ...data), shape: [2, 5, SIZE] };
      const batch = both.evolveSync(twice).output.data;
      halves.forEach((half, item) => {
        assertSameBits(batch.slice(item * half.length, (item + 1) * half.length), half);
      });
    }),
  );

  it(
    'have sessions, alone and together, which are saved and restored',
    each(async (make) => {
      const module = make({ noiseStd: 0.1 });
      const sessions = [1, 2, 3].map((seed) => module.session({ seed }));
      const twins = [1, 2, 3].map((seed) => make({ noiseStd: 0.1, seed }));
      for (const steps of [1, 30, 2]) {
        const input = raster(steps, steps, 3);
        const { output, failures } = await module.evolveSessions(sessions, input);
        assert.deepEqual(failures, []);
        twins.forEach((twin, item) => {
          const length = steps * SIZE;
          const part = (data: Float64Array) => data.slice(item * length, (item + 1) * length);
          const alone = twin.evolveSync({ data: part(input.data), shape: [steps, SIZE] });
          assertSameBits(part(output.data as Float64Array), alone.output.data);
        });
      }
      const [first] = sessions;
      assert.ok(first !== undefined);
      const restored = module.restoreSession(JSON.stringify(first));
      const expected = first.evolveSync(raster(7, 9)).output.data;
      assertSameBits(restored.evolveSync(raster(7, 9)).output.data, expected);
      first.resetState();
      assert.equal(first.step, 0);
    }),
  );

  it(
    'run in streams',
    each(async (make) => {
      const { data } = raster(STEPS, 6);
      const chunks = [data.subarray(0, 13), data.subarray(13)];
      const output: number[] = [];
      for await (const part of iterate(make(), chunks, { type: 'float64' })) output.push(...part);
      const expected = make().evolveSync({ data, shape: [STEPS, SIZE] }).output.data;
      assert.ok(relativeError(Float64Array.from(output), expected) <= TOLERANCE.float64);
    }),
  );

  it('keep the inputs that they can still use when the kernel changes its length', () => {
    const Triangle = classes.find(({ definition }) => definition.name === 'triangle');
    assert.ok(Triangle !== undefined);
    const module = new Triangle(SIZE, { width: 8 });
    const session = module.session();
    const input = raster(30, 7);
    const next = raster(10, 8);
    const all = { data: Float64Array.of(...input.data, ...next.data), shape: [40, SIZE] };
    module.evolveSync(input);
    session.evolveSync(input);
    module.setAttributes({ width: 4 });
    const output = module.evolveSync(next).output.data;
    const expected = new Triangle(SIZE, { width: 4 }).evolveSync(all).output.data.slice(30 * SIZE);
    assert.ok(relativeError(output, expected) <= TOLERANCE.float64);
    assert.ok(relativeError(session.evolveSync(next).output.data, expected) <= TOLERANCE.float64);
  });
});
