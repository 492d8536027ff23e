/** The targets of releases: one list in what builds them, what loads them, and the documentation. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { TARGETS as LOADED } from '../../lib/native/target';
import { ROOT } from '../support/processes';

async function load<Exports>(name: string): Promise<Exports> {
  const path = join(ROOT, 'scripts', 'distribution', 'prebuilds', name);
  return (await import(pathToFileURL(path).href)) as Exports;
}

describe('the targets of a release', () => {
  const page = readFileSync(join(ROOT, 'docs', 'platforms.md'), 'utf8');

  it('are the same where they are built and loaded, and each has a toolchain file', async () => {
    const { TARGETS: BUILT } = await load<{ TARGETS: object }>('targets.mjs');
    assert.deepEqual(Object.keys(BUILT).sort(), Object.keys(LOADED).sort());
    for (const name of Object.keys(BUILT)) {
      assert.ok(existsSync(join(ROOT, 'cmake', `${name}.cmake`)), name);
    }
  });

  it('are those of the page about platforms: one row and one section each', () => {
    const rows = [...page.matchAll(/^\| `([\w-]+)` +\|/gm)].map(([, name]) => name);
    assert.deepEqual(rows.sort(), Object.keys(LOADED).sort());
    const sections = [...page.matchAll(/^## `([\w-]+)`$/gm)].map(([, name]) => name);
    assert.deepEqual(sections.sort(), Object.keys(LOADED).sort());
  });

  it('that cannot be run where they are built are said to be untried', async () => {
    const { MACHINES } = await load<{ MACHINES: object }>('machines.mjs');
    for (const name of Object.keys(LOADED)) {
      const row = page.split('\n').find((line) => line.startsWith(`| \`${name}\``));
      assert.equal(row?.includes('never run'), !Object.hasOwn(MACHINES, name), name);
    }
  });

  it('have limits that the page states', async () => {
    const { MOST_PACKED_BYTES, MOST_PACKED_BYTES_OF_ALL } = await load<{
      MOST_PACKED_BYTES: number;
      MOST_PACKED_BYTES_OF_ALL: number;
    }>('gates.mjs');
    assert.ok(page.includes(`more than ${MOST_PACKED_BYTES / 1000} kB`));
    assert.ok(page.includes(`may take ${MOST_PACKED_BYTES_OF_ALL / 1e6} MB`));
  });
});
