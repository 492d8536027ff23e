/** Runs of a part of an input: the same bytes as those of a file that holds this part alone. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';

import { readNpyFile, writeNpyFile, type NpyArray } from '../../lib/formats/npy/npy';
import type { Provenance } from '../../lib/runs/provenance';
import { expsyn, succeed } from '../support/command-line';
import { emptyFolders } from '../support/folders';
import { randomNumbers } from '../support/oracle';
import { PYTHON } from '../support/python';

const [BATCHES, TIMESTEPS, CHANNELS] = [2, 700, 9];
const OTHERS = ['--tau', '20ms', '--noise-std', '0.3', '--seed', '5', '--no-plot'];

/** The same three events in files of every format whose times may be below 0. */
const BEFORE_ZERO = `
import h5py, numpy
times, channels = numpy.array([-0.3995, 0.2505, -0.0995]), numpy.array([0, 0, 1])
rows = numpy.c_[times, channels]
numpy.save('double.npy', rows)
numpy.save('columns.npy', numpy.asfortranarray(rows))
numpy.save('single.npy', rows.astype('f4'))
numpy.save('samples.npy', numpy.c_[numpy.round(times * 30000), channels].astype('i8'))
fields = numpy.zeros(3, dtype=[('time', 'f8'), ('channel', 'u2')])
fields['time'], fields['channel'] = times, channels
numpy.save('fields.npy', fields)
numpy.savez('events.npz', times=times, channels=channels)
open('table.csv', 'w').write('time,channel\\n' + ''.join('%r,%d\\n' % (float(t), c) for t, c in rows))
open('plain.txt', 'w').write(''.join('%r %d\\n' % (float(t), c) for t, c in rows))
with h5py.File('session.nwb', 'w') as f:
    u = f.create_group('units')
    u['spike_times'], u['spike_times_index'], u['id'] = times, numpy.array([2, 3]), numpy.array([0, 1])
with h5py.File('network.h5', 'w') as f:
    g = f.create_group('spikes/V1')
    g['timestamps'], g['node_ids'] = times * 1000, channels.astype('u8')
    g['timestamps'].attrs['units'] = 'ms'
with h5py.File('lists.h5', 'w') as f:
    for name, lists, kind in (('times', [times], 'f8'), ('units', [channels], 'u2')):
        d = f.create_dataset('spikes/' + name, (1,), dtype=h5py.vlen_dtype(numpy.dtype(kind)))
        d[0] = lists[0].astype(kind)
`;
const BEFORE_ZERO_FILES: [name: string, flags: string[]][] = [
  ['double.npy', ['--events']],
  ['columns.npy', ['--events']],
  ['single.npy', ['--events']],
  ['samples.npy', ['--events', '--time-unit', '30kHz']],
  ['fields.npy', []],
  ['events.npz', []],
  ['table.csv', []],
  ['plain.txt', ['--events']],
  ['session.nwb', []],
  ['network.h5', []],
  ['lists.h5', []],
];

describe('a part of an input', () => {
  emptyFolders();

  const random = randomNumbers(1);
  const raster = Uint8Array.from({ length: BATCHES * TIMESTEPS * CHANNELS }, () =>
    random() < 0.1 ? 1 : 0,
  );

  /** The raster of some steps and channels. */
  function partOf(begin: number, end: number, channels: readonly number[]): Uint8Array {
    const part: number[] = [];
    for (let item = 0; item < BATCHES; item++) {
      for (let step = begin; step < end; step++) {
        const row = (item * TIMESTEPS + step) * CHANNELS;
        part.push(...channels.map((channel) => raster[row + channel] ?? 0));
      }
    }
    return Uint8Array.from(part);
  }

  async function jobOf(out: string): Promise<Provenance['job']> {
    return (JSON.parse(await readFile(`${out}.json`, 'utf8')) as Provenance).job;
  }

  const all = Array.from({ length: CHANNELS }, (_, channel) => channel);
  const cases: [flags: string[], begin: number, end: number, channels: number[]][] = [
    [['--start', '0s'], 0, TIMESTEPS, all],
    [['--start', '1ms'], 1, TIMESTEPS, all],
    [['--start', '699ms'], 699, 700, all],
    [['--duration', '1ms'], 0, 1, all],
    [['--duration', '700ms'], 0, 700, all],
    [['--start', '199ms', '--duration', '201ms'], 199, 400, all],
    [['--channels', '0-8'], 0, 700, all],
    [['--channels', '8-8'], 0, 700, [8]],
    [['--channels', '0,2-3,7-'], 0, 700, [0, 2, 3, 7, 8]],
    [['--channels', '7-,2-3,0,3'], 0, 700, [0, 2, 3, 7, 8]],
    [['--start', '0.5s', '--duration', '0.1s', '--channels', '4,6-'], 500, 600, [4, 6, 7, 8]],
  ];
  for (const [flags, begin, end, channels] of cases) {
    for (const [kind, more] of [
      ['.npy', []],
      ['.zarr', []],
      ['.npy', ['--steps', '67']],
    ] as const) {
      it(`is a raster of its own: ${flags.join(' ')}, ${kind} ${more.join(' ')}`, async () => {
        await writeNpyFile('whole.npy', { data: raster, shape: [BATCHES, TIMESTEPS, CHANNELS] });
        const shape = [BATCHES, end - begin, channels.length];
        await writeNpyFile('part.npy', { data: partOf(begin, end, channels), shape });
        let whole = 'whole.npy';
        if (kind === '.zarr') {
          // A raster in chunks: the currents of a kernel of one sample are the input itself.
          await writeNpyFile('one.npy', { data: Float64Array.of(1), shape: [1] });
          whole = 'whole.zarr';
          await succeed('whole.npy', '--kernel', 'one.npy', '--out', whole, '--no-plot');
          const copy = ['--kernel', 'one.npy', '--out', 'copy.npy', '--no-plot'];
          await succeed('part.npy', ...copy);
          await succeed('copy.npy', '--out', 'expected.npy', ...OTHERS);
        } else {
          await succeed('part.npy', '--out', 'expected.npy', ...more, ...OTHERS);
        }
        await succeed(whole, '--out', 'found.npy', ...flags, ...more, ...OTHERS);
        assert.deepEqual(await readFile('found.npy'), await readFile('expected.npy'));
      });
    }
  }

  it('is known by the provenance, by runs that are like it, by info and by pictures', async () => {
    await writeNpyFile('whole.npy', { data: raster, shape: [BATCHES, TIMESTEPS, CHANNELS] });
    const flags = ['--start', '0.1s', '--duration', '300ms', '--channels', '2,5-6'];
    await succeed('whole.npy', '--out', 'a.npy', ...flags, '--no-plot');
    const { input, shape, unitIds } = await jobOf('a.npy');
    assert.deepEqual(
      [input.start, input.duration, input.selected],
      [
        '1/10',
        0.3,
        [
          [2, 2],
          [5, 6],
        ],
      ],
    );
    assert.deepEqual(
      [shape, unitIds],
      [
        [BATCHES, 300, 3],
        [2, 5, 6],
      ],
    );
    assert.match(await succeed('info', 'a.npy'), /\nunits +2, 5, 6\n/);
    await succeed('plot', 'a.npy', '--out', 'a.svg');
    assert.match(await readFile('a.svg', 'utf8'), /<svg/);
    await succeed('whole.npy', '--like', 'a.npy', '--out', 'b.npy', '--no-plot');
    assert.deepEqual(await readFile('b.npy'), await readFile('a.npy'));
    // Another part is another run.
    const other = await expsyn('whole.npy', '--out', 'a.npy', '--resume', '--no-plot');
    assert.equal(other.code, 0, other.err);
    assert.deepEqual((await jobOf('a.npy')).shape, [BATCHES, TIMESTEPS, CHANNELS]);
  });

  it('is chosen among lists of events by the ids of the channels, and may begin before 0', async () => {
    const times = [-0.5, -0.2505, 0.1, 0.2];
    const rows = Float64Array.from(times.flatMap((time, k) => [time, [3, 4, 5, 3][k] ?? 0]));
    await writeNpyFile('events.npy', { data: rows, shape: [4, 2] });
    const flags = ['--events', '--duration', '1s', '--no-plot'];
    await succeed('events.npy', '--start', '-0.5s', '--out', 'all.npy', ...flags);
    for (const start of [['--start', '-0.5s'], ['--start=-0.5s']]) {
      const out = await succeed(
        'events.npy',
        ...[...start, '--channels', '3,5', '--out', 'some.npy', ...flags],
      );
      assert.match(out, /^raster +\(1000, 2\) uint16, 3 spikes, /);
      assert.deepEqual((await jobOf('some.npy')).unitIds, [3, 5]);
      const [all, some] = await Promise.all(
        ['all.npy', 'some.npy'].map(async (name) => {
          const bytes = (await readFile(name)).subarray(128);
          return new Float64Array(
            bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
          );
        }),
      );
      assert.ok(some);
      assert.equal(some.length, 2000);
      some.forEach((value, index) => {
        const channel = [3, 5][index % 2] ?? NaN;
        assert.equal(value, all?.[Math.floor(index / 2) * 6 + channel]);
      });
    }
  });

  it('may begin before 0 in every format of events', async function () {
    this.timeout(60_000);
    execFileSync(PYTHON, ['-c', BEFORE_ZERO]);
    // A kernel of one sample: the currents are the counts.
    await writeNpyFile('one.npy', { data: Float64Array.of(1), shape: [1] });
    for (const [name, flags] of BEFORE_ZERO_FILES) {
      const part = ['--start', '-0.5s', ...flags];
      const run = [name, ...part, '--duration', '1s', '--kernel', 'one.npy', '--no-plot'];
      await succeed(...run, '--out', 'all.npy');
      await succeed(...run, '--out', 'some.npy', '--channels', '1-');
      const [all, some] = [await readNpyFile('all.npy'), await readNpyFile('some.npy')];
      assert.deepEqual(all.shape, [1, 1000, 2], name);
      assert.deepEqual(some.shape, [1, 1000, 1], name);
      const stepsOf = ({ data }: NpyArray, n: number, channel: number) =>
        Array.from(data, Number).flatMap((value, index) =>
          value === 1 && index % n === channel ? [Math.floor(index / n)] : [],
        );
      assert.deepEqual([stepsOf(all, 2, 0), stepsOf(all, 2, 1)], [[100, 750], [400]], name);
      assert.deepEqual(stepsOf(some, 1, 0), [400], name);
      const { input } = await jobOf('some.npy');
      assert.deepEqual([input.start, input.selected], ['-1/2', [[1, null]]], name);
      assert.match(
        await succeed('info', name, ...part),
        /events +3 events, first at -39[89]\S* ms, /,
      );
      // Pictures take long.
      if (/double|nwb/.test(name)) {
        await succeed('plot', name, ...part, '--out', 'a.svg');
        await succeed('plot', 'some.npy', '--out', 'b.svg');
      }
      const like = ['--like', 'some.npy', '--out', 'c.npy', '--no-plot'];
      await succeed(name, ...flags.filter((flag) => flag === '--events'), ...like);
      assert.deepEqual(await readFile('c.npy'), await readFile('some.npy'), name);
    }
  });

  it('is replaced by a number of channels, and its time is not that of another kind of input', async () => {
    await writeNpyFile('whole.npy', { data: raster, shape: [BATCHES, TIMESTEPS, CHANNELS] });
    await writeFile('events.csv', 'time,channel\n0.1,3\n0.2,5\n');
    const list = ['events.csv', '--no-plot'];
    await succeed(...list, '--start', '50ms', '--channels', '3-3', '--out', 'a.npy');
    await succeed(...list, '--like', 'a.npy', '--channels', '6', '--out', 'b.npy');
    const job = await jobOf('b.npy');
    assert.deepEqual([job.shape[2], job.input.selected, job.input.start], [6, undefined, '1/20']);
    await succeed('whole.npy', '--like', 'b.npy', '--out', 'c.npy', '--no-plot');
    assert.deepEqual((await jobOf('c.npy')).shape, [BATCHES, TIMESTEPS, CHANNELS]);
  });

  it('is not begun where nothing is computed of a raster', async () => {
    await writeNpyFile('whole.npy', { data: raster, shape: [BATCHES, TIMESTEPS, CHANNELS] });
    await succeed('whole.npy', '--out', 'a.npy', '--no-plot');
    for (const [args, advice] of [
      [['info', 'whole.npy'], 'leave it out'],
      [['info', 'a.npy'], 'leave it out'],
      [['plot', 'whole.npy', '--out', 'x.svg'], 'give --from'],
      [['plot', 'a.npy', '--out', 'x.svg'], 'give --from'],
    ] as const) {
      const { code, err } = await expsyn(...args, '--start', '0.1s');
      const name = args[1];
      assert.deepEqual(
        [code, err],
        [1, `Expected a list of events in ${name} for --start but received a raster; ${advice}.\n`],
      );
    }
  });

  it('of units that have ids is chosen by these', async () => {
    const rows = Float64Array.of(0.001, 11, 0.002, 40, 0.003, 7, 0.004, 40);
    const text = Array.from({ length: 4 }, (_, k) => `${rows[2 * k]},${rows[2 * k + 1]}`);
    await writeFile('spikes.csv', `time,unit_id\n${text.join('\n')}\n`);
    await succeed('spikes.csv', '--out', 'all.npy', '--no-plot');
    assert.deepEqual((await jobOf('all.npy')).unitIds, [7, 11, 40]);
    await succeed('spikes.csv', '--channels', '11,30-', '--out', 'some.npy', '--no-plot');
    const { unitIds, shape } = await jobOf('some.npy');
    assert.deepEqual(
      [unitIds, shape],
      [
        [11, 40],
        [1, 5, 2],
      ],
    );
    const { code, err } = await expsyn('spikes.csv', '--channels', '8-10', '--no-plot');
    assert.deepEqual(
      [code, err],
      [
        1,
        'Expected ids of units among 7, 11, 40 in spikes.csv for --channels but received 8-10.\n',
      ],
    );
  });

  it('is refused where there is none, by one sentence', async () => {
    await writeNpyFile('whole.npy', { data: raster, shape: [BATCHES, TIMESTEPS, CHANNELS] });
    await writeNpyFile('one.npy', { data: raster.slice(0, 50), shape: [50, 1] });
    for (const [name, flags, exitCode, message] of [
      [
        'whole',
        ['--start', '1.5ms'],
        1,
        /^Expected a whole number of steps of 0\.001 s for --start/,
      ],
      [
        'whole',
        ['--start', '-1ms'],
        1,
        /^Expected a time from 0 s to before the end of whole\.npy/,
      ],
      [
        'whole',
        ['--start', '0.7s'],
        1,
        /which has 700 steps of 0\.001 s, .* but received 0\.7 s\./,
      ],
      ['whole', ['--start', '1e20s'], 1, /^Expected a time from 0 s to before the end/],
      [
        'whole',
        ['--duration', '0.7011s'],
        1,
        /^Expected 1 to 700 steps of 0\.001 s for --duration/,
      ],
      ['whole', ['--start', '0.6s', '--duration', '0.2s'], 1, /^Expected 1 to 100 steps/],
      ['whole', ['--channels', '9-9'], 1, /^Expected channels from 0 to 8 in whole\.npy/],
      ['whole', ['--channels', '3-9'], 1, /for --channels but received 3-9\.\n$/],
      ['whole', ['--channels', '9-'], 1, /for --channels but received 9-\.\n$/],
      ['whole', ['--channels', '4-3'], 2, /^Expected ids of channels such as 0-9,12,40- for/],
      ['whole', ['--channels', '1,'], 2, /but received '1,'\.\n$/],
      ['whole', ['--channels', '-3'], 2, /but received '-3'\.\n$/],
      ['whole', ['--channels', '1-2-3'], 2, /but received '1-2-3'\.\n$/],
      ['whole', ['--channels', '1,99999999999999999999'], 2, /^Expected ids of channels/],
      ['one', ['--channels', '0-0'], 1, /^Expected several channels in one\.npy/],
    ] as const) {
      const { code, err } = await expsyn(`${name}.npy`, '--no-plot', ...flags);
      assert.match(err, message);
      assert.equal(code, exitCode, err);
      assert.equal(err.trim().split('\n').length, 1, err);
    }
    const pipe = await expsyn('-', '--start', '1ms', '--out', 'x.npy', '--no-plot');
    assert.match(pipe.err, /^Expected a file for --start, --duration and --channels, .*pipe\.\n$/);
  });
});
