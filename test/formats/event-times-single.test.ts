/** Times of events that were rounded to single precision. */
import assert from 'node:assert/strict';
import { EventClock, TimeSurvey } from '../../lib/formats/events/event-clock';
import { openEventsNpy } from '../../lib/formats/events/events-npy';
import { Floats, npyOf, assertSteps, withEventTimes } from '../support/event-times';

describe('times of events', () => {
  withEventTimes();

  describe('in single precision', () => {
    const options = { dt: 1e-3, timeUnit: 1 };

    it('are known by every one of them, also where the last one tells', async () => {
      const length = 150_000;
      const times = Float64Array.from({ length }, (_, k) => Math.fround(k * 1e-3));
      const isEarly = (k: number): boolean => k - (times[k] ?? 0) / 1e-3 > 1e-3;
      assert.ok(times.some((_, k) => isEarly(k)));
      await assertSteps(await openEventsNpy(await npyOf(times), options), (k) => k, length, 'all');
      // One more digit in the last time, and all of them are what they are.
      times[length - 1] = (length - 1) * 1e-3 + 1e-10;
      const source = await openEventsNpy(await npyOf(times), options);
      await assertSteps(source, (k) => (isEarly(k) ? k - 1 : k), length, 'all but one');
    });

    it('are the same in any order, and as part of a list that is read in parts', async () => {
      const length = 100_000;
      const times = Float64Array.from({ length }, (_, k) => Math.fround(k * 1e-3)).reverse();
      const source = await openEventsNpy(await npyOf(times), options);
      await assertSteps(source, (k) => length - 1 - k, length, 'reversed');
    });

    it('have a tolerance of half their spacing, and what that makes of dt', () => {
      const toleranceOf = (times: Floats, scale: { dt: number; timeUnit: number }): number => {
        const survey = new TimeSurvey();
        survey.add(times);
        return new EventClock(scale, survey.precision).tolerance;
      };
      // From 64 to 128 the spacing is 2^-17; 0.001 becomes larger, and 0.0001 smaller.
      const times = Float32Array.of(0.1, 100.3, 3);
      const half = 2 ** -18;
      assert.ok(Math.abs(toleranceOf(times, options) - half / 1e-3) < 1e-9);
      const [largest = NaN] = Float32Array.of(100.3);
      const loss = (largest * (1e-4 - Math.fround(1e-4))) / 1e-4;
      const expected = (half + loss) / 1e-4;
      assert.ok(Math.abs(toleranceOf(times, { dt: 1e-4, timeUnit: 1 }) - expected) < 1e-9);
      // The unit of the times does not matter.
      const inSteps = toleranceOf(times, { dt: 1, timeUnit: 1000 });
      assert.ok(Math.abs(inSteps - half / 1e-3) < 1e-9);
      assert.equal(toleranceOf(Float32Array.of(1e6 + 0.5), options), 0.5, 'at most half a step');
      assert.equal(toleranceOf(Float64Array.of(0.5, 100.3), options), 1e-3);
      assert.equal(toleranceOf(Float32Array.of(0.1), options), 1e-3);
    });

    it('are not what a list shows to be exact, in any order and any blocks', () => {
      const clock = Float64Array.from({ length: 7_372_800 / 97 }, (_, k) => (97 * k) / 1024);
      const samples = Float64Array.from({ length: 20_000 }, (_, k) => 2 ** 24 - 1 - 800 * k);
      const few = clock.slice(-31);
      // Of one binade.
      const binade = Float32Array.from({ length: 40_000 }, (_, k) => 70 + k * 1e-3);
      for (const [name, times, kind] of [
        ['a clock of 1024 Hz', clock, 'double'],
        ['the same, negative', clock.map((time) => -time), 'double'],
        ['numbers of samples', samples, 'double'],
        ['the largest whole number', Float64Array.of(2 ** 24), 'double'],
        ['a larger one', Float64Array.of(2 ** 24 + 2), 'single'],
        ['few times', few, 'single'],
        [
          'the same few, many times',
          Float64Array.from({ length: 4000 }, (_, k) => few[k % 31] ?? 0),
          'single',
        ],
        [
          'one odd multiple of the spacing',
          Float64Array.of(...clock.slice(-99), 7000 + 2 ** -11),
          'single',
        ],
        ['rounded times of one binade', binade, 'single'],
        ['the same in double precision', Float64Array.from(binade), 'single'],
      ] as const) {
        for (const list of [times, times.slice().reverse()]) {
          const survey = new TimeSurvey();
          for (let begin = 0; begin < list.length; begin += 1013) {
            survey.add(list.subarray(begin, begin + 1013));
          }
          assert.equal(survey.precision.kind, kind, name);
        }
      }
    });

    it('do not move events of exact clocks to later steps', async () => {
      const length = 20_000;
      const seconds = Float64Array.from({ length }, (_, k) => (7_372_800 - length + k) / 1024);
      const numbers = Float64Array.from({ length }, (_, k) => 2 ** 24 - length + k);
      for (const [times, timeUnit, start, stepOf] of [
        [seconds, 1, '7000', (k: number) => ((7_372_800 - length + k) * 125) / 128 - 7e6],
        [numbers, 1 / 24414.0625, '600', (k: number) => (2 ** 24 - length + k) * 0.04096 - 6e5],
      ] as const) {
        const source = await openEventsNpy(await npyOf(times), { dt: 1e-3, timeUnit, start });
        await assertSteps(source, (k) => Math.floor(stepOf(k) + 1e-3), length, `${timeUnit}`);
      }
    });

    it('are whole numbers that are taken as they are', async () => {
      // In milliseconds, in steps of 0.3 ms: single precision has halves there.
      const length = 10_000;
      const times = Float64Array.from({ length }, (_, k) => 5_000_000 + k);
      const scale = { dt: 3e-4, timeUnit: 1e-3, start: '5000' };
      for (const list of [times, Float32Array.from(times), Int32Array.from(times)]) {
        const source = await openEventsNpy(await npyOf(list), scale);
        await assertSteps(source, (k) => Math.floor((10 * k) / 3), length, list.constructor.name);
      }
    });

    it('never decrease', () => {
      for (const largest of [1, 100, 5000]) {
        const clock = new EventClock(options, { kind: 'single', largest });
        const times = Float64Array.from({ length: 100_000 }, (_, k) => largest - 0.01 + k * 1e-7);
        const steps = clock.stepsOf(times);
        assert.deepEqual(steps, steps.toSorted());
      }
    });
  });
});
