/**
 * Recorded answers of every class of synapses: direct sums in extended precision. Errors are relative to the
 * recorded scale, which for signed input is the response to its absolute values.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import * as expsyn from '../../lib/index';
import type { Dtype, Synapses } from '../../lib/index';
import { goldenArray, TOLERANCE } from '../support/oracle';

interface RecordedCase {
  name: string;
  class: string;
  shape: number;
  options: Record<string, unknown>;
  scale: number;
  calls: { input: string; output: string }[];
}

const FOLDER = join(__dirname, '../golden-synapses');
const { cases } = JSON.parse(readFileSync(join(FOLDER, 'manifest.json'), 'utf8')) as {
  cases: RecordedCase[];
};

type Data = Float64Array | Float32Array | Uint8Array;
interface Input {
  data: Data;
  shape: number[];
}
type Run = (input: Input) => Promise<ArrayLike<number>>;

function makeModule(recorded: RecordedCase, options: object): Synapses<Dtype> {
  const Class = Reflect.get(expsyn, recorded.class) as new (
    size: number,
    options: object,
  ) => Synapses<Dtype>;
  const given = Object.entries(recorded.options).map(([name, value]) => [
    name,
    value === 'Infinity' ? Infinity : value,
  ]);
  return new Class(recorded.shape, { ...(Object.fromEntries(given) as object), ...options });
}

const read = (name: string) => goldenArray(name, FOLDER) as Input;

/** One item of a batch. */
function itemOf({ data, shape }: Input, item: number): Input {
  const [, steps = 0, size = 0] = shape;
  const length = steps * size;
  return { data: data.slice(item * length, (item + 1) * length), shape: [1, steps, size] };
}

/** The ways to compute the calls of a case. */
const WAYS: Record<string, (module: Synapses<Dtype>, batches: number) => Run> = {
  module: (module) => async (input) => (await module.evolve(input)).output.data,
  'module on the calling thread': (module) => (input) =>
    Promise.resolve(module.evolveSync(input).output.data),
  sessions: (module, batches) => {
    const sessions = Array.from({ length: batches }, () => module.session());
    return async (input) => {
      const parts = sessions.map((session, item) => session.evolve(itemOf(input, item)));
      return (await Promise.all(parts)).flatMap(({ output }) => Array.from(output.data));
    };
  },
  'gathered calls': (module, batches) => {
    const sessions = Array.from({ length: batches }, () => module.session());
    return (input) => Promise.resolve(module.evolveSessionsSync(sessions, input).output.data);
  },
};

describe('recorded answers of every class', () => {
  for (const recorded of cases) {
    const Class: unknown = Reflect.get(expsyn, recorded.class);
    const { methods } = (Class as { definition: { methods: readonly string[] } }).definition;
    for (const method of [...methods, 'auto']) {
      it(`${recorded.name}, ${recorded.class}, ${method}`, async () => {
        for (const dtype of ['float64', 'float32'] as const) {
          for (const [way, start] of Object.entries(WAYS)) {
            const [first] = recorded.calls;
            const batches = read(first?.input ?? '').shape[0] ?? 1;
            const run = start(makeModule(recorded, { dtype, method }), batches);
            for (const call of recorded.calls) {
              const actual = await run(read(call.input));
              const { data } = read(call.output);
              assert.equal(actual.length, data.length);
              let worst = 0;
              for (let i = 0; i < data.length; i++) {
                worst = Math.max(worst, Math.abs((data[i] ?? NaN) - (actual[i] ?? NaN)));
              }
              const error = worst / recorded.scale;
              assert.ok(error <= TOLERANCE[dtype], `${call.output}, ${dtype}, ${way}: ${error}`);
            }
          }
        }
      });
    }
  }
});
