/** Times of events: the steps to which they belong. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { EventClock } from '../../lib/formats/events/event-clock';
import { openEventsHdf5 } from '../../lib/formats/events/events-hdf5';
import { openEventsNpy } from '../../lib/formats/events/events-npy';
import { isCommandError } from '../support/command-errors';
import { randomNumbers } from '../support/oracle';
import { PYTHON } from '../support/python';
import {
  CASES,
  CHANNELS,
  npyOf,
  assertSteps,
  readSteps,
  refuses,
  withEventTimes,
  newPath,
} from '../support/event-times';

describe('times of events', () => {
  withEventTimes();

  for (const name of ['trial', 'running-sum', 'float32-in-float64']) {
    it(`keep their steps: ${name}`, async () => {
      const path = join(CASES, `events-${name}.npy`);
      const source = await openEventsNpy(path, { dt: 1e-3, timeUnit: 1 });
      assert.deepEqual(source.shape, [1, 1031, 7]);
      await assertSteps(source, (k) => k, 1031, name);
    });
  }

  const steps: [name: string, dt: number][] = [
    ['1 ms', 1e-3],
    ['0.1 ms', 1e-4],
    ['1/30000 s', 1 / 30000],
    ['0.5 ms', 5e-4],
    ['2 ms', 2e-3],
    ['0.7 ms', 7e-4],
  ];
  /** Times that are meant as k dt. */
  const clocks: [name: string, timesOf: (dt: number, length: number) => Float64Array][] = [
    ['multiples of dt', (dt, length) => Float64Array.from({ length }, (_, k) => k * dt)],
    ['quotients of a rate', (dt, length) => Float64Array.from({ length }, (_, k) => k / (1 / dt))],
    [
      'a running sum',
      (dt, length) => {
        let time = -dt;
        return Float64Array.from({ length }, () => (time += dt)).map((t) => Math.max(t, 0));
      },
    ],
    ...[0.3, 12.345, 4321.9, 98765.4].map((begin): (typeof clocks)[number] => [
      `relative to a trial at ${begin} s`,
      (dt, length) => Float64Array.from({ length }, (_, k) => begin + k * dt - begin),
    ]),
  ];
  for (const [name, dt] of steps) {
    it(`keep steps of ${name}, by any clock, in both precisions`, async () => {
      const length = 40_000;
      for (const [clock, timesOf] of clocks) {
        const times = timesOf(dt, length);
        const single = Float32Array.from(times);
        for (const [kind, data, layout] of [
          ['double', times, {}],
          ['single', single, { isBigEndian: true }],
          ['single in double', Float64Array.from(single), { isFortranOrder: true }],
        ] as const) {
          const source = await openEventsNpy(await npyOf(data, layout), { dt, timeUnit: 1 });
          assert.equal(source.shape[1], length, `${clock}, ${kind}`);
          await assertSteps(source, (k) => k, length, `${clock}, ${kind}`);
        }
      }
      // A clock that itself computes in single precision.
      const native = Float32Array.from({ length }, (_, k) => k * Math.fround(dt));
      const source = await openEventsNpy(await npyOf(native), { dt, timeUnit: 1 });
      await assertSteps(source, (k) => k, length, 'single precision throughout');
    });
  }

  it('keep steps of milliseconds as texts of six decimals', async () => {
    for (const [dt, samples] of [
      [1e-3, 30],
      [1e-4, 3],
      [5e-4, 15],
      [2e-3, 60],
    ] as const) {
      const times = Float64Array.from({ length: 20_000 }, (_, k) =>
        Number(((k * samples) / 30000).toFixed(6)),
      );
      const source = await openEventsNpy(await npyOf(times), { dt, timeUnit: 1 });
      await assertSteps(source, (k) => k, times.length, `${dt}`);
    }
  });

  it('are exact as samples of a clock, of every type', async () => {
    const length = 30_000;
    const random = randomNumbers(1);
    for (const [rate, dt, perStep] of [
      [30000, 1e-3, 30],
      [30000, 1 / 30000, 1],
      [30000, 1e-4, 3],
      [30000, 2e-3, 60],
      [44100, 1e-2, 441],
      [1000, 1e-3, 1],
    ] as const) {
      const last = Math.min(2 ** 22, perStep * 50_000);
      const samples = Array.from({ length }, () => Math.floor(last * random()));
      samples.sort((a, b) => a - b);
      for (const times of [
        Int32Array.from(samples),
        Uint32Array.from(samples),
        BigInt64Array.from(samples, BigInt),
        BigUint64Array.from(samples, BigInt),
        Float32Array.from(samples),
        Float64Array.from(samples),
      ]) {
        const source = await openEventsNpy(await npyOf(times), { dt, timeUnit: 1 / rate });
        const what = `${times.constructor.name} at ${rate} Hz, ${dt} s`;
        await assertSteps(source, (k) => Math.floor((samples[k] ?? NaN) / perStep), length, what);
      }
    }
  });

  it('are early by exactly 1e-3 of a step without being moved, as microseconds may be', async () => {
    const length = 20_000;
    const micro = Int32Array.from({ length }, (_, k) => 1000 * k + 999);
    const options = { dt: 1e-3, timeUnit: 1e-6 };
    await assertSteps(await openEventsNpy(await npyOf(micro), options), (k) => k, length, 'int32');
    const seconds = Float64Array.from(micro, (time) => time / 1e6);
    const source = await openEventsNpy(await npyOf(seconds), { dt: 1e-3, timeUnit: 1 });
    await assertSteps(source, (k) => k, length, 'float64');
  });

  it('are early by less than 1e-3 of a step, or by more', async () => {
    for (const [part, moved] of [
      [0.95e-3, 1],
      [1.05e-3, 0],
    ] as const) {
      const length = 20_000;
      // The first time is no number of single precision.
      const times = Float64Array.from({ length }, (_, k) => (k + 1 - part) * 1e-3);
      const source = await openEventsNpy(await npyOf(times), { dt: 1e-3, timeUnit: 1 });
      await assertSteps(source, (k) => k + moved, length, `${part}`);
    }
  });

  it('are exact relative to an origin, whatever their size', async () => {
    const length = 10_000;
    const nano = BigInt64Array.from(
      { length },
      (_, k) => 1_700_000_000_123_456_789n + 100_000n * BigInt(k),
    );
    const options = { timeUnit: 1e-9, start: '1700000000123456789/1000000000' };
    for (const [dt, perStep] of [
      [1e-4, 1],
      [1e-3, 10],
    ] as const) {
      for (const times of [nano, BigUint64Array.from(nano)]) {
        const source = await openEventsNpy(await npyOf(times), { dt, ...options });
        await assertSteps(source, (k) => Math.floor(k / perStep), length, `${dt}`);
      }
    }
    // A nanosecond is 1e-5 of a step, and 200 are more than 1e-3 of one.
    for (const [early, step] of [
      [1n, 0],
      [200n, -1],
    ] as const) {
      const clock = new EventClock({ dt: 1e-4, ...options }, { kind: 'exact' });
      assert.deepEqual([...clock.stepsOf(BigInt64Array.of((nano[0] ?? 0n) - early))], [step]);
    }
    // Samples since 1970 at 30 kHz, whose unit is no binary fraction.
    const samples = Float64Array.from({ length }, (_, k) => 1.7e9 * 30000 + k);
    const source = await openEventsNpy(await npyOf(samples), {
      dt: 1 / 30000,
      timeUnit: 1 / 30000,
      start: '1700000000',
    });
    await assertSteps(source, (k) => k, length, 'samples');
    // An origin that is no whole number of the unit.
    const thirds = Float64Array.from({ length }, (_, k) => 1 / 3 + k * 0.1);
    const third = await openEventsNpy(await npyOf(thirds), { dt: 0.1, timeUnit: 1, start: '1/3' });
    await assertSteps(third, (k) => k, length, 'thirds');
    // Seconds since 1970 in double precision, of which a step of 0.1 ms has 419 in it.
    const seconds = Float64Array.from({ length }, (_, k) => 1.7e9 + k * 1e-4);
    const since = await openEventsNpy(await npyOf(seconds), {
      dt: 1e-4,
      timeUnit: 1,
      start: '1700000000',
    });
    await assertSteps(since, (k) => k, length, 'seconds');
  });

  it('may be negative where the origin is, or by rounding', async () => {
    const times = Float64Array.from({ length: 2001 }, (_, k) => (k - 1000) * 1e-3);
    const options = { dt: 1e-3, timeUnit: 1 };
    const path = await npyOf(times);
    const source = await openEventsNpy(path, { ...options, start: '-1' });
    await assertSteps(source, (k) => k, times.length, 'negative');
    await refuses(
      path,
      options,
      /^Expected times from 0 s on, where step 0 begins, in .* but the time of event 0 is -1; give/,
    );
    await refuses(
      path,
      { ...options, start: '-1/2' },
      /from -0\.5 s on, .* event 0 is -1; give an/,
    );
    const early = await npyOf(Float64Array.of(-5.6e-17, 1e-3 - 1e-17, 2e-3));
    await assertSteps(await openEventsNpy(early, options), (k) => k, 3, 'rounding');
    await refuses(
      await npyOf(Float64Array.of(0.1, -2e-6)),
      options,
      /time of event 1 is -0\.000002;/,
    );
  });

  it('are outside just below the end as at it, and are left out on demand', async () => {
    const options = { dt: 1e-3, timeUnit: 1, channels: CHANNELS };
    for (const last of [0.01, 0.01 - 1e-9, 0.0123]) {
      const path = await npyOf(Float64Array.of(0, 0.001, 0.0055, last, 1.7e300));
      const inTime = { ...options, duration: 0.01 };
      await refuses(
        path,
        inTime,
        /before the end of the 10 steps of 0\.001 s, which begin at 0 s, .* time of event 3 is 0\.0/,
      );
      const isEarly = last < 0.01;
      await refuses(
        path,
        inTime,
        isEarly
          ? /is 0\.00\d+, which is within the tolerance of the end and so belongs to step 10; give/
          : /time of event 3 is 0\.01(23)?; give/,
      );
      const source = await openEventsNpy(path, { ...inTime, outside: 'drop' });
      assert.deepEqual(source.shape, [1, 10, CHANNELS]);
      assert.deepEqual([source.events?.count, source.events?.dropped], [3, 2]);
      await assertSteps(source, (k) => [0, 1, 5][k] ?? NaN, 3, `${last}`);
    }
    const path = await npyOf(Float64Array.of(-3, -0.0011, 0, 0.004, 0.002));
    const source = await openEventsNpy(path, { ...options, outside: 'drop' });
    const { count, dropped, first, last, firstStep, lastStep } = source.events ?? {};
    assert.deepEqual([count, dropped, first, last, firstStep, lastStep], [3, 2, 0, 0.004, 0, 4]);
    const counts = await readSteps(source, 0, 5);
    const bins = [...counts.entries()].filter(([, number]) => number > 0).map(([bin]) => bin);
    assert.deepEqual(bins, [0 * CHANNELS + 2, 2 * CHANNELS + 4, 4 * CHANNELS + 3]);
    await source.close();
    const drop = { ...options, outside: 'drop' } as const;
    await refuses(
      await npyOf(Float64Array.of(0, NaN)),
      drop,
      /finite .* time of event 1 is NaN\.$/,
    );
    await refuses(await npyOf(Float64Array.of(0, -Infinity)), drop, /event 1 is -Infinity\.$/);
    await refuses(
      await npyOf(Float64Array.of(-3, -2)),
      drop,
      /received 2 before the first step; check --start, or give --duration to make a raster of zeros/,
    );
  });

  it('are counted on either side where all are outside', async () => {
    const drop = { dt: 1e-3, timeUnit: 1, duration: 0.01, outside: 'drop' } as const;
    for (const [times, received] of [
      [[1, 2, 3], '3 after the last step'],
      [[-1, 2, 3], '1 before the first step and 2 after the last step'],
    ] as const) {
      await refuses(
        await npyOf(Float64Array.from(times)),
        drop,
        RegExp(
          `received ${received}; check --start and --duration, or give --channels to make a raster`,
        ),
      );
    }
  });

  it('are said to be within the tolerance of the end only where they are', async () => {
    const options = { dt: 1e-3, timeUnit: 1, duration: 0.1 };
    const early =
      /event 0 is 0\.0999999, which is within the tolerance of the end and so belongs to step 100; give/;
    await refuses(await npyOf(Float64Array.of(0.0999999)), options, early);
    for (const time of [0.1, 0.1009999]) {
      const other = RegExp(`event 0 is ${time}; give a longer duration`);
      await refuses(await npyOf(Float64Array.of(time)), options, other);
    }
  });

  it('leave out events wherever they stand in a long list', async () => {
    const length = 150_000;
    const random = randomNumbers(2);
    const times = Float64Array.from({ length }, (_, k) => (k - 20_000) * 1e-3);
    const options = { dt: 1e-3, timeUnit: 1, duration: 100, outside: 'drop' } as const;
    const shuffled = times.slice();
    for (let k = length - 1; k > 0; k--) {
      const other = Math.floor(random() * (k + 1));
      [shuffled[k], shuffled[other]] = [shuffled[other] ?? 0, shuffled[k] ?? 0];
    }
    for (const list of [times, shuffled]) {
      const source = await openEventsNpy(await npyOf(list), options);
      assert.deepEqual([source.events?.count, source.events?.dropped], [100_000, 50_000]);
      const counts = await readSteps(source, 0, 100_000);
      for (const [k, time] of list.entries()) {
        const step = Math.round(time * 1000);
        if (step < 0 || step >= 100_000) continue;
        assert.equal(counts[step * CHANNELS + (k % CHANNELS)], 1);
      }
      assert.equal(
        counts.reduce((sum, count) => sum + count, 0),
        100_000,
      );
      await source.close();
    }
  });

  describe('in HDF5', () => {
    /** Lists of one sample, as h5py writes them. */
    function hdf5Of(script: string, kind: string): string {
      const path = newPath('.h5');
      const program = `
import h5py, numpy
times = numpy.array(${script}).astype('${kind}')
with h5py.File('${path}', 'w') as file:
    for name, values in (('times', times), ('units', numpy.arange(len(times)) % 7)):
        kind = h5py.vlen_dtype(values.dtype.newbyteorder('='))
        file.create_dataset('spikes/' + name, (1,), dtype=kind)[0] = values
`;
      execFileSync(PYTHON, ['-c', program]);
      return path;
    }

    it('keep their steps, by every clock', async () => {
      const length = 20_000;
      const options = { dt: 1e-3, timeUnit: 1 };
      for (const [script, kind] of [
        [`numpy.arange(${length}) * 1e-3`, 'f4'],
        [`(numpy.arange(${length}) * 1e-3).astype('f4')`, 'f8'],
        [`numpy.cumsum(numpy.full(${length}, 1e-3)) - 1e-3`, 'f8'],
        [`(12.345 + numpy.arange(${length}) * 1e-3) - 12.345`, 'f8'],
      ] as const) {
        const source = await openEventsHdf5(hdf5Of(script, kind), options);
        await assertSteps(source, (k) => k, length, `${script} ${kind}`);
      }
    });

    it('are exact relative to an origin, as integers of 64 bits', async () => {
      const length = 5000;
      const script = `1700000000123456789 + numpy.arange(${length}) * 100000`;
      for (const kind of ['i8', 'u8']) {
        const source = await openEventsHdf5(hdf5Of(script, kind), {
          dt: 1e-4,
          timeUnit: 1e-9,
          start: '1700000000123456789/1000000000',
        });
        await assertSteps(source, (k) => k, length, kind);
      }
    });

    it('are left out on demand', async () => {
      const path = hdf5Of('[-1, 0.001, 0.0099999999, 0.004]', 'f8');
      const options = { dt: 1e-3, timeUnit: 1, duration: 0.01 };
      await assert.rejects(
        openEventsHdf5(path, options),
        isCommandError(/from 0 s on, .* the time of event 0 of sample 0 is -1;/),
      );
      const source = await openEventsHdf5(path, { ...options, outside: 'drop' });
      assert.deepEqual([source.events?.count, source.events?.dropped], [2, 2]);
      const counts = await readSteps(source, 0, 10);
      assert.equal(
        counts.reduce((sum, count) => sum + count, 0),
        2,
      );
      await source.close();
    });
  });
});
