/** Checks that docs/api is what typedoc makes of the sources as they are. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

import { root } from './pages.mjs';

/** The text of every file in a folder, by its path there. */
function filesIn(folder) {
  return new Map(
    readdirSync(folder, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [relative(folder, path), readFileSync(path, 'utf8')]),
  );
}

export function checkApiPages() {
  const folder = mkdtempSync(join(tmpdir(), 'expsyn-api-'));
  try {
    const typedoc = [join(root, 'node_modules/typedoc/bin/typedoc'), '--out', folder];
    const { status, stdout, stderr } = spawnSync(process.execPath, typedoc, {
      cwd: root,
      encoding: 'utf8',
    });
    if (status !== 0) {
      throw new Error(
        `Expected typedoc to document every public name but it says\n${stdout}${stderr}`,
      );
    }
    const made = filesIn(folder);
    const committed = filesIn(join(root, 'docs', 'api'));
    const names = new Set([...made.keys(), ...committed.keys()]);
    const stale = [...names].filter((name) => made.get(name) !== committed.get(name));
    if (stale.length > 0) {
      throw new Error(
        `Expected docs/api to be made from the sources but ${stale.join(', ')} differ; run 'npm run docs'.`,
      );
    }
    console.log(`The ${names.size} pages of docs/api: made from the sources`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
