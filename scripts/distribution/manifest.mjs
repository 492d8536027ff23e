/**
 * package.json as it is published: `strip` removes what only a clone needs, `restore` undoes it. npm packs
 * the file as it is, so it is changed while npm packs. With the script `prepare` in it, npm would warn at
 * every installation of the tarball that it does not run that script. If npm is killed in between, `restore`
 * or git repairs the file.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const manifestOf = (folder) => join(folder, 'package.json');
const originalOf = (folder) => join(folder, 'build', 'package.json');

/** What refers to files that are not published, or concerns the build. */
const ONLY_IN_CLONES = ['scripts', 'devDependencies', 'overrides', 'binary', 'gypfile'];

export function strip(folder = ROOT) {
  restore(folder);
  const text = readFileSync(manifestOf(folder), 'utf8');
  const manifest = JSON.parse(text);
  for (const field of ONLY_IN_CLONES) delete manifest[field];
  // EXPSYN_PREBUILDS may leave it out.
  if (!existsSync(join(folder, 'prebuilds', 'wasm', 'index.mjs'))) {
    delete manifest.exports['./wasm'];
    delete manifest.typesVersions['*'].wasm;
  }
  mkdirSync(dirname(originalOf(folder)), { recursive: true });
  writeFileSync(originalOf(folder), text);
  writeFileSync(manifestOf(folder), `${JSON.stringify(manifest, null, 2)}\n`);
}

export function restore(folder = ROOT) {
  if (existsSync(originalOf(folder))) renameSync(originalOf(folder), manifestOf(folder));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const actions = { strip, restore };
  const action = actions[process.argv[2]];
  if (action === undefined) throw new Error(`Expected strip or restore, not ${process.argv[2]}.`);
  action();
}
