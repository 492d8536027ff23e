/** Lists of events among arrays that NumPy and h5py have written: lists of lists, and an array for each unit. */
import assert from 'node:assert/strict';
import { join } from 'node:path';

import { isCommandError } from '../support/command-errors';
import { temporaryFolder } from '../support/folders';
import { EVENTS, readEventsOf, writeAll } from '../support/recordings';

/** The times of the units 4, 9, 15 and 20, one after the other, and where each unit ends. */
const RAGGED = `
O = numpy.argsort(I, kind='stable'); R = T[O]; N = numpy.array([2, 3, 3, 4], 'u1'); U = numpy.array([4, 9, 15, 20])
`;
const NUMBERED = '0:0 3:1 10:0 10:3';

interface Read {
  file: string;
  python: string;
  options?: object;
  events?: string;
  channels?: number;
}

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
      /^Expected one of the lists of events 'times', 'spikes' of a\.npz for --member, or TIMES,CHANNELS with the names of two arrays, but received none\.$/,
  },
};

describe('lists of events among arrays', function () {
  this.timeout(60_000);
  const made = temporaryFolder();
  const home = process.cwd();
  before(() => {
    writeAll(
      [...Object.values(READ), ...Object.values(REFUSED)].map(({ python }) => python),
      made.path,
    );
  });
  afterEach(() => {
    process.chdir(home);
  });

  Object.entries(READ).forEach(([what, { file, options, events = EVENTS, channels }], number) => {
    it(`may be ${what}`, async () => {
      process.chdir(join(made.path, String(number)));
      const found = await readEventsOf(file, { ...options });
      assert.equal(found.events, events);
      if (channels !== undefined) assert.equal(found.shape[2], channels);
    });
  });

  Object.entries(REFUSED).forEach(([what, { file, options, message }], index) => {
    it(`must not be ${what}`, async () => {
      process.chdir(join(made.path, String(Object.keys(READ).length + index)));
      await assert.rejects(readEventsOf(file, { ...options }), isCommandError(message));
    });
  });
});
