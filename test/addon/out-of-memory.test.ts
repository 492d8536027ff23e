/** Calls whose allocations or threads fail: each settles, leaves nothing, and disturbs no later one. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';

import { ROOT, runProgram } from '../support/processes';
import { makeTestPackage } from '../support/test-package';

interface Outcome {
  name: string;
  attempts: number;
  rejections: number;
}

/** Of so many allocations one fails. Sanitizers make each attempt slow, and set it to more than one. */
const STEP = process.env['EXPSYN_FAULT_STEP'] ?? '1';

describe('when memory or threads run out', function () {
  this.timeout(600_000);

  let folder: string;

  before(function () {
    if (process.platform !== 'linux') this.skip();
    folder = makeTestPackage();
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  async function run(kind: 'allocations' | 'threads'): Promise<Outcome[]> {
    const program = join(ROOT, 'test', 'support', 'fault-scenarios.ts');
    const { code, signal, output, errors } = await runProgram(
      process.execPath,
      ['--import=tsx', program, folder, kind, STEP],
      { hangMs: 540_000 },
    );
    const last = output.trim().split('\n').at(-1);
    assert.deepEqual([code, signal], [0, null], `after ${last}: ${errors}`);
    return output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Outcome);
  }

  it('every allocation of every asynchronous call may fail', async () => {
    const outcomes = await run('allocations');
    for (const { name, attempts, rejections } of outcomes) {
      assert.ok(attempts >= 20 / Number(STEP), `${name}: ${attempts} attempts`);
      if (name !== 'workers that are terminated') assert.ok(rejections > 0, name);
    }
    assert.ok(outcomes.some(({ name }) => name === 'loading in a worker'));
  });

  it('every start of a thread may fail', async () => {
    const [outcome] = await run('threads');
    assert.ok(outcome !== undefined && outcome.attempts >= 4 && outcome.rejections >= 2);
  });
});
