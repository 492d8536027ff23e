/** Arrays of events as NumPy and h5py write them: structured arrays, archives, HDF5, MATLAB 7.3, and folders of phy. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

import { recognise } from '../../lib/formats/registry';
import { isCommandError } from '../support/command-errors';
import { expsyn, succeed } from '../support/command-line';
import { emptyFolders, temporaryFolder } from '../support/folders';
import { PYTHON } from '../support/python';
import { EVENTS, HELPERS, IN_PYTHON, readEventsOf, writeAll } from '../support/recordings';

/** As an event camera of 3 x 2 pixels sees them: (p H + y) W + x. */
const SEEN = '0:7 10:3 10:11';
const IN_US = { timeUnit: 1e-6 };

function write(python: string): void {
  execFileSync(PYTHON, ['-c', `${IN_PYTHON}${HELPERS}${python}`, '.']);
}

async function identityOf(path: string, member: string): Promise<object> {
  const { input } = await recognise(path, { isEventList: false, member });
  const source = await input.open(path, { dt: 1e-3, member });
  await source.close();
  return source.identity;
}

describe('arrays of events', function () {
  this.timeout(60_000);
  const made = temporaryFolder();
  emptyFolders();

  const READ: [what: string, file: string, python: string, options?: object, events?: string][] = [
    [
      'fields with titles',
      'a.npy',
      "save([(('The time', 'time'), 'f8'), (('The unit', 'unit'), 'i4')])",
    ],
    [
      'fields within fields',
      'a.npy',
      `
save([('time', 'f8'), ('pos', [('x', 'f4'), ('q', [('a', 'i1'), ('b', 'f8', 2)])], (2,)), ('unit', 'i4')], names=('time', 'unit'))`,
    ],
    [
      'events within fields',
      'a.npy',
      `
a = numpy.zeros(4, dtype=[('amp', 'f4'), ('event', [('time', 'f8'), ('unit', 'i4')])])
a['event']['time'], a['event']['unit'] = T, I
numpy.save('a.npy', a)`,
    ],
    [
      'names that are not of Latin letters',
      'a.npy',
      "save([('time', 'f8'), ('unit', 'i4'), ('\\u96fb\\u5727', 'f8')])",
    ],
    [
      'padding',
      'a.npy',
      "save(numpy.dtype({'names': ['time', 'unit'], 'formats': ['>f8', '>u2'], 'offsets': [4, 20], 'itemsize': 32}))",
    ],
    [
      'fields of one element',
      'a.npy',
      "save([('time', 'f8', (1,)), ('unit', 'i4', (1,))], T[:, None], I[:, None])",
    ],
    ['a column', 'a.npy', "save([('time', 'f8'), ('unit', 'i4')], shape=(4, 1))"],
    ['a row', 'a.npy', "save([('time', 'f8'), ('unit', 'i4')], shape=(1, 4))"],
    ['differences of times', 'a.npy', "save([('time', 'm8[10us]'), ('unit', 'i4')], US // 10)"],
    ['times whose name tells the unit', 'a.npy', "save([('t_us', '>u4'), ('unit', 'i4')], US)"],
    ...['i1', 'u1', '>i2', 'u2', 'i4', '>u4', 'i8', 'u8', 'f2', '>f4', 'f8'].map(
      (type): [string, string, string] => [
        `ids of type ${type}`,
        'a.npy',
        `save([('time', 'f8'), ('unit', '${type}')])`,
      ],
    ),
    [
      'the vector of spikes of SpikeInterface',
      'a.npy',
      `
save([('sample_index', 'i8'), ('unit_index', 'i8'), ('segment_index', 'i8')], numpy.round(T * 30000).astype('i8'))`,
      { timeUnit: 1 / 30000 },
    ],
    [
      'events of a camera in another order',
      'a.npy',
      "numpy.save('a.npy', camera([('x', '>u2'), ('y', 'u2'), ('p', '?'), ('t', '<u4')]))",
      IN_US,
      SEEN,
    ],
    [
      'more than a slab',
      'a.npy',
      `
a = numpy.zeros(300_000, dtype=[('time', 'f8'), ('unit', 'u1'), ('wave', 'f4', 8)])
a['time'][:4], a['unit'][:4] = T, I; a['time'][4:], a['unit'][4:] = 0.5, 7
numpy.save('a.npy', a)`,
      { duration: 0.1, outside: 'drop' },
    ],
    [
      'archives',
      'a.npz',
      'numpy.savez_compressed("a.npz", times=T[:, None], units=I, fs=3e4, name="x")',
    ],
    ['archives of a camera', 'a.npz', "numpy.savez('a.npz', **CAMERA)", IN_US, SEEN],
    [
      'archives with other names',
      'a.npz',
      "numpy.savez('a.npz', foo=T, bar=I, raster=numpy.zeros((3, 2)))",
      { member: 'foo,bar' },
    ],
    [
      'archives with sizes of 64 bits',
      'a.npz',
      `
with zipfile.ZipFile('a.npz', 'w') as z:
    for name, array in (('times', T.astype('>f8')), ('units', I)):
        with z.open(name + '.npy', 'w', force_zip64=True) as f: numpy.save(f, array)`,
    ],
    [
      'a structured array of several in an archive',
      'a.npz',
      `
save([('time', 'f8'), ('unit', 'i4')]); numpy.savez('a.npz', events=numpy.load('a.npy'), other=numpy.zeros(3))`,
      { member: 'events' },
    ],
    [
      'datasets in the root',
      'a.h5',
      'h5(spike_times=T, clusters=I, name="x", fs=3e4, none=h5py.Empty("f8"))',
    ],
    ['datasets in a group', 'a.h5', "group('data/spikes', times=T[:, None], channels=I[:, None])"],
    ['datasets of Brian2', 'a.h5', "group('spikemonitor', t=T, i=I)"],
    ['SHD with datasets in place of lists', 'a.h5', "group('spikes', times=T, units=I)"],
    ['a file of another name', 'a.dat', "h5(times=T, units=I); os.rename('a.h5', 'a.dat')"],
    [
      'units as an attribute',
      'a.h5',
      `
h5(times=T * 1e6, units=I)
with h5py.File('a.h5', 'a') as f: f['times'].attrs['units'] = numpy.array(['usec'], dtype=object)`,
    ],
    [
      'chunks, filters and other byte orders',
      'a.h5',
      `
with h5py.File('a.h5', 'w') as f:
    f.create_dataset('times', data=T.astype('>f8'), chunks=(2,), compression='gzip', shuffle=True, fletcher32=True)
    f.create_dataset('units', data=I.astype('>i2'), chunks=(3,), compression='gzip')`,
    ],
    [
      'links',
      'a.h5',
      `
group('raw', a=T, b=I); group('s', times=h5py.SoftLink('/raw/a'), units=h5py.SoftLink('/raw/b'), lost=h5py.SoftLink('/x'))
h = h5py.File('a.h5', 'a'); h['again'] = h5py.SoftLink('/s')`,
    ],
    [
      'records',
      'a.h5',
      `
a = numpy.zeros(4, dtype=[('name', 'S3'), ('time', '>f8'), ('ok', '?'), ('unit', '>i4'), ('wave', '>f4', (3,)), ('half', 'f2')])
a['time'], a['unit'] = T, I
with h5py.File('a.h5', 'w') as f: f.create_dataset('events/table', data=a, chunks=(3,), compression='gzip')`,
    ],
    [
      'a camera of DSEC',
      'a.h5',
      "group('events', **CAMERA); h5py.File('a.h5', 'a')['t_offset'] = 5",
      IN_US,
      SEEN,
    ],
    [
      'a camera of ESIM',
      'a.h5',
      "group('events', ts=CAMERA['t'] * 1e-6, xs=CAMERA['x'], ys=CAMERA['y'], ps=CAMERA['p'])",
      {},
      SEEN,
    ],
    [
      'a camera of Prophesee',
      'a.h5',
      `
group('CD', events=camera([('x', 'u2'), ('y', 'u2'), ('p', 'i2'), ('t', 'i8')]), indexes=numpy.zeros(2, dtype=[('id', 'i8'), ('ts', 'i8')]))`,
      IN_US,
      SEEN,
    ],
    [
      'one of two groups',
      'a.h5',
      "group('a', times=T, units=I); group('b', times=I, units=I)",
      { member: 'a' },
    ],
    ['two datasets', 'a.h5', "group('a', foo=T); group('b', bar=I)", { member: 'a/foo,b/bar' }],
    [
      'vectors of MATLAB, whatever their words are joined by',
      'a.mat',
      "mat(lambda f: (variable(f, 'spikeTimes', T[None]), variable(f, 'clusterID', I[None] * 1.0)))",
    ],
    [
      'a structure of MATLAB',
      'a.mat',
      `
mat(lambda f: (variable(f, 's/times', T[:, None]), variable(f, 's/units', I[:, None] * 1.0)))`,
    ],
    ['cells of MATLAB', 'a.mat', "mat(lambda f: cells(f, f, 'spikes'))", {}, '0:0 3:1 10:0 10:3'],
    [
      'cells in a structure of MATLAB',
      'a.mat',
      "mat(lambda f: (cells(f, f.create_group('spikes'), 'times'), variable(f['spikes'], 'sr', numpy.ones((1, 1)))))",
      {},
      '0:0 3:1 10:0 10:3',
    ],
    [
      'cells of any name',
      'a.mat',
      "mat(lambda f: cells(f, f, 'x'))",
      { member: 'x' },
      '0:0 3:1 10:0 10:3',
    ],
    [
      'SONATA with a unit in an array',
      'a.h5',
      `
group('spikes/a', node_ids=I.astype('u8'), timestamps=T)
with h5py.File('a.h5', 'a') as f:
    f['spikes/a/timestamps'].attrs['units'] = numpy.array(['s'], dtype=object)
    f['spikes/a'].attrs.create('sorting', 1, dtype=h5py.enum_dtype({'none': 0, 'by_id': 1}))`,
    ],
    [
      'NWB with larger ids and an empty unit',
      'a.nwb',
      `
group('units', id=[4, 5, 9, 20, 2**40], spike_times=T[[0, 2, 1, 3]], spike_times_index=numpy.array([2, 2, 3, 4, 4], 'u1'), electrodes=numpy.zeros(3, 'i4'))
os.rename('a.h5', 'a.nwb')`,
    ],
    ['phy of any style', 'sorted', "phy('  sample_rate : float = 30_000  # Hz')"],
    [
      'phy whose last rate counts',
      'sorted',
      "phy('sample_rate = 1\\nsample_rate = 3e4; offset = 0\\r\\n')",
    ],
    ['phy with times in a row', 'sorted', 'phy(times=numpy.round(T * 30000)[None].astype("f4"))'],
    ['phy without clusters', 'sorted', "phy(clusters='spike_templates.npy')"],
    ['phy by its file of times', 'sorted/spike_times.npy', 'phy()'],
    ['phy with a rate that is given', 'sorted', "phy('sample_rate = fs')", { timeUnit: 1 / 30000 }],
  ];
  READ.forEach(([what, file, , options, expected], number) => {
    it(`may be ${what}`, async () => {
      process.chdir(join(made.path, String(number)));
      assert.equal((await readEventsOf(file, { ...options })).events, expected ?? EVENTS);
    });
  });

  const REFUSED: [what: string, file: string, python: string, RegExp, options?: object][] = [
    [
      'dates',
      'a.npy',
      "save([('time', 'M8[us]'), ('unit', 'i4')], US)",
      /^Expected numbers in 'time' of .* type '<M8\[us\]'; subtract the first date/,
    ],
    [
      'objects among fields',
      'a.npy',
      "save([('time', 'f8'), ('unit', 'i4'), ('o', 'O')])",
      /^Expected a structured array .* received another; numpy\.load with allow_pickle=True/,
    ],
    [
      'a table of records',
      'a.npy',
      "save([('time', 'f8'), ('unit', 'i4')], shape=(2, 2))",
      /^Expected a structured array of shape \(E,\)/,
    ],
    [
      'two fields of times',
      'a.npy',
      "save([('time', 'f8'), ('unit', 'i4'), ('t', 'f8')])",
      /^Expected one of the fields of times in a\.npy but received 'time', 't'; give --member TIMES/,
    ],
    [
      'whole numbers in an archive',
      'a.npz',
      "numpy.savez('a.npz', times=US, units=I)",
      /^Expected the unit of the whole numbers in 'times' of a\.npz .* give --time-unit, such as 1us/,
    ],
    [
      'matrices in an archive',
      'a.npz',
      "numpy.savez('a.npz', times=numpy.zeros((2, 3)), units=numpy.zeros((2, 3)))",
      /^Expected shape \(E,\) for times of a\.npz but received \(2, 3\)\.$/,
    ],
    [
      'two arrays of channels',
      'a.npz',
      "numpy.savez('a.npz', times=T, units=I, channels=I)",
      /^Expected one of the arrays of channels in a\.npz but received 'units', 'channels'; give --member/,
    ],
    [
      'an archive in which a byte has changed',
      'a.npz',
      `
numpy.savez('a.npz', times=T, units=I); b = bytearray(open('a.npz', 'rb').read()); b[200] ^= 1; open('a.npz', 'wb').write(b)`,
      /^Expected a whole zip archive in a\.npz but it is corrupt/,
    ],
    [
      'an archive of another compression',
      'a.npz',
      `
with zipfile.ZipFile('a.npz', 'w', zipfile.ZIP_LZMA) as z:
    for name in ('times', 'units'):
        with z.open(name + '.npy', 'w') as f: numpy.save(f, T)`,
      /^Expected times\.npy of a\.npz as savez and savez_compressed of NumPy write it/,
    ],
    [
      'several groups',
      'a.h5',
      "group('a', times=T, units=I); group('b', times=T, units=I)",
      /^Expected one of the lists of events 'a', 'b' of a\.h5 for --member, TIMES,CHANNELS .* received none\.$/,
    ],
    [
      'a group that is not there',
      'a.h5',
      "group('a', times=T, units=I)",
      /^Expected one of the lists of events 'a' of a\.h5 for --member, .* but received 'b'\.$/,
      { member: 'b' },
    ],
    [
      'whole numbers in HDF5',
      'a.h5',
      'h5(times=US, units=I)',
      /^Expected the unit of the whole numbers in 'times' of a\.h5/,
    ],
    [
      'datasets of other names',
      'a.h5',
      'h5(foo=T, bar=I)',
      /there is no spikes\/times; of its datasets bar, foo, give --member TIMES,CHANNELS for two/,
    ],
    [
      'samples in MATLAB',
      'a.mat',
      "mat(lambda f: (variable(f, 'spike_times', T[None] * 1e6), variable(f, 'unit', I[None] * 1.0)))",
      /^Expected the unit of the whole numbers in 'spike_times' of a\.mat/,
    ],
    [
      'NWB without an index',
      'a.nwb',
      "group('units', spike_times=T, id=[1]); os.rename('a.h5', 'a.nwb')",
      /^Expected a dataset units\/spike_times_index in a\.nwb but there is none\.$/,
    ],
    [
      'a rate that is computed',
      'sorted',
      "phy('sample_rate = 60000/2')",
      /^Expected a number for sample_rate in sorted.params\.py but received '60000\/2'; give --time-unit/,
    ],
    [
      'times without clusters',
      'sorted/spike_times.npy',
      'phy(clusters=None)',
      /^Expected spike_clusters\.npy or spike_templates\.npy in sorted but there is none\.$/,
    ],
  ];
  REFUSED.forEach(([what, file, , message, options], index) => {
    it(`must not be ${what}`, async () => {
      process.chdir(join(made.path, String(READ.length + index)));
      await assert.rejects(readEventsOf(file, { ...options }), isCommandError(message));
    });
  });

  before(() => {
    writeAll(
      [...READ, ...REFUSED].map(([, , program]) => program),
      made.path,
    );
  });

  it('of Python objects are converted by the command of the message', async () => {
    for (const [make, converted] of [
      ['[T[:2], T[2:3], T[:0], T[3:]], dtype=object', 'a-converted.npz'],
      ["{'times': T, 'units': I}", 'a-converted.npz'],
      ['numpy.c_[T, I].astype(object)', 'a-converted.npy'],
    ] as const) {
      write(`numpy.save('a.npy', numpy.array(${make}), allow_pickle=True)`);
      const { code, err } = await expsyn('a.npy');
      assert.equal(code, 1);
      const [, command = ''] =
        /; python3 -c "(.*)" converts .* trust its origin\.\n$/.exec(err) ?? [];
      execFileSync('sh', ['-c', `${PYTHON} -c "${command}"`]);
      const isEventList = converted.endsWith('npy');
      const { events } = await readEventsOf(converted, { isEventList });
      assert.equal(events.split(' ').length, 4);
    }
  });

  it('are chosen by --member in every command, and the choice is a part of what is read', async () => {
    write("group('a', foo=T, bar=I, baz=I * 2)");
    assert.match(await succeed('info', 'a.h5', '--member', 'a/foo,a/bar'), /units \(4, 9, 20\)/);
    const options = ['--no-plot', '--tau', '5ms', '--out', 'out.npy'];
    await succeed('a.h5', '--member', 'a/foo,a/bar', ...options);
    assert.match(await succeed('info', 'out.npy'), /units +4, 9, 20/);
    const [first, second] = await Promise.all(
      ['a/foo,a/bar', 'a/foo,a/baz'].map(async (member) => identityOf('a.h5', member)),
    );
    assert.notDeepEqual(first, second);
    const { code, err } = await expsyn('a.h5', '--member', 'a/foo', ...options);
    assert.equal(code, 1);
    assert.match(
      err,
      /^Expected TIMES,CHANNELS with the paths of two datasets of a\.h5, or a pattern .* for --member but received 'a\/foo'/,
    );
  });
});
