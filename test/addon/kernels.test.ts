/** The core and TypeScript say the same of each kernel. JavaScript reaches kernels for tests by their names. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

import * as library from '../../lib/index';
import { parameterNamesOf } from '../../lib/modules/kernel-definition';
import { KERNELS } from '../../lib/modules/kernels';
import type { SynapsesClass } from '../../lib/modules/restore';
import { native, type ComputedBy, type Native } from '../../lib/native/native';
import { nextId, SETTINGS } from '../support/native-calls';
import { ROOT } from '../support/processes';

const ADDON = join(ROOT, 'build/Release/expsyn_faults.node');
const SIZE = 3;
const DT = 1e-3;
const TIMESTEPS = 500;

interface Subject {
  name: string;
  parameters: Float64Array[];
  stateSize: number;
  windowLength: number;
  methods: ComputedBy[];
  /** w[k], the same for each synapse. */
  sample: (k: number) => number;
}

const SUBJECTS: Subject[] = [
  {
    name: 'oscillation',
    parameters: [new Float64Array(SIZE).fill(0.03), new Float64Array(SIZE).fill(12)],
    stateSize: 4,
    windowLength: Infinity,
    methods: ['fft', 'recursive'],
    sample: (k) => Math.exp((-(k + 1) * DT) / 0.03) * Math.cos(2 * Math.PI * 12 * (k + 1) * DT),
  },
  {
    name: 'triangle',
    parameters: [new Float64Array(SIZE).fill(40)],
    stateSize: 39,
    windowLength: 40,
    methods: ['fft', 'direct'],
    sample: (k) => Math.max(0, 1 - k / 40),
  },
];

/** sum_k w[k] input[t - k], from a state of 0. */
function obviousSum({ sample, windowLength }: Subject, input: Float64Array): Float64Array {
  return input.map((_, i) => {
    const step = Math.floor(i / SIZE);
    let sum = 0;
    for (let k = 0; k <= Math.min(step, windowLength - 1); k++) {
      sum += sample(k) * (input[i - k * SIZE] ?? NaN);
    }
    return sum;
  });
}

function assertClose(actual: Float64Array, expected: Float64Array): void {
  const peak = Math.max(...expected.map(Math.abs));
  const worst = Math.max(...actual.map((value, i) => Math.abs(value - (expected[i] ?? NaN))));
  assert.ok(worst < 1e-12 * peak, `${worst} of ${peak}`);
}

describe('the registry of kernels', () => {
  const classes: Partial<Record<string, unknown>> = library;

  for (const definition of KERNELS) {
    const { name, className, parameters, samples, state, methods, remembersNoise } = definition;

    it(`${name}: is the kernel of the public class ${className}, which has its attributes`, () => {
      const Class = classes[className] as SynapsesClass | undefined;
      assert.ok(Class !== undefined, `lib/index.ts does not export ${className}`);
      assert.equal(Class.definition, definition);
      const module = new Class(SIZE, samples === undefined ? {} : { [samples.name]: [1, 0.5] });
      const session = module.session();
      for (const name of parameterNamesOf(definition)) assert.ok(name in module, name);
      for (const variable of state) {
        assert.ok(variable.name in module && variable.name in session, variable.name);
      }
    });

    it(`${name}: is described as the core describes it`, () => {
      const values = parameters.map((parameter) => new Float64Array(SIZE).fill(parameter.default));
      const given = samples && Float64Array.of(1, 0.5);
      const kernel = new native.Kernel(name, SIZE, values, DT, 10, Infinity, 'peak', given, 1);
      const { stateSize, methods: known } = native.describeKernel(kernel);
      assert.deepEqual([...methods].sort(), [...known].sort());
      if (methods.includes('recursive')) assert.equal(stateSize, 2 * state.length);
      const settings = { ...SETTINGS, method: 'auto', noise: 'state', noiseScale: 1 } as const;
      if (remembersNoise) assert.ok(new native.Synapses(kernel, settings));
      else assert.throws(() => new native.Synapses(kernel, settings));
    });
  }
});

describe('kernels of the addon for tests', () => {
  let addon: Native;
  const input = Float64Array.from({ length: TIMESTEPS * SIZE }, (_, i) => Math.sin(i * i));

  before(function () {
    if (process.platform !== 'linux') this.skip();
    assert.ok(existsSync(ADDON), 'npm run setup has not built expsyn_faults.node');
    addon = createRequire(__filename)(ADDON) as Native;
  });

  const newKernel = ({ name, parameters }: Subject) =>
    new addon.Kernel(name, SIZE, parameters, DT, Infinity, Infinity, 'peak');

  it('are not in the addon that is published', () => {
    for (const { name, parameters } of SUBJECTS) {
      assert.throws(
        () => new native.Kernel(name, SIZE, parameters, DT, Infinity, Infinity, 'peak'),
      );
    }
  });

  for (const subject of SUBJECTS) {
    it(`${subject.name}: describes itself`, () => {
      const { stateSize, windowLength, methods } = subject;
      assert.deepEqual(addon.describeKernel(newKernel(subject)), {
        largestEventRate: -1,
        stateSize,
        windowLength,
        methods,
      });
    });

    for (const method of subject.methods) {
      it(`${subject.name}: is the obvious sum by '${method}', in calls of any length`, async () => {
        const settings = { ...SETTINGS, method };
        const synapses = new addon.Synapses(newKernel(subject), settings);
        assert.equal(synapses.methodFor(10, false), method);
        const expected = obviousSum(subject, input);
        for (const chunk of [TIMESTEPS, 77, 1]) {
          const output = new Float64Array(input.length);
          const state = new Float64Array(subject.stateSize * SIZE);
          for (let step = 0; step < TIMESTEPS; step += chunk) {
            const part = [step * SIZE, Math.min(step + chunk, TIMESTEPS) * SIZE] as const;
            const call = [input.subarray(...part), output.subarray(...part), state, state] as const;
            const failure =
              chunk === 77
                ? await synapses.evolveAsync(...call, 1, 0, step, 0, 0, undefined, nextId())
                : synapses.evolve(...call, 1, 0, step);
            assert.equal(failure, -1);
          }
          assertClose(output, expected);
        }
      });

      it(`${subject.name}: sessions by '${method}' each have their state`, () => {
        const settings = { ...SETTINGS, method };
        const synapses = new addon.Synapses(newKernel(subject), settings);
        const inputs = subject.methods.includes('direct') ? 'float64' : undefined;
        const table = new addon.SessionTable(SIZE, subject.stateSize, inputs);
        const numbers = Int32Array.of(addon.openSession(table, 1), addon.openSession(table, 2));
        const expected = obviousSum(subject, input);
        const negated = expected.map((value) => -value);
        for (let step = 0; step < TIMESTEPS; step += 50) {
          const part = input.subarray(step * SIZE, (step + 50) * SIZE);
          const both = Float64Array.of(...part, ...part.map((value) => -value));
          const output = new Float64Array(both.length);
          assert.deepEqual(synapses.evolveSessions(table, numbers, both, output), []);
          const range = [step * SIZE, (step + 50) * SIZE] as const;
          assertClose(output.subarray(0, part.length), expected.subarray(...range));
          assertClose(output.subarray(part.length), negated.subarray(...range));
        }
      });
    }
  }
});
