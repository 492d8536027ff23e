/** Runs of which not every step of the output is kept. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, rename } from 'node:fs/promises';

import { readNpyFile, writeNpyFile } from '../../lib/formats/npy/npy';
import { wholeRegion } from '../../lib/formats/raster-source';
import { recognise } from '../../lib/formats/registry';
import { expsyn, succeed } from '../support/command-line';
import { emptyFolders } from '../support/folders';
import { spikes } from '../support/oracle';

const SHAPE = [2, 5003, 6] as const;
const [BATCHES, TIMESTEPS, SIZE] = SHAPE;

/** The full output, reduced. */
function reduced(full: ArrayLike<number | bigint>, every: number, reduce: string): number[] {
  const kept: number[] = [];
  for (let batch = 0; batch < BATCHES; batch++) {
    for (let group = 0; group < Math.floor(TIMESTEPS / every); group++) {
      for (let channel = 0; channel < SIZE; channel++) {
        const values = Array.from({ length: every }, (_, step) =>
          Number(full[(batch * TIMESTEPS + group * every + step) * SIZE + channel]),
        );
        const mean = values.reduce((sum, value) => sum + value, 0) / every;
        const peak = values.reduce((most, value) =>
          Math.abs(value) > Math.abs(most) ? value : most,
        );
        kept.push(reduce === 'last' ? (values.at(-1) ?? NaN) : reduce === 'mean' ? mean : peak);
      }
    }
  }
  return kept;
}

describe('a run with --every', () => {
  emptyFolders();

  beforeEach(async () => {
    const data = spikes(BATCHES * TIMESTEPS * SIZE, 0.05, 5);
    await writeNpyFile('raster.npy', { data, shape: SHAPE });
    await writeNpyFile('kernel.npy', { data: Float64Array.of(1, -0.5, 0.25), shape: [3] });
  });

  async function readOutput(path: string) {
    const { input } = await recognise(path);
    const source = await input.open(path, { dt: 1e-3 });
    const data = await source.read(wholeRegion(source.shape));
    await source.close();
    return { data, shape: source.shape };
  }

  const cases: [string, string[]][] = [
    ['a cut window', ['--tau', '10ms']],
    ['a state that is carried on', ['--window-taus', 'Infinity']],
    ['noise', ['--noise-std', '1', '--seed', '3', '--noise', 'state']],
    ['samples', ['--kernel', 'kernel.npy']],
    ['alpha', ['--kernel', 'alpha']],
  ];
  for (const [name, flags] of cases) {
    it(`writes what the full output has, reduced: ${name}`, async () => {
      // A multiple of every number of steps, so that the blocks are the same.
      const all = ['raster.npy', ...flags, '--steps', '140', '--no-plot'];
      await succeed(...all, '--out', 'full.npy');
      const full = (await readNpyFile('full.npy')).data;
      for (const [every, reduce, out] of [
        [20, 'last', 'last.npy'],
        [7, 'peak', 'peak.zarr'],
        [70, 'mean', 'mean.npy'],
        [35, 'last', 'last.zarr'],
      ] as const) {
        await succeed(...all, '--every', `${every}`, '--reduce', reduce, '--out', out);
        const { data, shape } = await readOutput(out);
        assert.deepEqual([...shape], [BATCHES, Math.floor(TIMESTEPS / every), SIZE]);
        const bound = reduce === 'mean' ? 1e-13 : 0;
        reduced(full, every, reduce).forEach((value, index) => {
          assert.ok(Math.abs(Number(data[index]) - value) <= bound);
        });
      }
    });
  }

  it('is described, drawn, and repeated by --like', async () => {
    await succeed('raster.npy', '--every', '20', '--reduce', 'mean', '--out', 'isyn.npy');
    assert.ok(existsSync('expsyn.svg'));
    assert.match(await succeed('info', 'isyn.npy'), /\nkept +every 20 steps, mean\n/);
    await succeed('plot', 'isyn.npy', '--from', '1s', '--to', '2s', '--out', 'part.svg');
    assert.match(await readFile('part.svg', 'utf8'), /<svg/);
    await succeed('raster.npy', '--like', 'isyn.npy', '--out', 'again.npy', '--no-plot');
    assert.deepEqual(await readFile('again.npy'), await readFile('isyn.npy'));
    await succeed('raster.npy', '--every', '9999', '--out', 'none.npy', '--no-plot');
    assert.deepEqual((await readNpyFile('none.npy')).shape, [BATCHES, 0, SIZE]);
  });

  it('keeps the steps of events, and refuses what means nothing', async () => {
    await writeNpyFile('events.npy', {
      data: Float64Array.of(0.0005, 0, 0.0302, 2, 0.0999, 1),
      shape: [3, 2],
    });
    const events = ['events.npy', '--events', '--duration', '0.1s', '--no-plot', '--out'];
    await succeed(...events, 'full.npy');
    await succeed(...events, 'kept.npy', '--every', '10');
    const [full, kept] = [await readNpyFile('full.npy'), await readNpyFile('kept.npy')];
    assert.deepEqual(kept.shape, [1, 10, 3]);
    kept.data.forEach((value, index) => {
      assert.equal(value, full.data[(Math.floor(index / 3) * 10 + 9) * 3 + (index % 3)]);
    });
    await rename('kept.npy', 'other.npy');
    const { code, err } = await expsyn('raster.npy', '--reduce', 'mean', '--out', 'x.npy');
    assert.equal(code, 2);
    assert.equal(
      err.split('\n')[0],
      'Expected --every of at least 2 with --reduce but received none.',
    );
    assert.match((await expsyn('raster.npy', '--every', '0')).err, /^Expected .* --every/);
  });
});
