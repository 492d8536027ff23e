/** The step of an event. */
import assert from 'node:assert/strict';
import { EventClock } from '../../lib/formats/events/event-clock';
import { randomNumbers } from '../support/oracle';
import { SECONDS, stepOf, exactStepOf } from '../support/event-lists';

describe('the clock of events', () => {
  describe('stepOf', () => {
    it('puts every multiple of dt, as it is rounded, in its own step', () => {
      assert.ok(0.043 / 0.001 < 43, 'the quotient alone does not do');
      const random = randomNumbers(1);
      for (const dt of [1e-3, 1e-4, 0.25e-3, 0.1, 1 / 3, 7e-6, 1, 0.7]) {
        for (const timeUnit of [1, 1e-3, 1e-6, 60]) {
          for (let i = 0; i < 500; i++) {
            const k = Math.floor(2 ** (40 * random()));
            for (const time of [(k * dt) / timeUnit, k * (dt / timeUnit)]) {
              const options = { dt, timeUnit };
              assert.equal(stepOf(time, options), k, `${time} * ${timeUnit} / ${dt}`);
              assert.equal(exactStepOf(time, options), k);
            }
          }
        }
      }
      for (let k = 0; k < 20_000; k++) {
        assert.equal(stepOf(Number(`${k}e-3`), SECONDS), k);
        assert.equal(stepOf(k, { dt: 1e-3, timeUnit: 1e-3 }), k);
        assert.equal(stepOf(Number(`${k}e-1`), { dt: 1e-4, timeUnit: 1e-3 }), k);
      }
    });

    it('knows what single precision loses', () => {
      const clock = new EventClock(SECONDS, { kind: 'single', largest: 20 });
      const steps = Float64Array.from({ length: 20_000 }, (_, k) => k);
      for (const times of [
        Float32Array.from(steps, (k) => Number(`${k}e-3`)),
        Float32Array.from(steps, (k) => (k + 0.99) * 1e-3),
      ]) {
        assert.deepEqual(clock.stepsOf(times), steps);
      }
    });

    it('rounds down what lies between', () => {
      const random = randomNumbers(2);
      for (const dt of [1e-3, 1e-4, 0.1, 1 / 3, 1]) {
        for (let i = 0; i < 2000; i++) {
          const options = { dt, timeUnit: i % 2 === 0 ? 1 : 1e-3 };
          const time = 2 ** (40 * random() - 20);
          assert.equal(stepOf(time, options), exactStepOf(time, options));
          const k = 1 + Math.floor(random() * 1e6);
          for (const [part, expected] of [
            [1.1e-3, k - 1],
            [0.9e-3, k],
          ] as const) {
            const early = ((k - part) * dt) / options.timeUnit;
            assert.equal(stepOf(early, options), expected);
            assert.equal(exactStepOf(early, options), expected);
          }
        }
      }
      assert.equal(stepOf(0, SECONDS), 0);
      assert.equal(stepOf(5e-324, SECONDS), 0);
    });

    it('never decreases', () => {
      for (const step of [1, 3, 1000, 123_456_789]) {
        let last = 0;
        for (let ulps = -20; ulps <= 20; ulps++) {
          const next = stepOf(step * 1e-3 * (1 + ulps * 2 ** -52), SECONDS);
          assert.ok(next >= last);
          last = next;
        }
        assert.equal(last, step);
      }
    });
  });
});
