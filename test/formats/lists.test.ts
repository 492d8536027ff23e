/** Lists of events among arrays that NumPy and h5py have written: lists of lists, and an array for each unit. */
import assert from 'node:assert/strict';

import { expsyn, succeed } from '../support/command-line';
import { COUNTED, describeLists, EACH, RAGGED, type Read } from '../support/lists';

const NUMBERED = '0:0 3:1 10:0 10:3';

const READ: Record<string, Read> = {
  'lists of lists in any group': {
    file: 'a.h5',
    python: `${RAGGED}group('processing/sorted', spike_times=R, spike_times_index=N, id=U, electrodes=N, electrodes_index=N)`,
    channels: 4,
  },
  'lists of lists in an archive': {
    file: 'a.npz',
    python: `${RAGGED}numpy.savez_compressed('a.npz', spike_times=R, spike_times_index=N, unit_ids=U, channels=U)`,
    channels: 4,
  },
  'lists of lists in a folder of an archive': {
    file: 'a.npz',
    python: `${RAGGED}numpy.savez('a.npz', **{'b/times_ms': R * 1e3, 'b/times_ms_index': N, 'b/clusters': U, 'x': 0})`,
    channels: 4,
  },
  'lists of lists without ids': {
    file: 'a.h5',
    python: `${RAGGED}h5(times=R, times_index=N)`,
    events: NUMBERED,
    channels: 4,
  },
  'lists of lists whose ids are chosen': {
    file: 'a.npz',
    python: `${RAGGED}numpy.savez('a.npz', times=R, times_index=N, units=U, cells=U * 0)`,
    options: { member: 'times,units' },
    channels: 4,
  },
  'lists of lists whose ids are left out': {
    file: 'a.npz',
    python: `${RAGGED}numpy.savez('a.npz', times=R, times_index=N, units=U, cells=U * 0)`,
    options: { member: 'times,times_index' },
    events: NUMBERED,
    channels: 4,
  },
  'events beside an index': {
    file: 'a.npz',
    python: `${RAGGED}numpy.savez('a.npz', times=T, times_index=N[1:], units=I)`,
    options: { member: 'times,units' },
    channels: 3,
  },
  'one of two lists of lists': {
    file: 'a.h5',
    python: `${RAGGED}h5(a=0); group('s', times=R, times_index=N, spikes=R + 1, spikes_index=N, ids=U)`,
    options: { member: '/s/times' },
    channels: 4,
  },
  'lists of lists of variables of MATLAB': {
    file: 'a.mat',
    python: `${RAGGED}mat(lambda f: [variable(f, n, a[None] * 1.0) for n, a in dict(times=R, times_index=N, ids=U).items()])`,
    channels: 4,
  },
  'a dataset for each unit': {
    file: 'a.h5',
    python: `${EACH}h5(**{f'unit_{n}': L[n] for n in L}, t0=1.0, amplitude_4=T)`,
    channels: 4,
  },
  'an array for each unit': {
    file: 'a.npz',
    python: `${EACH}numpy.savez('a.npz', t0=1.0, t1=T, **{f'cluster-{n:03}': L[n][:, None] for n in L})`,
    channels: 4,
  },
  'trains of other words': {
    file: 'a.npz',
    python: `${EACH}numpy.savez_compressed('a.npz', **{f'spikeTimes{n}': L[n] for n in L})`,
    channels: 4,
  },
  'trains whose words tell the unit of their times': {
    file: 'a.h5',
    python: `${EACH}group('units', **{f'{n}/times_ms': L[n] * 1e3 for n in L}, **{f'{n}/amplitudes': -L[n] for n in L})`,
    channels: 4,
  },
  'numbers in a group of whole microseconds': {
    file: 'a.h5',
    python: `${EACH}group('data/spike_times_us', **{str(n): numpy.round(L[n] * 1e6).astype('i8') for n in L})`,
    channels: 4,
  },
  'numbers in a folder of an archive': {
    file: 'a.npz',
    python: `${EACH}numpy.savez('a.npz', **{f'units/{n}': L[n] if n != 15 else [] for n in L})`,
    channels: 4,
  },
  'one unit alone whose name says times': {
    file: 'a.h5',
    python: `h5(**{'unit_4_spike_times': T, 'unit_4': 1.0})`,
    events: '0:4 3:4 10:4 10:4',
    channels: 1,
  },
  'words behind the number': {
    file: 'a.npz',
    python: `${EACH}numpy.savez('a.npz', **{f'unit_{n}_spike_times': L[n] for n in L}, unit_4_mean=3)`,
    channels: 4,
  },
  'vectors of a structure of MATLAB': {
    file: 'a.mat',
    python: `${EACH}
def write(f):
    for n in L:
        if len(L[n]): variable(f, f'spikes/unit{n}', L[n][None])
        else: variable(f, f'spikes/unit{n}', numpy.array([0, 0], 'u8')).attrs['MATLAB_empty'] = numpy.uint8(1)
mat(write)`,
    channels: 4,
  },
  'arrays of a pattern': {
    file: 'a.npz',
    python: `${EACH}numpy.savez('a.npz', rate=3, **{f'arr_{n}': L[n] for n in L})`,
    options: { member: 'arr_*' },
    channels: 4,
  },
  'groups of a pattern, in any order': {
    file: 'a.h5',
    python: `${EACH}group('x', **{f'{n}/t': L[n][::-1] for n in L}); group('unit', a=1)`,
    options: { member: '/x/*/t' },
    channels: 4,
  },
  'datasets of NWB that are named': {
    file: 'a.nwb',
    python: `${RAGGED}group('units', spike_times=R + 1, spike_times_index=N, id=U)
group('sorted', spike_times=R, spike_times_index=N, id=U); os.rename('a.h5', 'a.nwb')`,
    options: { member: 'sorted/spike_times' },
    channels: 4,
  },
  'numbers of samples beside their rate': {
    file: 'a.npz',
    python: `${COUNTED}numpy.savez('a.npz', spike_samples=S, units=I, sampling_frequency=[30000.])`,
  },
  'numbers of samples with a rate of the file': {
    file: 'a.h5',
    python: `${COUNTED}group('a/b', samples=S, units=I); h5py.File('a.h5', 'a').attrs['sampling_rate'] = 30000`,
  },
  'numbers of samples with a rate of their own': {
    file: 'a.h5',
    python: `${COUNTED}group('a', sample_index=S, units=I, fs=1000)
h5py.File('a.h5', 'a')['a/sample_index'].attrs['sample_rate'] = numpy.array([3e4])`,
  },
  'times in samples, as their attribute says': {
    file: 'a.h5',
    python: `${COUNTED}group('a', times=S, units=I, fs=3e4); h5py.File('a.h5', 'a')['a/times'].attrs['unit'] = 'samples'`,
  },
  'numbers of samples with a rate that is given': {
    file: 'a.npz',
    python: `${COUNTED}numpy.savez('a.npz', spike_samples=S, units=I, fs=1e3)`,
    options: { timeUnit: 1 / 30000 },
  },
};

const REFUSED: Record<string, Read & { message: RegExp }> = {
  'an index that does not reach the end': {
    file: 'a.npz',
    python: `${RAGGED}numpy.savez('a.npz', times=R, times_index=N[:3])`,
    message:
      /^Expected whole numbers that ascend to 4, .* in times_index of a\.npz but received 3 at \[2\]\.$/,
  },
  'an index of no units': {
    file: 'a.h5',
    python: `${RAGGED}h5(times=R, times_index=N[:0])`,
    message:
      /^Expected whole numbers that ascend to 4, .* in times_index of a\.h5 but received none\.$/,
  },
  'ids that are those of something else': {
    file: 'a.h5',
    python: `${RAGGED}h5(times=R, times_index=N, id=U[:3])`,
    message:
      /^Expected a different id for each of the 4 units in id of a\.h5 but received 3 ids, 3 of them/,
  },
  'two arrays of ids': {
    file: 'a.h5',
    python: `${RAGGED}group('s', times=R, times_index=N, units=U, cells=U)`,
    message:
      /^Expected one array with the ids of the units of s\/times in a\.h5 but received 's\/cells', 's\/units'; give --member s\/times,IDS/,
  },
  'several lists of lists': {
    file: 'a.npz',
    python: `${RAGGED}numpy.savez('a.npz', times=R, times_index=N, spikes=R, spikes_index=N)`,
    message:
      /^Expected one of the lists of events 'times', 'spikes' of a\.npz for --member, TIMES,CHANNELS with the names of two arrays, or a pattern with .* but received none\.$/,
  },
  'numbers of samples without a rate': {
    file: 'a.npz',
    python: `${COUNTED}numpy.savez('a.npz', spike_samples=S + 0.5, units=I)`,
    message:
      /^Expected the rate of the numbers of samples in 'spike_samples' of a\.npz .* give --time-unit, such as 30kHz\.$/,
  },
  'two rates': {
    file: 'a.h5',
    python: `${COUNTED}group('a', samples=S, units=I, fs=3e4, sampling_rate=2e4)`,
    message:
      /^Expected one sampling rate above 0 in a\.h5 but received 30000 in a\/fs and 20000 in a\/sampling_rate; give --time-unit/,
  },
  'times in a unit that is unknown': {
    file: 'a.h5',
    python: `group('a', times=T, units=I); h5py.File('a.h5', 'a')['a/times'].attrs['units'] = 'jiffies'`,
    message:
      /^Expected times in s, ms, us or ns in a\/times of a\.h5 but received 'jiffies'; give --time-unit\.$/,
  },
  'units whose times have other units': {
    file: 'a.h5',
    python: `${EACH}h5(**{f'unit_{n}': L[n] for n in L}); h5py.File('a.h5', 'a')['unit_9'].attrs['units'] = 'ms'`,
    message:
      /^Expected one unit of the times of all units in a\.h5 but received '' and 'ms'; give --time-unit\.$/,
  },
  'traces of channels': {
    file: 'a.npz',
    python: `numpy.savez('a.npz', channel_0=numpy.sin(T * 1e3), channel_1=T)`,
    message:
      /^Expected times of spikes in ascending order in channel_0 of a\.npz but received others; give --member 'channel_\*' if/,
  },
  'rasters of units': {
    file: 'a.npz',
    python: `numpy.savez('a.npz', unit_0=numpy.zeros(9), unit_1=numpy.zeros(9))`,
    message: /^Expected times of spikes in ascending order in unit_0 of a\.npz/,
  },
  'two patterns': {
    file: 'a.h5',
    python: `${EACH}h5(**{f'unit_{n}': L[n] for n in L}, **{f'spikes_{n}': L[n] for n in L})`,
    message:
      /^Expected one of the lists of events 'spikes_\*', 'unit_\*' of a\.h5 for --member, .* a pattern with \* .* received none\.$/,
  },
  'a pattern of other words than numbers': {
    file: 'a.npz',
    python: `${EACH}numpy.savez('a.npz', arr_x=T, arr_4=T)`,
    options: { member: 'arr_*' },
    message:
      /^Expected a different whole number for each unit in place of \* in 'arr_\*' for --member but received 'x', '4' in a\.npz; give a pattern/,
  },
  'a pattern of numbers that are equal': {
    file: 'a.npz',
    python: `numpy.savez('a.npz', arr_04=T, arr_4=T)`,
    options: { member: 'arr_*' },
    message: /^Expected a different whole number .* received '04', '4' in/,
  },
  'a pattern of single numbers': {
    file: 'a.npz',
    python: `numpy.savez('a.npz', t0=0.1, t1=T)`,
    options: { member: 't*' },
    message: /^Expected shape \(E,\) for t0 of a\.npz but received a single number\.$/,
  },
  'a pattern of matrices': {
    file: 'a.h5',
    python: `h5(a0=T, a1=numpy.zeros((3, 2)))`,
    options: { member: 'a*' },
    message: /^Expected shape \(E,\) for a1 of a\.h5 but received \(3, 2\)\.$/,
  },
  'a pattern of nothing': {
    file: 'a.h5',
    python: `h5(foo=T, bar=I)`,
    options: { member: 'a*' },
    message:
      /^Expected arrays with a number in place of \* for --member but received 'a\*', as which none of the arrays bar, foo of a\.h5 is named\.$/,
  },
};

/** Arrays whose names are not plain: nothing but --member says that they are times. */
const NOT_PLAIN: Record<string, string> = {
  'amplitudes of units': `${EACH}group('amplitudes', **{f'unit_{n}': L[n] for n in L})`,
  'times of trials': `${EACH}group('trials', **{f'{n}/spike_times': L[n] for n in L})`,
  'the beginning and the end': `h5(t0=T, t1=T, time_2=T, time_3=T)`,
  'single numbers': `h5(unit_0=1.0, unit_1=2.0)`,
  'one channel alone': `h5(channel_7=T, rate=1.0)`,
  'vectors of one number': `h5(spikes_0=T[:1], spikes_1=T[:1])`,
  matrices: `h5(unit_0=numpy.zeros((3, 2)), unit_1=T)`,
  'numbers alone': `${EACH}h5(**{str(n): L[n] for n in L})`,
  positions: `h5(events=numpy.c_[T, I]); h5py.File('a.h5', 'a')['events'].attrs['columns'] = ['x', 'y']`,
  'positions in space': `h5(t=T, x=I, y=I, z=I)`,
  'rows of another name': `h5(raster=numpy.c_[T, I])`,
  waveforms: `${EACH}group('waveforms/data', **{f'spikes_{n}': L[n] for n in L})`,
};

describeLists(
  'lists of events among arrays',
  { read: READ, refused: REFUSED, notTaken: NOT_PLAIN },
  (goTo) => {
    it('are described by info as a run takes them', async () => {
      goTo('an array for each unit');
      const part = ['--duration', '5ms', '--outside', 'drop', '--channels', '9-15'];
      const text = await succeed('info', 'a.npz', ...part);
      assert.match(text, /^holds +\(1, 5, 2\) uint16\nstored .* units \(9, 15\)/);
      await succeed('a.npz', ...part, '--tau', '5ms', '--no-plot', '--out', 'part.npy');
      const run = await succeed('info', 'part.npy');
      assert.match(run, /^holds +\(1, 5, 2\)[^]*\nunits +9, 15\n/);
      for (const [option, value] of [
        ['--duration', '2ms'],
        ['--channels', '0-1'],
      ] as const) {
        const { code, err } = await expsyn('info', 'part.npy', option, value);
        assert.equal(code, 1);
        assert.match(err, new RegExp(`^Expected a list of events in part\\.npy for ${option} but`));
      }
    });
  },
);
