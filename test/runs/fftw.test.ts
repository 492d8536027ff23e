/** Runs by transforms: their last digits depend on FFTW, and they need it. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { fftw } from '../../lib/index';
import { writeNpyFile } from '../../lib/formats/npy/npy';
import type { Job } from '../../lib/runs/job';
import { openSource } from '../../lib/runs/open-source';
import { describeDifference, prepareJob } from '../../lib/runs/prepare-job';
import { defaultSettings } from '../../lib/runs/settings';
import { wordMessage } from '../../lib/errors/message';
import { succeed } from '../support/command-line';
import { emptyFolders } from '../support/folders';
import { spikes } from '../support/oracle';
import { ROOT, runProgram } from '../support/processes';

describe('a run by transforms', () => {
  emptyFolders();

  beforeEach(async () => {
    await writeNpyFile('raster.npy', { data: spikes(300 * 4, 0.1, 5), shape: [300, 4] });
  });

  /** The command line where there is no FFTW. */
  const withoutFftw = (...args: string[]) =>
    runProgram(process.execPath, [join(ROOT, 'dist', 'cli', 'main.js'), ...args], {
      cwd: process.cwd(),
      env: { EXPSYN_FFTW: 'none' },
    });

  async function jobOf(out: string): Promise<Job> {
    const { provenance } = JSON.parse(await succeed('info', out, '--json')) as {
      provenance: { job: Job };
    };
    return provenance.job;
  }

  it('tells by which FFTW it was computed', async () => {
    for (const dtype of ['float64', 'float32'] as const) {
      const version = fftw()[dtype]?.version ?? '';
      assert.match(version, /^fftw-3/);
      const flags = ['--method', 'fft', '--dtype', dtype, '--no-plot'];
      await succeed('raster.npy', ...flags, '--out', `${dtype}.npy`);
      assert.equal((await jobOf(`${dtype}.npy`)).fftw, version);
      assert.ok((await succeed('info', `${dtype}.npy`)).includes(`method fft by ${version},`));
    }
    await succeed('raster.npy', '--no-plot', '--out', 'recursive.npy');
    assert.ok(!('fftw' in (await jobOf('recursive.npy'))));
    assert.match(await succeed('info', 'recursive.npy'), /method recursive, non-finite/);
  });

  it('is only continued by the same FFTW', async () => {
    const input = { path: 'raster.npy', format: 'npy' };
    const source = await openSource(input, 1e-3);
    const job = await prepareJob(
      {
        software: 'test',
        name: 'raster.npy',
        input,
        settings: { ...defaultSettings(), method: 'fft' },
        output: { format: 'npy' },
        stepsPerBlock: undefined,
        isQueued: false,
      },
      source,
    );
    await source.close();
    assert.equal(describeDifference(job, job), undefined);
    const difference = describeDifference(job, { ...job, fftw: 'fftw-3.3.8' });
    assert.equal(
      wordMessage(difference ?? ''),
      `it computes with fftw-3.3.8 and this system has ${fftw().float64?.version}`,
    );
  });

  it('is refused without FFTW, in the words of the command line', async () => {
    const flags = ['raster.npy', '--no-plot', '--out', 'out.npy'];
    const refused = await withoutFftw(...flags, '--method', 'fft');
    assert.deepEqual(refused, {
      code: 1,
      signal: null,
      output: '',
      errors:
        "Expected FFTW in double precision for --method fft but found none (EXPSYN_FFTW is 'none'); unset " +
        "EXPSYN_FFTW, or set it to the absolute path of the folder of FFTW's libraries, or use --method auto.\n",
    });
    assert.ok(!existsSync('out.npy') && !existsSync('.out.npy.part'));
    const computed = await withoutFftw(...flags, '--method', 'auto');
    assert.deepEqual([computed.code, computed.errors], [0, '']);
    assert.equal((await jobOf('out.npy')).method, 'recursive');
  });

  it('is left out of the benchmark without FFTW', async () => {
    const flags = ['bench', '--samples', '1000', '--rounds', '1'];
    const { code, output } = await withoutFftw(...flags);
    assert.equal(code, 0);
    assert.match(output, /^FFTW: none, so transforms are left out$/m);
    assert.doesNotMatch(output, /by transforms/);
    const complete = await succeed(...flags);
    assert.ok(complete.includes(`\nFFTW: ${fftw().float64?.version}\n`));
    assert.match(complete, /by transforms/);
  });
});
