/** Files of recordings as their tools write them: phy, NWB, SONATA, and tables as text. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { recognise } from '../../lib/formats/registry';
import { wholeRegion } from '../../lib/formats/raster-source';
import { temporaryFolder } from '../support/folders';
import { PYTHON } from '../support/python';

/** NumPy and h5py write the files. */
const WRITE = `
import sys, os, h5py, numpy
os.chdir(sys.argv[1])
with h5py.File('session.nwb', 'w') as f:
    u = f.create_group('units')
    u['spike_times'] = numpy.array([0.0005, 0.0102, 0.003, 0.0101])
    u['spike_times_index'] = numpy.array([2, 2, 4], dtype='uint8')
    u['id'] = numpy.array([6, 191, 20])
with h5py.File('wrong-index.nwb', 'w') as f:
    u = f.create_group('units')
    u['spike_times'] = numpy.array([0.1, 0.2])
    u['spike_times_index'] = numpy.array([2, 1])
with h5py.File('network.h5', 'w') as f:
    for name, ids in (('LGN', [0, 2, 2]), ('V1', [5, 5, 9])):
        g = f.create_group('spikes/' + name)
        g['timestamps'] = numpy.array([0.5, 3.0, 10.2])
        g['timestamps'].attrs['units'] = 'ms'
        g['node_ids'] = numpy.array(ids, dtype='uint64')
# Behind a block of the user.
with h5py.File('old.h5', 'w', userblock_size=4096) as f:
    g = f.create_group('spikes')
    g['timestamps'] = numpy.array([3.0, 0.5])
    g['gids'] = numpy.array([1, 0])
for name in ('sorted', 'no-rate', 'odd'):
    os.mkdir(name)
    numpy.save(name + '/spike_times.npy', numpy.array([[15], [300], [306]], dtype='uint64'))
    numpy.save(name + '/spike_clusters.npy', numpy.array([7, 3, 12], dtype='int32'))
numpy.save('odd/spike_clusters.npy', numpy.array([7, -3, 12], dtype='int32'))
for name in ('sorted', 'odd'):
    open(name + '/params.py', 'w').write("dat_path = 'a.dat'\\nsample_rate = 30000.\\n")
camera = numpy.zeros(3, dtype=[('t', '<i8'), ('x', '<u2'), ('y', '>u2'), ('p', 'i1')])
camera['t'], camera['x'], camera['y'], camera['p'] = [500, 10200, 10300], [1, 0, 2], [0, 1, 1], [1, -1, 1]
numpy.save('camera.npy', camera)
aligned = numpy.zeros(2, dtype=numpy.dtype([('time', '>f8'), ('unit', 'u1')], align=True))
aligned['time'], aligned['unit'] = [0.0102, 0.0005], [9, 4]
numpy.save('aligned.npy', aligned)
others = numpy.zeros(2, dtype=[('waveform', 'f4', (2, 3)), ('t', 'f8'), ('label', 'U3'), ('z', 'c16'), ('day', 'M8[us]'), ('neuron', '>u2')])
others['t'], others['neuron'] = [0.0005, 0.0102], [4, 9]
numpy.save('others.npy', others)
with h5py.File('big-endian.nwb', 'w') as f:
    u = f.create_group('units')
    u.create_dataset('spike_times', data=numpy.array([0.0005, 0.0102], dtype='>f8'), chunks=(2,), compression='gzip', fletcher32=True)
    u['spike_times_index'] = numpy.array([1, 2], dtype='>i4')
    u['id'] = numpy.array([4, 9], dtype='>u2')
with h5py.File('lzf.nwb', 'w') as f:
    u = f.create_group('units')
    u.create_dataset('spike_times', data=numpy.zeros(5000), chunks=(100,), compression='lzf')
    u['spike_times_index'] = numpy.array([5000])
gzip = numpy.random.default_rng(1).random(5000)
with h5py.File('corrupt.nwb', 'w') as f:
    u = f.create_group('units')
    u.create_dataset('spike_times', data=gzip, chunks=(100,), compression='gzip')
    u['spike_times_index'] = numpy.array([5000])
damaged = bytearray(open('corrupt.nwb', 'rb').read())
for place in range(len(damaged) // 2, len(damaged) // 2 + 300): damaged[place] ^= 0x55
open('corrupt.nwb', 'wb').write(damaged)
with h5py.File('microseconds.h5', 'w') as f:
    g = f.create_group('spikes/A')
    g['timestamps'] = numpy.array([500.0, 10200.0]); g['timestamps'].attrs['units'] = 'microseconds'
    g['node_ids'] = numpy.array([4, 9])
with h5py.File('jiffies.h5', 'w') as f:
    g = f.create_group('spikes/A')
    g['timestamps'] = numpy.array([0.5, 10.2]); g['timestamps'].attrs['units'] = 'jiffies'
    g['node_ids'] = numpy.array([4, 9])
os.mkdir('floats')
numpy.save('floats/spike_times.npy', numpy.array([15.0, 306.0]))
numpy.save('floats/spike_clusters.npy', numpy.array([4, 9]))
open('floats/params.py', 'w').write("sample_rate=3e4\\n")
numpy.save('unnamed.npy', numpy.zeros(2, dtype=[('a', 'f8'), ('b', 'f8')]))
numpy.savez('events.npz', spike_times=numpy.array([0.0005, 0.0102]), channels=numpy.array([0, 2]))
numpy.savez_compressed('camera.npz', events=camera)
raster = numpy.zeros((12, 2), dtype='f4'); raster[3, 1] = 2
numpy.savez_compressed('rasters.npz', raster=raster, batches=raster.astype('i8')[None])
numpy.savez('one.npz', numpy.asfortranarray(raster.astype('u1')))
open('cut.npz', 'wb').write(open('rasters.npz', 'rb').read()[:-30])
broken = bytearray(open('camera.npz', 'rb').read()); broken[60:80] = bytes(20)
open('broken.npz', 'wb').write(broken)
open('cut.npy', 'wb').write(open('camera.npy', 'rb').read()[:-1])
os.mkdir('uncurated')
for name in ('spike_times.npy', 'spike_clusters.npy', 'params.py'):
    open('uncurated/' + name, 'wb').write(open('sorted/' + name, 'rb').read())
open('uncurated/cluster_info.tsv', 'w').write(
    'cluster_id\\tgroup\\tKSLabel\\n3\\t\\tgood\\n7\\t\\tmua\\n12\\t\\tgood\\n')
open('sorted/cluster_group.tsv', 'w').write('cluster_id\\tgroup\\n3\\tgood\\n7\\tmua\\n12\\tgood\\n')
`;

interface Expected {
  format: string;
  units?: number[];
  /** The step and the channel of each event. */
  events: [number, number][];
  options?: object;
}

describe('files of recordings', function () {
  this.timeout(60_000);
  const folder = temporaryFolder();
  const at = (name: string) => join(folder.path, name);

  before(() => {
    execFileSync(PYTHON, ['-c', WRITE, folder.path]);
    const write = (name: string, ...lines: string[]) => {
      writeFileSync(at(name), `${lines.join('\n')}\n`);
    };
    write('plain.csv', '0.0005,0', '0.0102,2');
    write('named.tsv', '# made by hand', 'unit_id\ttime_ms\tquality', '4\t0.5\tx', '9\t10.2\ty');
    write('semicolons.txt', '"Time (us)"; "Channel"', '500; 1', '10200; 0');
    write('network.csv', 'timestamps population node_ids', '0.5 LGN 0', '3.0 V1 0', '10.2 LGN 7');
    write('empty.csv', '# nothing');
    write('text.csv', 'time,channel', '0.1,zero');
    write('other.csv', 'a,b', '0.1,1');
    mkdirSync(at('nothing'));
  });

  async function read(name: string, options: object = {}) {
    // Tables without names are events only if the user says so.
    const isEventList = /^(plain|empty|text|other)/.test(name);
    const { name: format, input } = await recognise(at(name), { isEventList, ...options });
    const source = await input.open(at(name), { dt: 1e-3, ...options });
    const [, , channels] = source.shape;
    const counts = (await source.read(wholeRegion(source.shape))) as Uint16Array;
    await source.close();
    const events: [number, number][] = [];
    counts.forEach((count, index) => {
      for (let event = 0; event < count; event++) {
        events.push([Math.floor(index / channels), index % channels]);
      }
    });
    assert.deepEqual(source.identity, await source.identify());
    return { format, events, channels, units: source.unitIds };
  }

  const CASES: [string, Expected][] = [
    [
      'session.nwb',
      {
        format: 'nwb',
        units: [6, 191, 20],
        events: [
          [0, 0],
          [3, 2],
          [10, 0],
          [10, 2],
        ],
      },
    ],
    [
      'network.h5',
      {
        format: 'sonata',
        options: { population: 'V1' },
        units: [5, 9],
        events: [
          [0, 0],
          [3, 0],
          [10, 1],
        ],
      },
    ],
    [
      'network.h5',
      {
        format: 'sonata',
        options: { population: 'LGN' },
        units: [0, 2],
        events: [
          [0, 0],
          [3, 1],
          [10, 1],
        ],
      },
    ],
    ...(
      [
        ['others.npy', 'structured', {}],
        ['big-endian.nwb', 'nwb', {}],
        ['microseconds.h5', 'sonata', {}],
        ['jiffies.h5', 'sonata', { timeUnit: 1e-3 }],
        ['floats', 'phy', {}],
      ] as const
    ).map(([name, format, options]): [string, Expected] => [
      name,
      {
        format,
        units: [4, 9],
        events: [
          [0, 0],
          [10, 1],
        ],
        options,
      },
    ]),
    [
      'old.h5',
      {
        format: 'sonata',
        events: [
          [0, 0],
          [3, 1],
        ],
      },
    ],
    [
      'sorted',
      {
        format: 'phy',
        units: [3, 7, 12],
        events: [
          [0, 1],
          [10, 0],
          [10, 2],
        ],
      },
    ],
    [
      'sorted',
      {
        format: 'phy',
        options: { units: 'good' },
        units: [3, 12],
        events: [
          [10, 0],
          [10, 1],
        ],
      },
    ],
    [
      'uncurated',
      {
        format: 'phy',
        options: { units: 'good' },
        units: [3, 12],
        events: [
          [10, 0],
          [10, 1],
        ],
      },
    ],
    [
      'no-rate',
      {
        format: 'phy',
        options: { timeUnit: 1 / 30000 },
        units: [3, 7, 12],
        events: [
          [0, 1],
          [10, 0],
          [10, 2],
        ],
      },
    ],
    [
      'plain.csv',
      {
        format: 'text',
        options: { channels: 4 },
        events: [
          [0, 0],
          [10, 2],
        ],
      },
    ],
    [
      'plain.csv',
      {
        format: 'text',
        units: [0, 2],
        events: [
          [0, 0],
          [10, 1],
        ],
      },
    ],
    [
      'named.tsv',
      {
        format: 'text',
        units: [4, 9],
        events: [
          [0, 0],
          [10, 1],
        ],
      },
    ],
    [
      'semicolons.txt',
      {
        format: 'text',
        events: [
          [0, 1],
          [10, 0],
        ],
      },
    ],
    [
      'network.csv',
      {
        format: 'text',
        options: { population: 'LGN' },
        units: [0, 7],
        events: [
          [0, 0],
          [10, 1],
        ],
      },
    ],
    [
      'camera.npy',
      {
        format: 'structured',
        options: { timeUnit: 1e-6 },
        // (p H + y) W + x, with 3 x 2 pixels
        events: [
          [0, 7],
          [10, 3],
          [10, 11],
        ],
      },
    ],
    [
      'aligned.npy',
      {
        format: 'structured',
        units: [4, 9],
        events: [
          [0, 0],
          [10, 1],
        ],
      },
    ],
    [
      'events.npz',
      {
        format: 'npz-events',
        units: [0, 2],
        events: [
          [0, 0],
          [10, 1],
        ],
      },
    ],
    [
      'camera.npz',
      {
        format: 'npz-events',
        options: { timeUnit: 1e-6 },
        events: [
          [0, 7],
          [10, 3],
          [10, 11],
        ],
      },
    ],
  ];
  for (const [name, { format, options, units, events }] of CASES) {
    it(`${name} is read by its content${options === undefined ? '' : `, with ${JSON.stringify(options)}`}`, async () => {
      const found = await read(name, options);
      assert.deepEqual(found.events, events);
      assert.equal(found.format, format);
      assert.deepEqual(found.units, units);
    });
  }

  it('may be arrays of .npz archives that are rasters', async () => {
    for (const [name, options, shape] of [
      ['one.npz', {}, [1, 12, 2]],
      ['rasters.npz', { member: 'raster' }, [1, 12, 2]],
      ['rasters.npz', { member: 'batches' }, [1, 12, 2]],
    ] as const) {
      const { name: format, input } = await recognise(at(name));
      assert.equal(format, 'npz');
      const source = await input.open(at(name), { dt: 1e-3, ...options });
      assert.deepEqual(source.shape, shape);
      const expected = new Array<number>(24).fill(0);
      expected[7] = 2;
      const whole = await source.read(wholeRegion(source.shape));
      assert.deepEqual(Array.from(whole, Number), expected);
      const part = await source.read({
        batches: { begin: 0, end: 1 },
        steps: { begin: 2, end: 5 },
        channels: { begin: 1, end: 2 },
      });
      assert.deepEqual(Array.from(part, Number), [0, 2, 0]);
      assert.deepEqual(source.identity, await source.identify());
    }
  });

  const REFUSED: [string, object, RegExp][] = [
    [
      'lzf.nwb',
      {},
      /^Could not read units\/spike_times of .*lzf\.nwb: the file is corrupt, or .* lzf .*gzip\.$/,
    ],
    [
      'corrupt.nwb',
      {},
      /^Could not read units\/spike_times of .*corrupt\.nwb: the file is corrupt, or /,
    ],
    [
      'jiffies.h5',
      {},
      /^Expected timestamps in s, ms, us or ns in .* received 'jiffies'; give timeUnit\.$/,
    ],
    [
      'wrong-index.nwb',
      {},
      /^Expected whole numbers that ascend to 2, as there are spikes, in units\/spike_times_index of .* but received 1 at \[1\]\.$/,
    ],
    [
      'network.h5',
      {},
      /^Expected one of the populations 'LGN', 'V1' of .* for population but received none\.$/,
    ],
    ['network.h5', { population: 'V2' }, /for population but received 'V2'\.$/],
    [
      'no-rate',
      {},
      /^Expected the sampling rate of .* in its params\.py but there is none; give timeUnit, such as 30kHz\.$/,
    ],
    [
      'no-rate',
      { timeUnit: 1, units: 'good' },
      /^Expected cluster_info\.tsv or .* with the labels of clusters/,
    ],
    [
      'sorted',
      { units: 'bad' },
      /^Expected one of the labels 'good', 'mua' of .* for units but received 'bad'\.$/,
    ],
    [
      'odd',
      {},
      /^Expected ids of units that are whole numbers from 0 to 9007199254740991 in .* but that of event 1 is -3\.$/,
    ],
    ['empty.csv', {}, /^Expected a table of events in .* but it is empty\.$/],
    [
      'text.csv',
      {},
      /^Expected a time and a channel in line 2 of .* but received '0\.1,zero'; give each name a number, as factorize of pandas does\.$/,
    ],
    [
      'other.csv',
      {},
      /^Expected columns named time and channel, .* but received 'a', 'b'; give member 'TIMES,CHANNELS' with the names of two\.$/,
    ],
    ['network.csv', {}, /^Expected one of the populations 'LGN', 'V1' of /],
    [
      'camera.npy',
      {},
      /^Expected the unit of the whole numbers in 't' of .* give timeUnit, such as 1us, or 30kHz for numbers of samples\.$/,
    ],
    [
      'unnamed.npy',
      {},
      /^Expected fields named time and channel, .* but received 'a', 'b'; give member 'TIMES,CHANNELS' with the names of two\.$/,
    ],
    [
      'cut.npy',
      { timeUnit: 1 },
      /^Expected \d+ bytes in .*, as its header says, but received \d+; the file is not complete\.$/,
    ],
    [
      'rasters.npz',
      {},
      /^Expected one of the arrays 'raster', 'batches' of .* for member but received none; of a list of events, give TIMES,CHANNELS, the names of two, or a pattern .*\.$/,
    ],
    ['rasters.npz', { member: 'x' }, /for member but received 'x'; of a list of events/],
    ['cut.npz', {}, /^Expected a whole zip archive in .* but it is corrupt, or not complete\.$/],
    ['broken.npz', {}, /^Expected a whole zip archive in .* but it is corrupt, or not complete\.$/],
  ];
  for (const [name, options, message] of REFUSED) {
    it(`${name} is refused with ${JSON.stringify(options)}`, async () => {
      await assert.rejects(read(name, options), { message });
    });
  }

  it('are not folders of anything else', async () => {
    assert.notEqual((await recognise(at('nothing'))).name, 'phy');
  });
});
