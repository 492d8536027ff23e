/** Mistakes that are allowed: each gets a line on the standard error, and the exit code stays 0. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import {
  noteOnAxes,
  noteOnEventList,
  noteOnLongTau,
  noteOnRate,
  noteOnShortTau,
  type InputHeader,
} from '../../lib/cli/notes/notes';
import { summarizeInput } from '../../lib/figure/input-summary';
import { encodeNpy, writeNpyFile } from '../../lib/formats/npy/npy';
import type { Elements } from '../../lib/formats/elements';
import { Command, expsyn, succeed } from '../support/command-line';
import { emptyFolders } from '../support/folders';

describe('silent mistakes', function () {
  const work = emptyFolders();

  this.timeout(60_000);

  const ones = (length: number, every = 10): Uint8Array =>
    Uint8Array.from({ length }, (_, index) => (index % every === 0 ? 1 : 0));

  /** Times of events in order, and their channels. */
  const events = (length: number): Float64Array =>
    Float64Array.from({ length: 2 * length }, (_, index) =>
      index % 2 === 0 ? 0.00217 * (index + 1) : (index * 7919) % 13,
    );

  async function save(data: Elements, shape: number[], name = 'raster.npy'): Promise<void> {
    await writeNpyFile(name, { data, shape });
  }

  /** What a run that succeeds says on the standard error. */
  async function notesOf(...args: string[]): Promise<string> {
    const { code, err } = await expsyn(...args);
    assert.equal(code, 0, err);
    return err;
  }

  const LONG =
    /^The tau of 20 s is longer than the input, which lasts 400 ms; a time without a unit is in seconds\.\n$/;
  const SHORT =
    /^The tau of 20 \u00b5s is shorter than a tenth of the time step of 1 ms, [^\n]*\.\n$/;

  it('are told of for a tau longer than the input', async () => {
    await save(ones(1200), [400, 3]);
    assert.match(await notesOf('raster.npy', '--no-plot', '--tau', '20'), LONG);
    const some = await notesOf('raster.npy', '--no-plot', '--tau', '5ms,0.5,20ms');
    assert.match(some, /^The longest tau of 500 ms is longer than the input, [^\n]*\.\n$/);
    // As long as the input is not longer.
    assert.equal(await notesOf('raster.npy', '--no-plot', '--tau', '0.4'), '');
  });

  it('are told of for a tau shorter than a tenth of a step', async () => {
    await save(ones(1200), [400, 3]);
    assert.match(await notesOf('raster.npy', '--no-plot', '--tau', '20us'), SHORT);
    const some = await notesOf('raster.npy', '--no-plot', '--tau', '5ms,99us,20ms');
    assert.match(some, /^The shortest tau of 99 \u00b5s is shorter/);
    const dt = await notesOf('raster.npy', '--no-plot', '--tau', '20ms', '--dt', '1');
    assert.match(dt, /^The tau of 20 ms is shorter than a tenth of the time step of 1 s/);
    assert.equal(await notesOf('raster.npy', '--no-plot', '--tau', '0.1ms'), '');
  });

  it('are told of for fewer steps than channels', async () => {
    await save(ones(1200), [30, 40]);
    assert.equal(
      await notesOf('raster.npy', '--no-plot'),
      'raster.npy, of shape (30, 40), has fewer time steps than channels; if its axes are swapped, ' +
        'save it with shape (T, N), as array.T has.\n',
    );
    await save(ones(2400), [2, 30, 40], 'batch.npy');
    const batch = await notesOf('batch.npy', '--no-plot');
    assert.match(
      batch,
      /of shape \(2, 30, 40\).* with shape \(B, T, N\), as array\.swapaxes\(1, 2\) has/,
    );
    await save(ones(1600), [40, 40], 'square.npy');
    assert.equal(await notesOf('square.npy', '--no-plot'), '');
    // A row for all channels has no axes to swap.
    await save(ones(20), [20], 'row.npy');
    const taus = Array.from({ length: 30 }, () => '5ms').join();
    assert.equal(await notesOf('row.npy', '--no-plot', '--tau', taus), '');
  });

  it('are told of for more than one spike per channel and step', async () => {
    await save(
      Uint8Array.from({ length: 1200 }, (_, index) => index % 7),
      [400, 3],
    );
    assert.match(
      await notesOf('raster.npy', '--no-plot'),
      /^raster\.npy has 3 spikes per channel and time step on average, or 3000 spikes\/s; check that its elements are spike counts\.\n$/,
    );
    for (const data of [
      new Uint8Array(1200).fill(1),
      Float64Array.from({ length: 1200 }, () => 7.5),
      Int16Array.from({ length: 1200 }, (_, index) => (index === 0 ? -1 : 5)),
    ]) {
      await save(data, [400, 3]);
      assert.equal(await notesOf('raster.npy', '--no-plot'), '', data.constructor.name);
    }
  });

  it('are told of where only the whole input tells, once', async () => {
    const [timesteps, size] = [300_000, 8];
    for (const quiet of [0, 0.6]) {
      const data = new Uint8Array(timesteps * size).fill(4, quiet * timesteps * size);
      await save(data, [timesteps, size]);
      const notes = await notesOf('raster.npy', '--no-plot', '--restart');
      assert.equal(notes.split('\n').length, 2, notes);
      const pattern =
        quiet === 0 ? /^The beginning of raster\.npy has 4 / : /^raster\.npy has 1\.6 /;
      assert.match(notes, pattern);
    }
  });

  it('are told of for a list of events without --events', async () => {
    await save(events(200), [200, 2], 'events.npy');
    const note =
      'events.npy, of shape (200, 2) float64, looks like a list of events; if it is one, give ' +
      '--events.\n';
    assert.equal(await notesOf('events.npy', '--no-plot'), note);
    assert.equal(await notesOf('info', 'events.npy'), note);
    assert.equal(await notesOf('plot', 'events.npy'), note);
    await succeed('events.npy', '--events', '--no-plot', '--out', 'isyn.npy');
    // The run that is repeated has read it as a list.
    assert.equal(await notesOf('events.npy', '--like', 'isyn.npy', '--no-plot'), '');
    // A short one is shorter than tau, too, but its length says nothing.
    await save(events(3), [3, 2], 'short.npy');
    assert.equal((await notesOf('short.npy', '--no-plot')).split('\n').length, 2);
  });

  it('are told of for times of events without their channels', async () => {
    const times = Float64Array.from({ length: 200 }, (_, index) => 0.00217 * (index + 1));
    await save(times, [200], 'times.npy');
    const note =
      'times.npy, of shape (200,) float64, looks like times of events without their channels; if it ' +
      'is, save a .npy file of shape (E, 2), as numpy.c_[times, channels] has it, and give --events.\n';
    assert.equal(await notesOf('times.npy', '--no-plot'), note);
    assert.equal(await notesOf('info', 'times.npy'), note);
    for (const [name, data] of [
      ['falling', times.slice().reverse()],
      ['negative', times.map((time) => time - 0.1)],
      ['whole', times.map((_, index) => index)],
      ['constant', times.fill(0.5)],
    ] as const) {
      await save(data, [200], 'other.npy');
      assert.doesNotMatch(await notesOf('info', 'other.npy'), /./, name);
    }
  });

  it('are told of for a list of events with its columns swapped', async () => {
    const data = events(200);
    const swapped = data.map((_, index) => data[index ^ 1] ?? NaN);
    await save(swapped, [200, 2], 'swapped.npy');
    assert.match(
      await notesOf('swapped.npy', '--no-plot'),
      /^swapped\.npy, .* with the channel before the time; if it is one, save it with the time first, [^\n]*\.\n$/,
    );
  });

  it('are told of in every format of inputs, and through pipes', async () => {
    await save(ones(1200), [400, 3]);
    await succeed('raster.npy', '--no-plot', '--out', 'whole.zarr');
    const zarr = await notesOf('whole.zarr', '--no-plot', '--tau', '20');
    assert.match(zarr, LONG);
    await mkdir('list.zarr/c/0', { recursive: true });
    await writeFile('list.zarr/c/0/0', events(200));
    const document = JSON.parse(await readFile('whole.zarr/zarr.json', 'utf8')) as object;
    const grid = { name: 'regular', configuration: { chunk_shape: [200, 2] } };
    const codecs = [{ name: 'bytes', configuration: { endian: 'little' } }];
    const changes = { shape: [200, 2], chunk_grid: grid, codecs, attributes: {} };
    await writeFile('list.zarr/zarr.json', JSON.stringify({ ...document, ...changes }));
    assert.match(
      await notesOf('list.zarr', '--no-plot'),
      /^list\.zarr, .* looks like a list of events; if it is one, save it as a \.npy file, and give --events/,
    );
    const array = encodeNpy({ data: events(200), shape: [200, 2] });
    const command = new Command(['run', '-', '--out', '-'], { cwd: work.path });
    command.child.stdin?.end(array);
    await command.ended;
    assert.match(
      command.err,
      /^The standard input, .* looks like a list of events; if it is one, save it as a \.npy file, and give --events/,
    );
    assert.equal(command.err.split('\n').length, 2);
    // Nothing of it is among the data.
    assert.equal(command.out.length, array.length);
    assert.equal(command.out.toString('latin1', 1, 6), 'NUMPY');
  });

  it('are told of for more than one event per channel and step', async () => {
    const data = events(200).map((value, index) => (index % 2 === 0 ? value / 1000 : 0));
    await save(data, [200, 2], 'events.npy');
    const flags = ['--events', '--no-plot', '--tau', '0.1ms'];
    const notes = await notesOf('events.npy', ...flags);
    assert.match(
      notes,
      /^events\.npy has 200 spikes per channel .*, or 200000 spikes\/s; check --time-unit and --dt\.\n$/,
    );
  });

  it('are told of once, however many blocks there are, and again when a run goes on', async () => {
    await save(ones(60_000), [20_000, 3]);
    const flags = ['raster.npy', '--no-plot', '--tau', '50', '--steps', '64', '--out', 'isyn.npy'];
    const note = /^The tau of 50 s is longer than the input, which lasts 20 s; [^\n]*\n$/;
    assert.match(await notesOf(...flags), note);
    assert.equal(await notesOf(...flags, '--resume'), '', 'it is complete already');
    assert.match(
      await notesOf('raster.npy', '--no-plot', '--like', 'isyn.npy', '--out', 'b.npy'),
      note,
    );
    // A run that was ended on the way.
    const data = new Float64Array(60_000);
    data[59_000] = NaN;
    await save(data, [20_000, 3], 'nan.npy');
    const more = ['nan.npy', '--no-plot', '--tau', '50', '--steps', '64', '--out', 'c.npy'];
    const { code, err } = await expsyn(...more);
    assert.equal(code, 1);
    assert.match(err, /^The tau of 50 s is [^\n]*\nExpected finite [^\n]*\n$/);
    assert.match(await notesOf(...more, '--resume', '--non-finite', 'propagate'), note);
  });

  it('are told of all that there are, each in a line', async () => {
    await save(new Uint8Array(1200).fill(3), [30, 40]);
    const notes = await notesOf('raster.npy', '--no-plot', '--tau', `20,${'5us,'.repeat(38)}5us`);
    assert.equal(notes.split('\n').length, 5, notes);
    for (const words of [
      'fewer time steps',
      'longest tau of 20 s',
      'shortest tau of 5',
      '3 spikes',
    ]) {
      assert.ok(notes.includes(words), words);
    }
  });

  it('are none where nothing is computed, or nothing is wrong', async () => {
    await save(new Uint8Array(0), [0, 40]);
    assert.equal(await notesOf('raster.npy', '--no-plot', '--tau', '20'), '');
    assert.equal(await notesOf('info', 'raster.npy'), '');
    await save(ones(1200), [400, 3]);
    assert.equal(await notesOf('raster.npy', '--no-plot'), '');
    assert.equal(await notesOf('info', 'raster.npy'), '');
    assert.equal(await notesOf('plot', 'raster.npy'), '');
    assert.equal(await notesOf(), '');
  });

  it('do not keep a wrong input from being refused', async () => {
    await save(ones(1200), [30, 40]);
    await writeFile('short.npy', (await readFile('raster.npy')).subarray(0, 900));
    const { code, err } = await expsyn('short.npy', '--tau', '20');
    assert.equal(code, 1);
    assert.match(err, /^Expected 1200 bytes of elements in short\.npy[^\n]*\n$/);
  });

  for (const [dtype, type, large] of [
    ['float64', 'float64', 1e308],
    ['float32', 'float64', 3e38],
    ['float32', 'float32', 3e38],
  ] as const) {
    for (const out of ['isyn.npy', 'isyn.zarr']) {
      it(`are told of after the run: sums of ${type} beyond ${dtype} in ${out}`, async () => {
        const data = type === 'float32' ? new Float32Array(1200) : new Float64Array(1200);
        const overflow = async (...flags: string[]): Promise<string> => {
          await save(data, [400, 3]);
          const args = ['--dtype', dtype, '--out', out, '--no-plot', '--restart', ...flags];
          return notesOf('raster.npy', '--tau', '20ms', ...args);
        };
        const largest = dtype === 'float64' ? Number.MAX_VALUE : 2 ** 128;
        let [current, count] = [0, 0];
        for (let step = 0; step < 400; step++) {
          current = (current + (step < 3 ? 1 : 0)) * Math.exp(-1 / 20);
          if (current > largest / large) count++;
        }
        // The other channels stay finite.
        data.set([large, 0, 0, large, large, 0, large, 0, 0]);
        assert.match(
          await overflow(),
          new RegExp(
            `^${count} of 1,200 currents are infinite, since sums went beyond the largest ${dtype}; scale the input down\\.\\n$`,
          ),
        );
        data.fill(0);
        data.set([large, -large, 0]);
        assert.equal(await overflow(), '');
        data.fill(0);
        data[0] = Infinity;
        assert.equal(await overflow('--non-finite', 'propagate'), '');
      });
    }
  }

  it('are told of in the summary: sums and values that are no counts', async () => {
    const data = new Float64Array(1200);
    const lineOf = async (): Promise<string> => {
      await save(data, [400, 3]);
      const out = await succeed('raster.npy', '--no-plot', '--non-finite', 'propagate');
      return /^raster .*$/m.exec(out)?.[0] ?? '';
    };
    data.set([1e308, 1e308, 1e308]);
    assert.match(await lineOf(), /float64, 3 values other than 0$/);
    data.set([Infinity, NaN, -Infinity]);
    assert.match(await lineOf(), /float64, 3 values other than 0, of which 3 not finite$/);
    data.set([-2, 0, 0]);
    assert.match(await lineOf(), /float64, 1 value other than 0$/);
    data.set([0.5, 0, 1]);
    assert.match(await lineOf(), /float64, 2 values other than 0$/);
    data.fill(0.5);
    data[0] = NaN;
    assert.match(await lineOf(), /float64, 1,200 values other than 0, of which 1 not finite$/);
    data.fill(0);
    data.set([2, 0, 1]);
    assert.match(await lineOf(), /float64, 3 spikes, mean rate 2\.5 spikes\/s$/);
    const large = Float64Array.from({ length: 1200 }, () => 2 ** 53 - 1);
    await save(large, [400, 3]);
    const { out, err } = await expsyn('raster.npy', '--no-plot', '--restart');
    assert.match(out, /, about 1\.08e\+19 spikes, mean rate 9010000000000000000 spikes\/s\n/);
    assert.match(err, /^raster\.npy has 9010000000000000 spikes per channel and time step/);
  });
});

describe('notes', () => {
  const header: InputHeader = {
    name: 'a.npy',
    shape: [1, 100, 2],
    nAxes: 2,
    type: 'float64',
    isEvents: false,
    mayBeEventList: true,
  };
  const pairs = (length: number, pairOf: (row: number) => [number, number]): Float64Array =>
    Float64Array.from(Array.from({ length }, (_, row) => pairOf(row)).flat());

  const lists: [name: string, rows: Float64Array, isList: boolean][] = [
    ['times in seconds, in order', pairs(100, (row) => [row / 997, row % 5]), true],
    ['times that begin far from 0', pairs(100, (row) => [5000 + row / 997, row % 5]), true],
    ['times in no order', pairs(100, (row) => [((row * 37) % 100) / 99, row % 5]), true],
    ['ticks of a clock', pairs(100, (row) => [30 * row, row % 5]), true],
    ['events of one channel', pairs(100, (row) => [row / 997, 0]), true],
    ['spikes of two channels', pairs(100, (row) => [row % 2, row % 3 === 0 ? 1 : 0]), false],
    ['counts of two channels', pairs(100, (row) => [row % 4, row % 7]), false],
    ['silence', pairs(100, () => [0, 0]), false],
    ['currents of two channels', pairs(100, (row) => [row / 7, row / 3]), false],
    ['currents beside silence', pairs(100, (row) => [Math.abs(Math.sin(row)), 0]), false],
    ['negative currents', pairs(100, (row) => [Math.sin(row), row % 5]), false],
    ['values that are not finite', pairs(100, (row) => [row / 7, row === 5 ? NaN : 1]), false],
    ['times that are not finite', pairs(100, (row) => [row === 5 ? Infinity : row / 7, 1]), false],
  ];
  for (const [name, rows, isList] of lists) {
    it(`take ${name} for ${isList ? 'a list' : 'no list'} of events`, () => {
      const note = noteOnEventList(header, rows);
      assert.equal(note !== undefined, isList, note);
      assert.doesNotMatch(note ?? '', /channel before/);
      const types = { ...header, isEvents: true };
      assert.equal(noteOnEventList(types, rows), undefined);
      assert.equal(noteOnEventList({ ...header, nAxes: 3 }, rows), undefined);
      assert.equal(noteOnEventList({ ...header, shape: [1, 200, 1] }, rows), undefined);
    });
  }

  it('are sentences', () => {
    const counts = summarizeInput({ data: [5, 5], timesteps: 2, columns: 1 });
    const notes = [
      noteOnLongTau(header, { name: 'tau', values: [1] }, 1e-3),
      noteOnShortTau({ name: 'tau', values: [1e-5] }, 1e-3),
      noteOnAxes({ ...header, shape: [1, 5, 200] }),
      noteOnEventList(
        header,
        pairs(9, (row) => [row / 7, row]),
      ),
      noteOnRate({ ...header, shape: [1, 1, 2] }, counts, 2, 1e-3),
      noteOnRate({ ...header, shape: [1, 1, 2] }, counts, 2, 1e-320),
    ];
    for (const note of notes) assert.match(note ?? '', /^[A-Za-z][^\n]*\.$/);
    assert.doesNotMatch(notes.join(' '), /Infinity|NaN|undefined/);
  });

  it('say nothing of a rate after too few samples of many', () => {
    const counts = summarizeInput({ data: [5, 5], timesteps: 2, columns: 1 });
    assert.equal(noteOnRate({ ...header, shape: [1, 1e6, 2] }, counts, 2, 1e-3), undefined);
  });
});

describe('times with spaces', () => {
  const work = emptyFolders();

  const spaced: [args: string[], option: string, words: string, example: string][] = [
    [['raster.npy', '--tau', '20', 'ms'], '--tau', '20 ms', '20ms'],
    [['--tau', '20', 'ms'], '--tau', '20 ms', '20ms'],
    [['--tau', '20', 'ms', 'raster.npy'], '--tau', '20 ms', '20ms'],
    [['raster.npy', '--dt', '30', 'kHz'], '--dt', '30 kHz', '30kHz'],
    [['raster.npy', '--dt', '30', 'kHz', '2'], '--dt', '30 kHz 2', '20ms'],
    [['run', 'raster.npy', '--dt', '0.5', 'ms', '--no-plot'], '--dt', '0.5 ms', '0.5ms'],
    [['raster.npy', '--tau=20', 'ms'], '--tau', '20 ms', '20ms'],
    [['raster.npy', '--tau', '5ms,', '20ms'], '--tau', '5ms, 20ms', '5ms,20ms'],
    [['raster.npy', '--tau', '5ms', ',20ms'], '--tau', '5ms ,20ms', '5ms,20ms'],
    [['raster.npy', '--tau', '5', 'ms,', '20', 'ms'], '--tau', '5 ms, 20 ms', '5ms,20ms'],
    [['raster.npy', '--tau', '5ms', '20ms', '0.1'], '--tau', '5ms 20ms 0.1', '5ms,20ms,0.1'],
    [['raster.npy', '--tau', '2E-2', 's'], '--tau', '2E-2 s', '2E-2s'],
    [['raster.npy', '--tau', '7', '\u00b5s'], '--tau', '7 \u00b5s', '7\u00b5s'],
    [['raster.npy', '--tau', '20', 'msec'], '--tau', '20 msec', '20ms or 5ms,20ms'],
    [['events.npy', '--events', '--duration', '10', 's'], '--duration', '10 s', '10s'],
    [['events.npy', '--events', '--time-unit', '30', 'kHz'], '--time-unit', '30 kHz', '30kHz'],
    [['plot', 'isyn.npy', '--from', '1', 's', '--to', '2', 's'], '--from', '1 s', '1s'],
    [['info', 'events.npy', '--events', '--dt', '1', 'ms'], '--dt', '1 ms', '1ms'],
    [
      ['worker', '--queue', 'redis://localhost', '--lease-timeout', '30', 's'],
      '--lease-timeout',
      '30 s',
      '30s',
    ],
  ];
  for (const [args, option, words, example] of spaced) {
    it(`get a hint: ${args.join(' ')}`, async () => {
      await writeNpyFile(join(work.path, 'raster.npy'), { data: new Uint8Array(3), shape: [3, 1] });
      const { code, out, err } = await expsyn(...args);
      assert.deepEqual({ code, out }, { code: 2, out: '' });
      assert.ok(
        err.startsWith(
          `Expected a time without spaces for ${option} but received '${words}'; write it in one word, such as ${example}.`,
        ),
        err,
      );
      assert.match(err, /^[^\n]*\.\n$/);
    });
  }

  it('are none where the word is a file', async () => {
    await writeNpyFile('raster.npy', { data: new Uint8Array(300), shape: [100, 3] });
    await writeFile('ms', await readFile('raster.npy'));
    await succeed('--tau', '20ms', 'ms', '--no-plot');
    await succeed('--tau', '0.02', 'ms', '--no-plot', '--restart');
    await succeed('--tau', '0.02', '--dt', '1ms', 'raster.npy', '--no-plot', '--restart');
  });
});
