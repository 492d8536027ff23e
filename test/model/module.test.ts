/** The conventions of a module: attributes, families, submodules. */
import assert from 'node:assert/strict';
import { inspect } from 'node:util';

import {
  Constant,
  ExpSyn,
  Module,
  Parameter,
  SimulationParameter,
  State,
  type Evolution,
  type RasterInput,
} from '../../lib/index';
import { spikes } from '../support/oracle';

/** Two layers of synapses, one after the other: a module made of modules, without touching any. */
class Chain extends Module {
  readonly first: ExpSyn;
  readonly second: ExpSyn;
  gainChanges = 0;

  constructor(size: number) {
    super([size, size]);
    this.first = new ExpSyn(size, { tau: 0.01 });
    this.second = new ExpSyn(size, { tau: 0.02, name: 'slow' });
    this.registerModule('first', this.first);
    this.registerModule('second', this.second);
    this.register(
      'gain',
      new Parameter({
        family: 'gains',
        shapes: [[]],
        initial: () => 2,
        cast: (value) => {
          if (typeof value !== 'number') throw new TypeError('Expected a number for gain.');
          return value;
        },
      }),
    );
  }

  set gain(value: number) {
    this.assign('gain', value);
  }

  override async evolve(input: RasterInput): Promise<Evolution> {
    const first = await this.first.evolve(input);
    const second = await this.second.evolve(first.output);
    return {
      output: second.output,
      state: { first: first.state, second: second.state },
      record: { first: first.record, second: second.record },
    };
  }

  protected override attributeChanged(): void {
    this.gainChanges++;
  }
}

describe('module', () => {
  it('has the conventions of the reference', () => {
    const module = new ExpSyn(3, { name: 'synapses' });
    assert.deepEqual(module.shape, [3]);
    assert.equal(module.sizeIn, 3);
    assert.equal(module.sizeOut, 3);
    assert.equal(module.spikingInput, true);
    assert.equal(module.spikingOutput, false);
    assert.equal(module.name, 'synapses');
    assert.deepEqual(module.modules(), {});
    assert.deepEqual(new ExpSyn([3]).shape, [3]);
  });

  it('sorts its attributes into parameters, state and simulation parameters', () => {
    const module = new ExpSyn(2, { seed: 5 });
    const tau = { data: Float64Array.of(0.01, 0.01), shape: [2] };
    assert.deepEqual(module.parameters(), { tau });
    assert.deepEqual(module.parameters('taus'), { tau });
    assert.deepEqual(module.parameters('weights'), {});
    assert.deepEqual(module.state(), { isyn: { data: new Float64Array(2), shape: [2] }, step: 0 });
    assert.deepEqual(module.simulationParameters(), {
      dt: 1e-3,
      maxWindowLength: 1e6,
      windowTaus: 10,
      noiseStd: 0,
      noise: 'output',
      seed: 5,
      threads: Infinity,
      method: 'auto',
      nonFinite: 'throw',
      normalise: 'peak',
      compat: 'none',
    });
    assert.deepEqual(module.attributesNamed(['dt', 'tau']), { tau, dt: 1e-3 });
    assert.deepEqual(module.attributesNamed('dt'), { dt: 1e-3 });
  });

  it('makes a simulation parameter of a Constant', () => {
    const module = new ExpSyn(2, { tau: new Constant(0.02) });
    assert.deepEqual(module.parameters(), {});
    assert.deepEqual(module.simulationParameters('taus'), {
      tau: { data: Float64Array.of(0.02), shape: [] },
    });
    module.tau = 0.03;
    module.resetParameters();
    assert.equal(module.tau.data[0], 0.03);
  });

  it('takes tau as one value, one a synapse, or a function of the shape', () => {
    assert.deepEqual(new ExpSyn(3, { tau: 0.5 }).tau, { data: Float64Array.of(0.5), shape: [] });
    const spread = new ExpSyn(3, {
      tau: (shape) => Float64Array.from({ length: shape[0] ?? 0 }, (_, n) => 0.01 * (n + 1)),
    });
    assert.deepEqual([...spread.tau.data], [0.01, 0.02, 0.03]);
  });

  it('returns parameters to the values it was made with', () => {
    const given = [0.1, 0.2];
    const module = new ExpSyn(2, { tau: given });
    given[0] = 9;
    module.tau = [1, 2];
    module.isyn = [5, 5];
    module.resetParameters();
    assert.deepEqual([...module.tau.data], [0.1, 0.2]);
    assert.deepEqual([...module.isyn.data], [5, 5]);
  });

  it('copies in and copies out', () => {
    const tau = Float64Array.of(0.1, 0.2);
    const module = new ExpSyn(2, { tau });
    tau[0] = 7;
    assert.equal(module.tau.data[0], 0.1);
    module.tau.data[0] = 7;
    assert.equal(module.tau.data[0], 0.1);
    (module.parameters()['tau'] as { data: Float64Array }).data[0] = 7;
    assert.equal(module.tau.data[0], 0.1);
    const { state, output } = module.evolveSync([[1, 1]]);
    const before = module.isyn;
    state.isyn.data[0] = 99;
    output.data[0] = 99;
    module.isyn.data[0] = 99;
    assert.deepEqual(module.isyn, before);
  });

  it('keeps what it was made with: assigning it throws, in JavaScript too', () => {
    const module = new ExpSyn(3, { name: 'cells' });
    const before = JSON.stringify(module);
    const values = {
      shape: [4],
      sizeIn: 4,
      sizeOut: 4,
      spikingInput: false,
      spikingOutput: true,
      name: 5,
      dtype: 'float32',
    };
    for (const [name, value] of Object.entries(values)) {
      assert.throws(() => Object.assign(module, { [name]: value }), TypeError, name);
    }
    assert.equal(JSON.stringify(module), before);
  });

  it('takes back every state that a run has left, also one that overflowed', () => {
    for (const dtype of ['float64', 'float32'] as const) {
      const module = new ExpSyn(1, { tau: 10, dtype });
      const huge = dtype === 'float32' ? 3e38 : 1.7e308;
      const { state } = module.evolveSync([[huge], [huge]]);
      assert.equal(state.isyn.data[0], Infinity);
      module.resetState().setAttributes(state);
      assert.equal(module.isyn.data[0], Infinity);
      assert.deepEqual(module.evolveSync([[0]], { state }).output.data[0], Infinity);
    }
  });

  it('refuses names and families that are no words', () => {
    const module = new ExpSyn(1);
    const calls: [() => unknown, RegExp][] = [
      [() => module.parameters(5 as never), /a string for family but received 5/],
      [() => module.attributesNamed(5 as never), /an array of names for names but received 5/],
      [() => module.attributesNamed(['tau', 5] as never), /for names but received an array/],
      [() => module.setAttributes([] as never), /of attributes for values but received an array/],
      [() => module.setAttributes(new Map()), /of attributes for values but received an object/],
      [() => module.setAttributes({ nope: 1 }), /for the name of an attribute but received 'nope'/],
    ];
    for (const [call, message] of calls) assert.throws(call, { name: 'TypeError', message });
  });

  it('names both shapes when an assigned value has another', () => {
    const module = new ExpSyn(4);
    const cases: [() => void, string][] = [
      [() => (module.tau = [1, 2, 3]), 'Expected shape (4,) for tau but received shape (3,).'],
      [() => (module.tau = 0.1), 'Expected shape (4,) for tau but received shape ().'],
      [
        () => (module.isyn = [[1], [2]]),
        'Expected shape (4,) or (*, 4) for isyn but received shape (2, 1).',
      ],
    ];
    for (const [assign, message] of cases) assert.throws(assign, { name: 'RangeError', message });
  });

  it('never leaves a kernel stale', () => {
    const data = spikes(400 * 2, 0.1, 1);
    const input = { data, shape: [400, 2] };
    for (const method of ['fft', 'recursive', 'auto'] as const) {
      const module = new ExpSyn(2, { method });
      for (const change of [
        { tau: [0.03, 0.05] },
        { dt: 2e-3 },
        { maxWindowLength: 13 },
        { maxWindowLength: 1000 },
        { windowTaus: 2 },
        { windowTaus: Infinity },
        { tau: [0.001, 0.2] },
      ]) {
        Object.assign(module, change);
        module.resetState();
        const fresh = new ExpSyn(2, {
          method,
          tau: module.tau,
          dt: module.dt,
          maxWindowLength: module.maxWindowLength,
          windowTaus: module.windowTaus,
        });
        assert.deepEqual(module.evolveSync(input), fresh.evolveSync(input));
        module.setAttributes({ tau: [0.02, 0.02] });
        fresh.setAttributes({ tau: [0.02, 0.02] });
        assert.deepEqual(module.evolveSync(input), fresh.evolveSync(input));
      }
    }
  });

  it('assigns all attributes or none', () => {
    const module = new ExpSyn(2);
    const before = module.toJSON();
    for (const values of [
      { tau: [1, 1], dt: -1 },
      { dt: 1, isyn: [1, 2, 3] },
      { tau: [1, 1], nothing: 3 },
      { tau: [1, 1], dt: undefined },
    ]) {
      assert.throws(() => module.setAttributes(values), /^(Range|Type)Error: Expected /);
      assert.deepEqual(module.toJSON(), before);
    }
    assert.equal(module.setAttributes({ tau: [1, 2], dt: 0.5 }), module);
    assert.deepEqual([...module.tau.data, module.dt], [1, 2, 0.5]);
    const { state } = module.evolveSync([[1, 1]]);
    module.resetState().setAttributes(state);
    assert.deepEqual(module.state(), state);
  });

  it('nests what its submodules have', async () => {
    const chain = new Chain(2);
    assert.deepEqual(Object.keys(chain.modules()), ['first', 'second']);
    assert.equal(chain.modules()['second']?.name, 'slow');
    const scalar = (tau: number) => ({ tau: { data: Float64Array.of(tau), shape: [] } });
    assert.deepEqual(chain.parameters('taus'), { first: scalar(0.01), second: scalar(0.02) });
    assert.deepEqual(chain.parameters('gains'), { gain: 2 });
    const { state, output } = await chain.evolve({ data: spikes(20, 0.5, 1), shape: [10, 2] });
    assert.deepEqual(chain.state(), state);
    assert.deepEqual(output.shape, [1, 10, 2]);
    chain.resetState();
    assert.equal(chain.first.step, 0);
    chain.setAttributes(state);
    assert.deepEqual(chain.state(), state);
    const before = chain.parameters();
    assert.throws(
      () => chain.setAttributes({ gain: 3, first: { tau: 0.5 }, second: { tau: -1 } }),
      /second\.tau/,
    );
    assert.deepEqual(chain.parameters(), before);
    chain.gain = 7;
    assert.equal(chain.gainChanges, 1);
    chain.resetParameters();
    assert.deepEqual(chain.parameters('gains'), { gain: 2 });
  });

  it('knows its kinds of attributes', () => {
    const definition = { shapes: [[]], initial: () => 1, cast: (value: unknown) => Number(value) };
    for (const [Kind, kind] of [
      [Parameter, 'Parameter'],
      [State, 'State'],
      [SimulationParameter, 'SimulationParameter'],
    ] as const) {
      const attribute = new Kind({ ...definition, family: 'ones' });
      attribute.reset('one');
      assert.equal(attribute.kind, kind);
      assert.equal(attribute.family, 'ones');
      assert.equal(attribute.data, 1);
      assert.deepEqual(attribute.shape, []);
      assert.deepEqual(attribute.shapes, [[]]);
    }
  });

  it('says in print which method was taken', () => {
    const module = new ExpSyn(2, { name: 'cells', noiseStd: 0.5, seed: 3 });
    assert.match(inspect(module), /^ExpSyn 'cells' \(2,\) \{/);
    assert.match(inspect(module), /method: 'auto'/);
    assert.match(inspect(module), /seed: 3/);
    const { record } = module.evolveSync([[1, 0]]);
    assert.match(inspect(module), new RegExp(`auto \\(last took ${record.method}\\)`));
    assert.deepEqual(record, { method: record.method, windowLength: 100, firstStep: 0 });
  });
});
