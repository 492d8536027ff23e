/** Calls whose allocations or threads fail: each settles, leaves nothing, and disturbs no later one. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ROOT, runProgram } from '../support/processes';

/** The addon with fault injection; where there is none, nothing can be made to fail. */
const ADDON = join(ROOT, 'build/Release/expsyn_faults.node');

interface Outcome {
  name: string;
  attempts: number;
  rejections: number;
}

describe('when memory or threads run out', function () {
  this.timeout(240_000);

  let folder: string;

  before(function () {
    if (process.platform !== 'linux') this.skip();
    assert.ok(existsSync(ADDON), 'npm run setup has not built expsyn_faults.node');
    // The addon is loaded from build/Release of the package's own folder.
    folder = mkdtempSync(join(tmpdir(), 'expsyn-faults-'));
    cpSync(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true });
    cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
    mkdirSync(join(folder, 'build/Release'), { recursive: true });
    cpSync(ADDON, join(folder, 'build/Release/expsyn.node'));
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  async function run(kind: 'allocations' | 'threads'): Promise<Outcome[]> {
    const program = join(ROOT, 'test', 'support', 'fault-scenarios.ts');
    const { code, signal, output, errors } = await runProgram(
      process.execPath,
      ['--import=tsx', program, folder, kind],
      { hangMs: 200_000 },
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
      assert.ok(attempts >= 20, `${name}: ${attempts} attempts`);
      if (name !== 'workers that are terminated') assert.ok(rejections > 0, name);
    }
    assert.ok(outcomes.some(({ name }) => name === 'loading in a worker'));
  });

  it('every start of a thread may fail', async () => {
    const [outcome] = await run('threads');
    assert.ok(outcome !== undefined && outcome.attempts >= 4 && outcome.rejections >= 2);
  });
});
