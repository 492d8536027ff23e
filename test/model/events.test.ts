/** Lists of events in place of rasters: to the bit what the raster of countEvents() gives. */
import assert from 'node:assert/strict';

import {
  AlphaSyn,
  countEvents,
  DoubleExpSyn,
  ExpSyn,
  FirSyn,
  type Dtype,
  type EventList,
  type Synapses,
} from '../../lib/index';
import { randomNumbers } from '../support/oracle';

const DT = 1e-3;

/** Random events in no order, several of which may be of one step and channel. */
function randomEvents(shape: [number, number, number], count: number, hasValues: boolean) {
  const [batches, timesteps, channels] = shape;
  const random = randomNumbers(count + timesteps);
  const each = (draw: () => number) => Array.from({ length: count }, draw);
  return {
    times: each(() => (Math.floor(random() * timesteps) + 0.95 * random()) * DT),
    channels: each(() => Math.floor(random() * channels)),
    batches: each(() => Math.floor(random() * batches)),
    ...(hasValues && { values: each(() => 4 * random() - 2) }),
    shape,
  };
}

const KERNELS: [string, (size: number, options: object) => Synapses][] = [
  ['ExpSyn', (size, options) => new ExpSyn(size, options)],
  ['ExpSyn, uncut', (size, options) => new ExpSyn(size, { ...options, windowTaus: Infinity })],
  ['ExpSyn, area', (size, options) => new ExpSyn(size, { ...options, normalise: 'area' })],
  ['AlphaSyn', (size, options) => new AlphaSyn(size, options)],
  ['DoubleExpSyn, cut', (size, options) => new DoubleExpSyn(size, { ...options, windowTaus: 3 })],
  ['FirSyn', (size, options) => new FirSyn(size, { ...options, kernel: [1, -0.5, 0.25, 3] })],
];

describe('events', () => {
  const shapes: [number, number, number][] = [
    [1, 1, 1],
    [2, 63, 7],
    [1, 300, 64],
    [1, 2500, 3],
    [1, 70, 1100],
  ];
  for (const [name, make] of KERNELS) {
    for (const dtype of ['float64', 'float32'] as Dtype[]) {
      it(`give the bits of their raster: ${name}, ${dtype}`, async () => {
        for (const shape of shapes) {
          for (const hasValues of [false, true]) {
            for (const noise of ['output', 'input'] as const) {
              const count = Math.ceil(0.03 * shape[0] * shape[1] * shape[2]) + 2;
              const events = randomEvents(shape, count, hasValues);
              const raster = countEvents(events, { dt: DT });
              const options = { dtype, seed: 1, noiseStd: noise === 'input' ? 0.1 : 0, noise };
              const expected = make(shape[2], options).evolveSync(raster);
              const found = make(shape[2], options).evolveSync(events);
              assert.deepEqual(found, expected);
              assert.deepEqual(await make(shape[2], options).evolve(events), expected);
            }
          }
        }
      });
    }
  }

  it('give the bits of their raster by every method and at any number of threads', () => {
    const shape: [number, number, number] = [1, 40_000, 24];
    const events = randomEvents(shape, 30_000, true);
    const raster = countEvents(events, { dt: DT });
    for (const method of ['recursive', 'fft'] as const) {
      const expected = new ExpSyn(24, { method, threads: 1 }).evolveSync(raster);
      assert.deepEqual(new ExpSyn(24, { method, threads: 2 }).evolveSync(events), expected);
    }
  });

  // Rows of short windows are kept until they leave them, those of long windows are made twice.
  it('give the bits of their raster whatever the length of the window', () => {
    const shape: [number, number, number] = [1, 5000, 64];
    for (const window of [1, 2, 15, 16, 17, 63, 64, 65, 200, 260, 1500, 2047, 2049, 4900]) {
      for (const hasValues of [false, true]) {
        const events = randomEvents(shape, 3000, hasValues);
        const raster = countEvents(events, { dt: DT });
        for (const dtype of ['float64', 'float32'] as Dtype[]) {
          // A long time constant, so that the sums are computed again from time to time.
          const options = { dtype, tau: 2, windowTaus: ((window - 0.5) * DT) / 2, threads: 1 };
          const synapses = new ExpSyn(64, options);
          assert.equal(synapses.windowLength, window);
          const expected = synapses.evolveSync(raster);
          assert.deepEqual(new ExpSyn(64, options).evolveSync(events), expected);
          assert.deepEqual(new ExpSyn(64, { ...options, threads: 2 }).evolveSync(events), expected);
        }
      }
    }
  });

  it('of one column reach every synapse', () => {
    const events = { times: [0, 0.001, 0.001, 0.07], channels: [0, 0, 0, 0], shape: [80, 1] };
    for (const size of [3, 20]) {
      const raster = countEvents(events, { dt: DT });
      assert.deepEqual(new ExpSyn(size).evolveSync(events), new ExpSyn(size).evolveSync(raster));
    }
  });

  it('are taken by sessions, and one list a session by calls of many', async () => {
    for (const module of [new ExpSyn(3), new FirSyn(3, { kernel: [3, 2, 1] })]) {
      const sessions = [1, 2, 3].map((seed) => module.session({ seed }));
      const others = [1, 2, 3].map((seed) => module.session({ seed }));
      const lists: EventList[] = [
        { times: [0.001], channels: [2], shape: [4, 3] },
        { times: [0, 0.003], channels: [0, 1], values: [2, 3], shape: [4, 3] },
        { times: [], channels: [], shape: [4, 3] },
      ];
      for (let call = 0; call < 3; call++) {
        const expected = others.map((session, item) => {
          const events = lists[item] ?? assert.fail();
          return [...session.evolveSync(countEvents(events, { dt: DT })).output.data];
        });
        const { output } =
          call === 1
            ? await module.evolveSessions(sessions, lists)
            : module.evolveSessionsSync(sessions, lists);
        assert.deepEqual([...output.data], expected.flat());
      }
      const [session = assert.fail()] = sessions;
      const [other = assert.fail()] = others;
      const [first = assert.fail()] = lists;
      const raster = countEvents(first, { dt: DT });
      assert.deepEqual(session.evolveSync(first), other.evolveSync(raster));
      assert.deepEqual(await session.evolve(first), await other.evolve(raster));
    }
  });

  it('of a session that have no place fail that session alone', async () => {
    const module = new ExpSyn(2);
    const sessions = [1, 2, 3].map((seed) => module.session({ seed }));
    const events = {
      times: [0, 9, 0.004, -1],
      channels: [0, 1, 1, 0],
      batches: [0, 1, 2, 2],
      shape: [3, 5, 2],
    };
    const results = [
      module.evolveSessionsSync(sessions, events),
      await module.evolveSessions(sessions, events),
    ];
    for (const { failures } of results) {
      assert.deepEqual(
        failures.map(({ item, error }) => [item, error.argument, error.received]),
        [
          [1, 'input.times[1]', '9'],
          [2, 'input.times[3]', '-1'],
        ],
      );
    }
    assert.deepEqual(
      sessions.map(({ step }) => step),
      [10, 0, 0],
    );
    // An event of none of them is an error of the call, also after one of the first that has no place.
    const strange = { ...events, batches: [0, 1, 2, 3] };
    for (const list of [strange, { ...strange, times: [9, 0, 0.004, -1] }]) {
      const refused = {
        message: /^Expected a batch item from 0 to 2 for input\.batches\[3\] but received 3\.$/,
      };
      assert.throws(() => module.evolveSessionsSync(sessions, list), refused);
      await assert.rejects(module.evolveSessions(sessions, list), refused);
    }
    assert.deepEqual(
      sessions.map(({ step }) => step),
      [10, 0, 0],
    );
  });

  it('that have no place are refused by one sentence, and leave the state as it was', async () => {
    const cases: [object, RegExp][] = [
      [
        { times: [0, NaN] },
        /^Expected a finite number of seconds for input\.times\[1\] but received NaN\.$/,
      ],
      [
        { times: [0, -0.01] },
        /^Expected at least 0, where the first step of the call begins, for input\.times\[1\] but received -0\.01; give times relative to that, or leave such events out by outside: 'drop'\.$/,
      ],
      [
        { times: [0, 0.005] },
        /^Expected less than the end of its 5 steps of 0\.001 s, counted from the first step of the call, for input\.times\[1\] but received 0\.005; check the unit/,
      ],
      [
        { channels: [0, 2] },
        /^Expected a channel from 0 to 1 for input\.channels\[1\] but received 2\.$/,
      ],
      [
        { channels: [0, 0.5] },
        /^Expected a channel from 0 to 1 for input\.channels\[1\] but received 0\.5\.$/,
      ],
      [
        { channels: [0] },
        /^Expected 2 elements, as there are times, for input\.channels but received 1\.$/,
      ],
      [
        { values: [1, NaN] },
        /^Expected a finite number for input\.values\[1\] but received NaN; set nonFinite/,
      ],
      [
        { values: [1e308, 1e308] },
        /^Expected a sum with the other events of its step and channel that is finite for input\.values\[0\] but received 1e\+308; set nonFinite/,
      ],
      [
        { batches: [0, 1] },
        /^Expected a batch item from 0 to 0 for input\.batches\[1\] but received 1\.$/,
      ],
      [
        { shape: [5] },
        /^Expected shape \(T, N\) or \(B, T, N\) for input\.shape but received shape \(5,\)\.$/,
      ],
      [{ shape: [5, 3] }, /for input but received shape \(5, 3\)\.$/],
      [
        { shape: [0, 2] },
        /^Expected no events for input but received 2; a raster without steps has no place for them\.$/,
      ],
      [
        { channel: [0, 0] },
        /^Expected only times, channels, values, batches, shape for input but received an option 'channel'/,
      ],
      [{ times: 'x' }, /^Expected an array of numbers for input\.times but received 'x'\.$/],
      [{ times: [0, '1'] }, /^Expected a number for input\.times\[1\] but received '1'\.$/],
    ];
    const module = new ExpSyn(2);
    module.evolveSync([[1, 1]]);
    const before = JSON.stringify(module);
    for (const [change, message] of cases) {
      const events = { times: [0, 0], channels: [0, 0], shape: [5, 2], ...change } as EventList;
      assert.throws(() => module.evolveSync(events), { message });
      await assert.rejects(module.evolve(events), { message });
      assert.equal(JSON.stringify(module), before);
    }
  });

  it('of several lists are named by their own list', () => {
    const list = (times: number[]) => ({ times, channels: times.map(() => 0), shape: [4, 2] });
    const lists = [list([0, 0.001]), list([]), list([0.001, 9, 0])];
    const argument = 'input[2].times[1]';
    assert.throws(() => new ExpSyn(2).evolveSync(lists), { argument });
    const module = new ExpSyn(2);
    const sessions = lists.map(() => module.session({ seed: 1 }));
    const { failures } = module.evolveSessionsSync(sessions, lists);
    assert.deepEqual(
      failures.map(({ item, error }) => [item, error.argument]),
      [[2, argument]],
    );
  });

  it('so near to the end that they belong to the step after it are refused', () => {
    const events = { times: [0.0039999999], channels: [0], shape: [4, 1] };
    const message =
      /^Expected a time that is earlier by more than the tolerance than the end of its 4 steps of 0\.001 s, .* but received 0\.0039999999; it belongs to the step after them; give one step more, or leave such events out by outside: 'drop'\.$/;
    assert.throws(() => new ExpSyn(1).evolveSync(events), { message });
    assert.equal(new ExpSyn(1).evolveSync({ ...events, shape: [5, 1] }).output.data[3], 0);
  });

  it('outside are left out if that is asked for', () => {
    const events = { times: [-5, 0.001, 99], channels: [0, 1, 0], shape: [5, 2] };
    const inside = { times: [0.001], channels: [1], shape: [5, 2] };
    assert.deepEqual(
      new ExpSyn(2).evolveSync(events, { outside: 'drop' }),
      new ExpSyn(2).evolveSync(inside),
    );
    assert.deepEqual(
      countEvents(events, { dt: DT, outside: 'drop' }),
      countEvents(inside, { dt: DT }),
    );
    const wrong = {
      message: /^Expected 'throw' or 'drop' for options\.outside but received 'keep'\.$/,
    };
    assert.throws(() => new ExpSyn(2).evolveSync(events, { outside: 'keep' as 'drop' }), wrong);
  });

  it('with values that are not finite follow nonFinite', () => {
    const events = { times: [0.001], channels: [0], values: [Infinity], shape: [5, 2] };
    const options = { nonFinite: 'propagate' } as const;
    assert.deepEqual(
      new ExpSyn(2, options).evolveSync(events).output.data,
      new ExpSyn(2, options).evolveSync({
        data: Float64Array.of(0, 0, Infinity, 0, 0, 0, 0, 0, 0, 0),
        shape: [5, 2],
      }).output.data,
    );
  });

  it('may be in memory of any type, shared or transferred', async () => {
    const raster = { data: Uint8Array.of(1, 0, 0, 0, 0, 1), shape: [3, 2] };
    const expected = new ExpSyn(2, { dt: 1 }).evolveSync(raster);
    const shared = new Int32Array(new SharedArrayBuffer(8));
    shared.set([0, 2]);
    for (const times of [[0, 2], Float32Array.of(0, 2), BigInt64Array.of(0n, 2n), shared]) {
      const events = { times, channels: Uint8Array.of(0, 1), shape: [3, 2] };
      assert.deepEqual(new ExpSyn(2, { dt: 1 }).evolveSync(events), expected);
      assert.deepEqual(await new ExpSyn(2, { dt: 1 }).evolve(events), expected);
    }
    const times = Float64Array.of(0, 2);
    const events = { times, channels: [0, 1], shape: [3, 2] };
    const pending = new ExpSyn(2, { dt: 1 }).evolve(events, { transfer: true });
    assert.equal(times.length, 0);
    assert.deepEqual(await pending, expected);
  });
});

describe('countEvents()', () => {
  it('counts, and adds up values in the order of the list', () => {
    const events = { times: [0.002, 0, 0.0021, 0.002], channels: [1, 0, 1, 0], shape: [3, 2] };
    assert.deepEqual(countEvents(events, { dt: DT }), {
      data: Uint16Array.of(1, 0, 0, 0, 1, 2),
      shape: [3, 2],
    });
    const values = [1e17, 2, 1, -1];
    assert.deepEqual(countEvents({ ...events, values }, { dt: DT }), {
      data: Float64Array.of(2, 0, 0, 0, -1, 1e17 + 1),
      shape: [3, 2],
    });
  });

  it('gives advice that it can follow', () => {
    const events = { times: [0], channels: [0], values: [NaN], shape: [4, 2] };
    const message =
      'Expected a finite number for events.values[0] but received NaN; leave such events out.';
    assert.throws(() => countEvents(events, { dt: DT }), { message });
  });

  it('refuses more events than a count can tell', () => {
    const many = new Float64Array(65_536);
    const events = { times: many, channels: many, shape: [1, 1] };
    const message =
      /^Expected at most 65535 for the events of one channel in one step but received more; take shorter steps, or give values\.$/;
    assert.throws(() => countEvents(events, { dt: DT }), { message });
    const less = { times: many.subarray(1), channels: many.subarray(1), shape: [1, 1] };
    assert.equal(countEvents(less, { dt: DT }).data[0], 65_535);
  });

  it('assigns a time to its step as floor(time / dt), with a tolerance of 1e-3 of a step', () => {
    const stepOf = (time: number, dt = DT) => {
      const { data } = countEvents(
        { times: [time, 0.1 + 1e-13], channels: [0, 0], shape: [2000, 1] },
        { dt },
      );
      const last = Math.floor((0.1 + 1e-13) / dt);
      data[last] = (data[last] ?? 0) - 1;
      return data.indexOf(1);
    };
    let sum = 0;
    for (let step = 0; step < 2000; step++) {
      assert.equal(stepOf(step * DT), step);
      assert.equal(stepOf(sum), step);
      assert.equal(stepOf((step + 1 - 2e-3) * DT), step);
      if (step > 0) assert.equal(stepOf((step - 0.9e-3) * DT), step);
      sum += DT;
    }
  });

  it('gives times that were stored in single precision to their steps', () => {
    const steps = Array.from({ length: 5000 }, (_, step) => 60_000 + step);
    const times = Float32Array.from(steps, (step) => step * DT);
    const channels = new Uint8Array(times.length);
    const { data } = countEvents({ times, channels, shape: [65_000, 1] }, { dt: DT });
    assert.ok(data.subarray(60_000).every((count) => count === 1));
  });
});

describe("timing: 'exact'", () => {
  const tau = 0.02;

  it('is the response of continuous time at the end of each step', () => {
    const random = randomNumbers(3);
    const timesteps = 2000;
    for (const [dtype, bound] of [
      ['float64', 1e-12],
      ['float32', 5e-6],
    ] as const) {
      const times = Array.from({ length: 60 }, () => random() * timesteps * DT);
      const channels = times.map(() => Math.floor(3 * random()));
      const module = new ExpSyn(3, { tau, windowTaus: Infinity, dtype });
      const events = { times, channels, shape: [timesteps, 3] };
      const { data } = module.evolveSync(events, { timing: 'exact' }).output;
      for (let step = 0; step < timesteps; step++) {
        const end = (step + 1) * DT;
        for (let channel = 0; channel < 3; channel++) {
          let expected = 0;
          times.forEach((time, event) => {
            if (channels[event] === channel && time <= end)
              expected += Math.exp((time - end) / tau);
          });
          assert.ok(
            Math.abs((data[3 * step + channel] ?? NaN) - expected) <= bound * (1 + expected),
          );
        }
      }
    }
  });

  it('is refused where it means nothing', () => {
    const events = { times: [0], channels: [0], shape: [1, 1] };
    const exact = { timing: 'exact' } as const;
    assert.throws(() => new ExpSyn(1).evolveSync([1], exact), /it is for inputs of events\.$/);
    assert.throws(
      () => new AlphaSyn(1).evolveSync(events, exact),
      /only the exponential kernel jumps/,
    );
    const short = new ExpSyn(1, { tau: 1e-6 });
    assert.throws(
      () => short.evolveSync(events, exact),
      /^RangeError: Expected time constants of at least dt \/ 700 for options\.timing 'exact' but received a shorter one; take shorter steps\.$/,
    );
  });
});
