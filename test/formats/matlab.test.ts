/** MATLAB files of version 7.3, as MATLAB writes them: HDF5 behind a block of its own, axes in reverse. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';

import { recognise } from '../../lib/formats/registry';
import { wholeRegion } from '../../lib/formats/raster-source';
import { expsyn, succeed } from '../support/command-line';
import { emptyFolders } from '../support/folders';
import { PYTHON } from '../support/python';

const WRITE = `
import h5py, numpy
CLASSES = {'f8': 'double', 'f4': 'single', 'u1': 'logical', 'i2': 'int16', 'u8': 'uint64'}
def save(name, write):
    with h5py.File(name, 'w', userblock_size=512) as f:
        write(f)
    text = b'MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Fri Nov 27 2026 HDF5 schema 1.00 .'
    with open(name, 'r+b') as f:
        f.write(text.ljust(124) + b'\\x00\\x02IM')
def put(f, name, array, **options):
    array = numpy.asarray(array)
    d = f.create_dataset(name, data=array.T, **options)
    d.attrs['MATLAB_class'] = numpy.bytes_(CLASSES[array.dtype.str[1:]])
    if array.dtype.str[1:] == 'u1':
        d.attrs['MATLAB_int_decode'] = numpy.int32(1)
random = numpy.random.default_rng(1)
raster = (random.random((40, 3)) < 0.2).astype('u1')
trials = random.random((2, 40, 3)).astype('f4')
numpy.save('raster.npy', raster)
numpy.save('trials.npy', trials)
save('raster.mat', lambda f: put(f, 'raster', raster))
save('trials.mat', lambda f: put(f, 'trials', trials, chunks=(1, 8, 2), compression='gzip'))
def events(f):
    put(f, 'spike_times_ms', numpy.array([[0.5, 10.2, 3.0, 10.1]]))
    put(f, 'clusters', numpy.array([[7], [40], [7], [3]], dtype='i2'))
    put(f, 'fs', numpy.array([[30000.0]]))
    f.create_group('info').attrs['MATLAB_class'] = numpy.bytes_('struct')
save('events.mat', events)
def several(f):
    put(f, 'a', raster); put(f, 'b', raster[:20])
    d = f.create_dataset('name', data=numpy.frombuffer(b'h\\0i\\0', 'u2'))
    d.attrs['MATLAB_class'] = numpy.bytes_('char')
save('several.mat', several)
def empty(f):
    d = f.create_dataset('nothing', data=numpy.array([0, 3], dtype='u8'))
    d.attrs['MATLAB_class'] = numpy.bytes_('double'); d.attrs['MATLAB_empty'] = numpy.uint8(1)
save('empty.mat', empty)
def structure(f):
    f.create_group('s').attrs['MATLAB_class'] = numpy.bytes_('struct')
    f['s/raster'] = raster.T
save('struct.mat', structure)
def complex_numbers(f):
    pairs = numpy.zeros((3, 4), dtype=[('real', 'f8'), ('imag', 'f8')])
    f.create_dataset('z', data=pairs).attrs['MATLAB_class'] = numpy.bytes_('double')
save('complex.mat', complex_numbers)
save('deep.mat', lambda f: put(f, 'x', numpy.zeros((2, 200, 2, 2))))
save('matrix-of-times.mat', lambda f: (put(f, 'times', numpy.zeros((2, 3))), put(f, 'units', numpy.zeros((2, 3)))))
`;

describe('MATLAB files of version 7.3', function () {
  this.timeout(60_000);
  emptyFolders();
  beforeEach(() => {
    execFileSync(PYTHON, ['-c', WRITE]);
  });

  it('are rasters as their users see them, with the first axis last in the file', async () => {
    for (const name of ['raster', 'trials']) {
      const options = ['--tau', '5ms', '--no-plot', '--out'];
      await succeed(`${name}.npy`, ...options, 'expected.npy');
      await succeed(`${name}.mat`, ...options, 'found.npy');
      assert.deepEqual(await readFile('found.npy'), await readFile('expected.npy'));
      await succeed(
        `${name}.npy`,
        '--channels',
        '1-',
        '--start',
        '7ms',
        ...options,
        'expected.npy',
      );
      await succeed(`${name}.mat`, '--channels', '1-', '--start', '7ms', ...options, 'found.npy');
      assert.deepEqual(await readFile('found.npy'), await readFile('expected.npy'));
    }
    assert.match(await succeed('info', 'trials.mat'), /^holds +\(2, 40, 3\) float32\n/);
  });

  it('are lists of events, in rows or columns', async () => {
    const { name, input } = await recognise('events.mat');
    assert.equal(name, 'hdf5-table');
    const source = await input.open('events.mat', { dt: 1e-3 });
    const counts = await source.read(wholeRegion(source.shape));
    await source.close();
    assert.deepEqual(
      [source.shape, source.unitIds],
      [
        [1, 11, 3],
        [3, 7, 40],
      ],
    );
    const found = Array.from(counts as Uint16Array).flatMap((count, index) =>
      count ? [index] : [],
    );
    assert.deepEqual(found, [0 * 3 + 1, 3 * 3 + 1, 10 * 3 + 0, 10 * 3 + 2]);
  });

  it('of several variables need the name of one', async () => {
    const { code, err } = await expsyn('several.mat', '--no-plot');
    assert.deepEqual(
      [code, err],
      [
        1,
        "Expected one of the arrays 'a', 'b' of several.mat for --member but received none; of a list of events, " +
          'give TIMES,CHANNELS, the names of two, or a pattern with * for the number of each unit.\n',
      ],
    );
    const out = await succeed('several.mat', '--member', 'b', '--no-plot', '--out', 'b.npy');
    assert.match(out, /^raster +\(20, 3\) uint8/);
  });

  it('of other contents are refused, with what converts them if that is known', async () => {
    for (const [name, message] of [
      ['struct', /^Expected .* struct\.mat .*MATLAB file of version 7\.3; .*h5py/],
      ['empty', /^Expected .* empty\.mat .*MATLAB file of version 7\.3; .*h5py/],
      ['complex', /^Expected integers or floats in z of complex\.mat but received another type/],
      ['deep', /^Expected at most 3 axes in x of deep\.mat but received shape \(2, 200, 2, 2\)/],
      [
        'matrix-of-times',
        /^Expected shape \(E,\) for times of matrix-of-times\.mat but received \(3, 2\)/,
      ],
    ] as const) {
      const { code, err } = await expsyn(`${name}.mat`, '--no-plot');
      assert.match(err, message);
      assert.equal(code, 1);
      assert.equal(err.trim().split('\n').length, 1, err);
    }
  });
});
