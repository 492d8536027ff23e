/** Rows of events, archives of toolboxes and events of cameras, which NumPy and h5py have written. */
import assert from 'node:assert/strict';

import { recognise } from '../../lib/formats/registry';
import { expsyn, succeed } from '../support/command-line';
import { COUNTED, describeLists, type Read } from '../support/lists';
import { readEventsOf } from '../support/recordings';

/** A segment as SpikeInterface's NpzSortingExtractor writes it. */
const SORTING = `
def sorting(k): return {'unit_ids': numpy.array([4, 9, 15, 20]), 'num_segment': [1], 'sampling_frequency': [3e4], f'spike_indexes_seg{k}': S, f'spike_labels_seg{k}': I}
`;
const READ: Record<string, Read> = {
  'rows of times and channels': {
    file: 'a.h5',
    python: `group('data', spikes=numpy.c_[T, I], other=numpy.zeros((9, 2)))`,
  },
  'rows whose columns have names': {
    file: 'a.h5',
    python: `h5(events=numpy.c_[I, T * 1e3]); h5py.File('a.h5', 'a')['events'].attrs['columns'] = ['unit', 't_ms']`,
  },
  'rows of samples and units, named in a text': {
    file: 'a.h5',
    python: `${COUNTED}h5(spikes=numpy.c_[S.astype('i8'), I], fs=3e4)
h5py.File('a.h5', 'a')['spikes'].attrs['names'] = 'sample, unit'`,
  },
  'rows of any name and order': {
    file: 'a.h5',
    python: `h5(a=numpy.zeros((3, 2))); group('x', a=numpy.c_[T, I][::-1])`,
    options: { isEventList: true, member: 'x/a' },
  },
  'rows of an archive': {
    file: 'a.npz',
    python: `numpy.savez('a.npz', numpy.asfortranarray(numpy.c_[T, I]))`,
    options: { isEventList: true },
  },
  'rows of a variable of MATLAB': {
    file: 'a.mat',
    python: `mat(lambda f: variable(f, 'spikes', numpy.c_[T, I].T))`,
    options: { isEventList: true, member: 'spikes' },
  },
  'a sorting of SpikeInterface': {
    file: 'a.npz',
    python: `${COUNTED}${SORTING}numpy.savez('a.npz', **sorting(0))`,
    channels: 4,
  },
  'a segment of a sorting': {
    file: 'a.npz',
    python: `${COUNTED}${SORTING}numpy.savez('a.npz', **{**sorting(1), **sorting(0), 'spike_indexes_seg0': S + 300})`,
    options: { population: '1' },
    channels: 4,
  },
  'a sorting without segments': {
    file: 'a.npz',
    python: `${COUNTED}numpy.savez('a.npz', unit_ids=[20, 9, 15, 4], spike_indexes=S, spike_labels=I, sampling_frequency=3e4)`,
    events: '0:4 3:9 10:20 10:4',
    channels: 4,
  },
  'a TsGroup of pynapple': {
    file: 'a.npz',
    python: `numpy.savez('a.npz', type=['TsGroup'], t=T, index=I, keys=[4, 9, 15, 20], start=[0.], end=[9.], rate=[1.] * 4)`,
    channels: 4,
  },
  'a TsGroup that does not list its units': {
    file: 'a.npz',
    python: `numpy.savez('a.npz', type=['TsGroup'], t=T, index=I, d=T, start=[0.], end=[9.])`,
    channels: 3,
  },
  'a Ts of pynapple': {
    file: 'a.npz',
    python: `numpy.savez('a.npz', type=['Ts'], t=T, start=[0.], end=[9.])`,
    events: '0:0 3:0 10:0 10:0',
    channels: 1,
  },
  'a camera without polarities': {
    file: 'a.npz',
    python: `numpy.savez('a.npz', t=T, x=[1, 0, 2, 2], y=[0, 1, 1, 1])`,
    events: '0:1 3:3 10:5 10:5',
    channels: 6,
  },
  'a camera of a size': {
    file: 'a.h5',
    python: `group('events', t=T, x=[1, 0, 2, 2], y=[0, 1, 1, 1], p=[1, -1, 1, 0])`,
    options: { sensor: [10, 4] },
    events: '0:41 3:10 10:12 10:52',
    channels: 80,
  },
  'a camera of a size without polarities': {
    file: 'a.npy',
    python: `
a = numpy.zeros(4, dtype=[('t', 'f8'), ('x', 'u2'), ('y', 'u2')]); a['t'], a['x'], a['y'] = T, [1, 0, 2, 2], [0, 1, 1, 1]
numpy.save('a.npy', a)`,
    options: { sensor: [3, 3] },
    events: '0:1 3:3 10:5 10:5',
    channels: 9,
  },
  'events beside positions': {
    file: 'a.h5',
    python: `group('spikes', times=T, units=I); group('position', t=T, x=T, y=T)`,
  },
};

const REFUSED: Record<string, Read & { message: RegExp }> = {
  'a raster of two channels': {
    file: 'a.h5',
    python: `h5(spikes=numpy.c_[[0, 0.5, 0], [0, 0, 1.0]])`,
    message:
      /^Expected times that ascend and whole numbers of channels in the columns of spikes of a\.h5 but .* give --events and --member spikes if/,
  },
  'a raster without spikes': {
    file: 'a.h5',
    python: `h5(spikes=numpy.zeros((9, 2)))`,
    message: /^Expected times that ascend and whole numbers of channels/,
  },
  'a raster of counts': {
    file: 'a.h5',
    python: `h5(spikes=numpy.c_[[0, 0, 1], [1, 0, 1]])`,
    message: /^Expected the unit of the whole numbers in 'time' of a\.h5/,
  },
  'several segments': {
    file: 'a.npz',
    python: `${COUNTED}${SORTING}numpy.savez('a.npz', **sorting(0), **{n: a for n, a in sorting(1).items() if n.startswith('spike')})`,
    message:
      /^Expected one of the populations '0', '1' of a\.npz for --population but received none\.$/,
  },
  'a sorting with units that it does not list': {
    file: 'a.npz',
    python: `${COUNTED}${SORTING}numpy.savez('a.npz', **{**sorting(0), 'unit_ids': [4, 9]})`,
    message: /^Expected units that a\.npz lists but event 3 is of unit 20\.$/,
  },
  'a Tsd of pynapple': {
    file: 'a.npz',
    python: `numpy.savez('a.npz', type=['Tsd'], t=T, d=T, start=[0.], end=[9.])`,
    message: /^Expected one of the arrays 'type', 't', 'd', 'start', 'end' of a\.npz for --member/,
  },
  'pixels outside of the camera': {
    file: 'a.npz',
    python: `numpy.savez('a.npz', t=T, x=[1, 0, 2, 2], y=[0, 1, 4, 1], p=[0, 0, 0, 1])`,
    options: { sensor: [3, 4] },
    message:
      /^Expected pixels of a camera of 3 x 4, whole numbers from 0 on, in a\.npz but event 2 is at \(2, 4\); check --sensor\.$/,
  },
  positions: {
    file: 'a.npz',
    python: `numpy.savez('a.npz', t=T, x=[1.5, 0, 2, 2], y=[0.5, 1, 1, 1])`,
    message:
      /^Expected pixels, whole numbers from 0 on, in a\.npz but event 0 is at \(1\.5, 0\.5\)\.$/,
  },
  'pixels below 0': {
    file: 'a.npz',
    python: `numpy.savez('a.npz', t=T, x=[1, -1, 2, 2], y=[0, 1, 1, 1])`,
    message: /but event 1 is at \(-1, 1\)\.$/,
  },
  'units with the size of a camera': {
    file: 'a.npz',
    python: `numpy.savez('a.npz', t=T, unit=I)`,
    options: { sensor: [3, 4] },
    message:
      /^Expected events of a camera, with x and y, in a\.npz for --sensor but received others; leave it out\.$/,
  },
};

describeLists(
  'rows, archives and cameras',
  { read: READ, refused: REFUSED, notTaken: {} },
  (goTo) => {
    it('are rasters unless the user says that rows are events', async () => {
      for (const [what, file, expected] of [
        ['rows of an archive', 'a.npz', 'npz'],
        ['rows of a variable of MATLAB', 'a.mat', 'matlab'],
      ] as const) {
        goTo(what);
        const { format, shape } = await readEventsOf(file);
        assert.deepEqual([format, ...shape], [expected, 1, 4, 2]);
      }
    });

    it('have the size of a camera from --sensor, which --like keeps', async () => {
      goTo('a camera of a size');
      const options = ['--no-plot', '--tau', '5ms', '--out'];
      await succeed('a.h5', '--sensor', '10x4', ...options, 'first.npy');
      assert.match(await succeed('info', 'first.npy'), /^holds +\(1, 11, 80\)/);
      await succeed('a.h5', '--like', 'first.npy', ...options, 'second.npy');
      assert.match(await succeed('info', 'second.npy'), /^holds +\(1, 11, 80\)/);
      assert.match(await succeed('info', 'a.h5', '--sensor', '4x4'), /^holds +\(1, 11, 32\)/);
      const identities = await Promise.all(
        [[10, 4] as const, [4, 10] as const].map(async (sensor) => {
          const { input } = await recognise('a.h5');
          const source = await input.open('a.h5', { dt: 1e-3, sensor });
          await source.close();
          return source.identity.fingerprint;
        }),
      );
      assert.notEqual(identities[0], identities[1]);
      for (const size of ['10', '0x4', '10x', 'a']) {
        const { code, err } = await expsyn('a.h5', '--sensor', size, ...options, 'third.npy');
        assert.equal(code, 2);
        assert.match(
          err,
          /^Expected the columns and rows of a camera, such as 346x260, for --sensor/,
        );
      }
      const { err } = await expsyn('first.npy', '--sensor', '3x3', ...options, 'third.npy');
      assert.match(err, /^Expected a list of events in first\.npy for --time-unit, .*--sensor and/);
    });
  },
);
