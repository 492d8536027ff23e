/**
 * Checks, before a release is built, that everything names the same version and the same repository:
 * npm refuses a provenance whose repository is not the one that package.json names.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { root } from '../setup/run.mjs';

const read = (name) => readFileSync(join(root, name), 'utf8');
const { version, repository } = JSON.parse(read('package.json'));
const { RELEASE_TAG: tag, RELEASE_REPOSITORY: here } = process.env;

const faults = [];
const expect = (isSo, sentence) => {
  if (!isSo) faults.push(sentence);
};

if (tag)
  expect(
    tag === `v${version}`,
    `Expected tag v${version}, as package.json says, but it is ${tag}.`,
  );
if (here) {
  const named = repository.url.replace(/^git\+/, '').replace(/\.git$/, '');
  expect(here === named, `Expected ${here} as the repository in package.json but it is ${named}.`);
}
const [, cited] = /^version: (.+)$/m.exec(read('CITATION.cff')) ?? [];
expect(cited === version, `Expected version ${version} in CITATION.cff but it is ${cited}.`);
const locked = JSON.parse(read('package-lock.json')).version;
expect(locked === version, `Expected version ${version} in package-lock.json but it is ${locked}.`);
if (tag) {
  const isListed = new RegExp(`^## ${version.replaceAll('.', '\\.')}\\b`, 'm').test(
    read('CHANGELOG.md'),
  );
  expect(isListed, `Expected a heading '## ${version}' in CHANGELOG.md but there is none.`);
}

for (const fault of faults) console.error(fault);
if (faults.length > 0) process.exitCode = 1;
else console.log(`Version ${version}: everything that names it agrees.`);
