/** Tests of lists of events: programs that write files, and what is read of them. */
import assert from 'node:assert/strict';
import { join } from 'node:path';

import { isCommandError } from './command-errors';
import { temporaryFolder } from './folders';
import { EVENTS, readEventsOf, writeAll } from './recordings';

/** The times of the units 4, 9, 15 and 20, one after the other, and where each unit ends. */
export const RAGGED = `
O = numpy.argsort(I, kind='stable'); R = T[O]; N = numpy.array([2, 3, 3, 4], 'u1'); U = numpy.array([4, 9, 15, 20])
`;
/** The times of each of these units; unit 15 has none. */
export const EACH = `
L = {n: T[I == n] for n in (4, 9, 15, 20)}
`;
/** The same as numbers of samples. */
export const COUNTED = `
S = numpy.round(T * 30000).astype('u8')
`;

/** A file, the program that writes it, and what is read. */
export interface Read {
  file: string;
  python: string;
  options?: object;
  events?: string;
  channels?: number;
}

interface Lists {
  read: Record<string, Read>;
  refused: Record<string, Read & { message: RegExp }>;
  /** Programs that write a.h5, which nothing but an option would make a list of events. */
  notTaken: Record<string, string>;
}

/**
 * Tests that files are read, or refused, as expected.
 *
 * @param more Further tests; `goTo` makes the folder of a file that is read the current one.
 */
export function describeLists(
  title: string,
  { read, refused, notTaken }: Lists,
  more: (goTo: (what: string) => void) => void,
): void {
  describe(title, function () {
    this.timeout(60_000);
    const made = temporaryFolder();
    const home = process.cwd();
    const names = [read, refused, notTaken].flatMap((each) => Object.keys(each));
    const goTo = (what: string): void => {
      process.chdir(join(made.path, String(names.indexOf(what))));
    };
    before(() => {
      const files = [...Object.values(read), ...Object.values(refused)];
      const programs = [...files.map(({ python }) => python), ...Object.values(notTaken)];
      assert.equal(new Set(names).size, programs.length);
      writeAll(programs, made.path);
    });
    afterEach(() => {
      process.chdir(home);
    });

    for (const [what, { file, options, events = EVENTS, channels }] of Object.entries(read)) {
      it(`may be ${what}`, async () => {
        goTo(what);
        const found = await readEventsOf(file, { ...options });
        assert.equal(found.events, events);
        if (channels !== undefined) assert.equal(found.shape[2], channels);
      });
    }
    for (const [what, { file, options, message }] of Object.entries(refused)) {
      it(`must not be ${what}`, async () => {
        goTo(what);
        await assert.rejects(readEventsOf(file, { ...options }), isCommandError(message));
      });
    }
    for (const what of Object.keys(notTaken)) {
      it(`are not taken for ${what}`, async () => {
        goTo(what);
        await assert.rejects(readEventsOf('a.h5'), isCommandError(/there is no spikes\/times/));
      });
    }
    more(goTo);
  });
}
