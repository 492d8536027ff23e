/** What the command line says of a list of events, and what it is told: units, rates, the origin. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';

import { openSource } from '../../lib/runs/open-source';
import { requireNearOrigin } from '../../lib/cli/notes/event-notes';
import { encodeNpy, readNpyFile } from '../../lib/formats/npy/npy';
import type { Elements } from '../../lib/formats/elements';
import type { RasterSource } from '../../lib/formats/raster-source';
import { isCommandError } from '../support/command-errors';
import { Command, expsyn, succeed } from '../support/command-line';
import { emptyFolders } from '../support/folders';

const CHANNELS = 3;

/** Event k is of channel k % 3. */
async function writeEvents(
  path: string,
  times: readonly number[],
  firstChannel = 0,
): Promise<void> {
  const rows = times.flatMap((time, k) => [time, (k % CHANNELS) + firstChannel]);
  await writeFile(path, encodeNpy({ data: Float64Array.from(rows), shape: [times.length, 2] }));
}

/** What a run makes of a raster in which event k lies in step steps[k]. */
async function expectedOf(
  steps: readonly number[],
  timesteps: number,
  flags: readonly string[],
): Promise<Elements> {
  const data = new Uint16Array(timesteps * CHANNELS);
  for (const [k, step] of steps.entries()) {
    const index = step * CHANNELS + (k % CHANNELS);
    data[index] = (data[index] ?? 0) + 1;
  }
  await writeFile('raster.npy', encodeNpy({ data, shape: [timesteps, CHANNELS] }));
  await succeed('raster.npy', '--out', 'expected.npy', '--no-plot', ...flags);
  return (await readNpyFile('expected.npy')).data;
}

async function currentsOf(...flags: string[]): Promise<Elements> {
  await succeed('events.npy', '--events', '--out', 'isyn.npy', '--no-plot', ...flags);
  return (await readNpyFile('isyn.npy')).data;
}

interface StoredRun {
  job: { input: Record<string, unknown> };
}

async function inputOf(path: string): Promise<Record<string, unknown>> {
  return (JSON.parse(await readFile(`${path}.json`, 'utf8')) as StoredRun).job.input;
}

function range(length: number): number[] {
  return Array.from({ length }, (_, k) => k);
}

describe('options of events', () => {
  emptyFolders();

  it('take the unit of the times, and dt, as fractions and as rates', async () => {
    const steps = range(900);
    await writeEvents(
      'events.npy',
      steps.map((step) => step * 30),
    );
    const inMilliseconds = await expectedOf(steps, 900, []);
    for (const unit of ['1/30000', '30kHz', '30000Hz', '1/30ms']) {
      assert.deepEqual(await currentsOf('--time-unit', unit), inMilliseconds, unit);
    }
    const samples = steps.map((step) => step * 30);
    for (const dt of ['1/30000', '30kHz']) {
      const expected = await expectedOf(samples, 899 * 30 + 1, ['--dt', dt]);
      assert.deepEqual(await currentsOf('--time-unit', '30kHz', '--dt', dt), expected, dt);
    }
    const { code, err } = await expsyn('events.npy', '--events', '--time-unit', '30mHz');
    assert.equal(code, 2);
    assert.match(
      err,
      /^Expected a time above zero or a rate, .* for --time-unit but received '30mHz'/,
    );
  });

  it('take an origin, which the output, --like and workers keep', async () => {
    const begin = 1_700_000_000.25;
    const steps = range(300);
    await writeEvents(
      'events.npy',
      steps.map((step) => begin + step * 1e-3),
    );
    const expected = await expectedOf(steps, 300, []);
    assert.deepEqual(await currentsOf('--start', '1700000000.25'), expected);
    assert.equal((await inputOf('isyn.npy'))['start'], '6800000001/4');
    assert.match(
      await succeed('run', '--out', 'isyn.npy', '--resume', '--no-plot'),
      /^isyn\.npy is complete already/,
    );
    await succeed('run', '--like', 'isyn.npy', '--out', 'like.npy', '--no-plot');
    assert.deepEqual((await readNpyFile('like.npy')).data, expected);
    // A worker has the description alone.
    const input = JSON.parse(JSON.stringify(await inputOf('isyn.npy'))) as Parameters<
      typeof openSource
    >[0];
    const source = await openSource(input, 1e-3);
    assert.deepEqual(source.shape, [1, 300, CHANNELS]);
    await source.close();
    // Another origin is another run.
    const other = ['--start', '1700000000', '--resume', '--out', 'isyn.npy', '--no-plot'];
    assert.match(await succeed('events.npy', '--events', ...other), /\(550, 3\) uint16/);
  });

  it('take a negative origin', async () => {
    await writeEvents(
      'events.npy',
      range(200).map((step) => (step - 100) * 1e-3),
    );
    const expected = await expectedOf(range(200), 200, []);
    for (const start of ['-0.1', '-100ms', '-1/10']) {
      assert.deepEqual(await currentsOf('--start', start), expected, start);
    }
    const { code, err } = await expsyn('events.npy', '--events', '--no-plot');
    assert.equal(code, 1);
    assert.match(
      err,
      /^Expected times from 0 s on, where step 0 begins, .* event 0 is -0\.1; give/,
    );
  });

  it('leave out what is outside, which the output and --like keep', async () => {
    await writeEvents('events.npy', [-0.5, -0.001, 0, 0.001, 0.002, 0.25]);
    const expected = await expectedOf([0, 1, 2], 10, []);
    const flags = ['--duration', '10ms', '--outside', 'drop'];
    const out = await succeed(
      ...['events.npy', '--events', '--out', 'isyn.npy', '--no-plot', ...flags],
    );
    assert.match(
      out,
      /\nevents +3 events, 3 others left out, first at 0 s, last at 2 ms, 300 events/,
    );
    const longer = ['--duration', '11ms', '--start=-1ms', '--outside', 'drop', '--no-plot'];
    const one = await succeed('events.npy', '--events', '--out', 'longer.npy', ...longer);
    assert.match(one, /\nevents +4 events, 2 others left out, /);
    const all = ['--duration', '1s', '--start=-1ms', '--outside', 'drop', '--no-plot'];
    const rest = await succeed('events.npy', '--events', '--out', 'all.npy', ...all);
    assert.match(rest, /\nevents +5 events, 1 other left out, /);
    // Of the events that are left, the first is of channel 2.
    const channels = [2, 0, 1];
    const { data } = await readNpyFile('isyn.npy');
    for (let step = 0; step < 10; step++) {
      for (let channel = 0; channel < CHANNELS; channel++) {
        const of = step * CHANNELS;
        assert.equal(data[of + (channels[channel] ?? 0)], expected[of + channel]);
      }
    }
    assert.equal((await inputOf('isyn.npy'))['outside'], 'drop');
    await succeed('run', '--like', 'isyn.npy', '--out', 'like.npy', '--no-plot');
    assert.deepEqual((await readNpyFile('like.npy')).data, data);
    const again = ['--like', 'isyn.npy', '--outside', 'throw', '--out', 'not.npy', '--no-plot'];
    const { code, err } = await expsyn('run', ...again);
    assert.equal(code, 1);
    assert.match(err, /the time of event 0 is -0\.5;/);
  });

  it('are for lists of events only', async () => {
    await expectedOf([0], 1, []);
    for (const flags of [
      ['--channels', '3'],
      ['--outside', 'drop'],
      ['--time-unit', '30kHz'],
    ]) {
      const { code, err } = await expsyn('raster.npy', '--no-plot', ...flags);
      assert.equal(code, 1);
      assert.match(
        err,
        /^Expected a list of events in raster\.npy for --time-unit, --outside, .*\.\n$/,
      );
      const example = await expsyn('run', '--no-plot', ...flags);
      assert.equal(example.code, 2);
      assert.match(example.err, /^Expected an input with --events, --time-unit, --start, .*\.\n$/);
    }
  });

  describe('what is said', () => {
    it('is the count, the first and the last time and the rate', async () => {
      await writeEvents('events.npy', [0.5, 0.25, 0.999, 0.75]);
      const words =
        /events +4 events, first at 250 ms, last at 999 ms, 4 events\/s, 1\.33 of a channel/;
      const run = await expsyn('events.npy', '--events', '--out', 'isyn.npy', '--no-plot');
      assert.match(run.out, words);
      assert.equal(run.err, '');
      const info = await expsyn('info', 'events.npy', '--events');
      assert.match(info.out, words);
      assert.equal(info.err, '');
      const json = await succeed('info', 'events.npy', '--events', '--json');
      assert.deepEqual((JSON.parse(json) as { events: unknown }).events, {
        count: 4,
        first: 0.25,
        last: 0.999,
        rate: 4,
        ratePerChannel: 1.33,
      });
      const piped = new Command(['run', 'events.npy', '--events', '--out', '-'], { cwd: '.' });
      assert.equal((await piped.ended).code, 0);
      assert.equal(
        piped.err,
        'events.npy: 4 events, first at 250 ms, last at 999 ms, 4 events/s, 1.33 of a channel\n',
      );
      await writeFile('piped.npy', piped.out);
      assert.deepEqual(await readNpyFile('piped.npy'), await readNpyFile('isyn.npy'));
    });

    it('is that there are none', async () => {
      await writeEvents('events.npy', []);
      const flags = ['--duration', '1s', '--channels', '2', '--no-plot', '--out', 'isyn.npy'];
      const { out, err } = await expsyn('events.npy', '--events', ...flags);
      assert.match(out, /\nevents +0 events, 0 events\/s, 0 of a channel\n/);
      assert.equal(err, '');
    });

    it('is the origin of time where the first event is far from it', async () => {
      const times = range(30).map((k) => 1.7e9 + 0.5 + k * 0.01);
      await writeEvents('events.npy', times);
      const advice =
        /^Expected events soon after time 0, where step 0 begins, in events\.npy but the first is at 1700000000\.5 s, 1,700,000,000,500 steps of 1 ms later; give --start 1700000000s, or check --time-unit\.\n$/;
      for (const out of ['isyn.npy', 'isyn.zarr', '-']) {
        const flags = out === 'isyn.zarr' ? ['--compression', 'zstd'] : [];
        const { code, err } = await expsyn(
          'events.npy',
          '--events',
          '--no-plot',
          '--out',
          out,
          ...flags,
        );
        assert.equal(code, 1);
        assert.match(err, advice);
      }
      const info = await expsyn('info', 'events.npy', '--events');
      assert.match(info.out, /first at 1700000000\.5 s, last at 1700000000\.79 s, 103 events\/s/);
      assert.match(
        info.err,
        /^The first event of events\.npy is at .* give --start 1700000000s\.\n$/,
      );
      await succeed(
        ...['events.npy', '--events', '--start', '1700000000s', '--no-plot', '--out', 'isyn.npy'],
      );
      // Of so many steps that they are no number.
      await writeEvents('events.npy', [1.7e18, 1.7e18 + 1e6]);
      const { err } = await expsyn('events.npy', '--events', '--no-plot');
      assert.match(
        err,
        /^Expected times of fewer than 2\^53 steps .* from 0 s on, .* later --start\.\n$/,
      );
    });

    it('is the origin of time, and not the disk, where that has no room', async () => {
      await writeEvents('events.npy', [3600, 3600.5]);
      const input = { path: 'events.npy', format: 'events', timeUnit: 1 } as const;
      const source = await openSource(input, 1e-3);
      await source.close();
      const reading = { dt: 1e-3, name: 'events.npy' };
      assert.throws(
        () => {
          requireNearOrigin(source, { ...reading, input });
        },
        isCommandError(
          /the first is at 3600 s, 3,600,000 steps of 1 ms later; give --start 3600s,/,
        ),
      );
      requireNearOrigin(source, { ...reading, input: { ...input, start: '0' } });
      const near: RasterSource = await openSource({ ...input, start: '3600' }, 1e-3);
      await near.close();
      requireNearOrigin(near, { ...reading, input });
    });

    it('is that a run begins long before its first event, unless that was asked for', async () => {
      await writeEvents('events.npy', [20, 20.001, 21]);
      const flags = ['events.npy', '--events', '--no-plot', '--out', 'isyn.npy'];
      const { code, err } = await expsyn(...flags);
      assert.equal(code, 0);
      assert.equal(
        err,
        'The first event of events.npy is at 20 s, so the run begins with 20,000 steps without any, ' +
          'since time 0 is the beginning of step 0; to begin later, give --start 20s.\n',
      );
      for (const start of ['0', '20s', '19.9']) {
        assert.equal((await expsyn(...flags, '--start', start)).err, '');
      }
      await writeEvents('events.npy', [20, 45]);
      assert.equal((await expsyn(...flags)).err, '');
    });

    it('is that channels may count from 1', async () => {
      const flags = ['events.npy', '--events', '--tau', '1ms', '--no-plot', '--out', 'isyn.npy'];
      await writeEvents('events.npy', [0, 0.001, 0.002], 1);
      const line =
        'Channel 0 of events.npy has no event while the largest channel is 3; channels count from 0, so ' +
        'subtract 1 if those of the file count from 1.\n';
      assert.equal((await expsyn(...flags)).err, line);
      assert.equal((await expsyn('info', 'events.npy', '--events')).err, line);
      assert.equal((await expsyn('plot', 'events.npy', '--events')).err, line);
      assert.equal((await expsyn(...flags, '--channels', '4')).err, line);
      assert.equal((await expsyn(...flags, '--channels', '9')).err, '');
      const { code, err } = await expsyn(...flags, '--channels', '3');
      assert.equal(code, 1);
      assert.match(err, /channel of event 2 is 3; .* subtract 1 if the channels count from 1\.\n$/);
    });

    it('is that single precision is coarser than the steps', async () => {
      const times = range(30).map((k) => 20_000 + Math.fround(k * 0.002));
      await writeEvents('events.npy', times.map(Math.fround));
      // Many channels, so that there are fewer events than steps in each.
      const flags = ['--start', '20000', '--channels', '60', '--no-plot', '--out', 'isyn.npy'];
      const { err } = await expsyn('events.npy', '--events', ...flags);
      assert.match(
        err,
        /^The times of events\.npy are rounded to single precision, .* steps of 1 ms,/,
      );
      const coarser = await expsyn('events.npy', '--events', ...flags, '--dt', '10ms');
      assert.doesNotMatch(coarser.err, /single precision/);
    });

    it('is that a unit is a rounded one', async () => {
      await writeEvents('events.npy', [0, 30, 60]);
      const output = ['--tau', '1ms', '--no-plot', '--out', 'isyn.npy'];
      const flags = ['events.npy', '--events', ...output, '--time-unit'];
      for (const unit of ['33.3333us', '3.33333333e-5', '0.00003333']) {
        const { err } = await expsyn(...flags, unit);
        assert.match(
          err,
          /^The unit of the times of events\.npy is nearly, .* --time-unit 30000Hz if/,
        );
      }
      for (const unit of ['30kHz', '1/30000', '33us', '1ms', '0.25ms', '40.96us', '1/44100']) {
        assert.equal((await expsyn(...flags, unit)).err, '', unit);
      }
    });
  });
});
