/**
 * Runs the main tests and programs with the same binary in each supported version of Node:
 * `npm run test:nodes [-- VERSION...]`. It runs on Linux on x86-64.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { installNpmPackages } from '../setup/npm-packages.mjs';
import { root } from '../setup/run.mjs';
import { choose, main, run, runChecks } from './cases.mjs';
import { packInto } from './tarball.mjs';

const LABEL = 'nodes';
const FOLDER = join('scripts', 'distribution', 'nodes');
const VERSIONS = ['20', '22', '24', '26'];
const TARGET = 'linux-x64';

/** The tests that load the addon. Runs on files, the command line and the server use the same calls. */
const TESTS = ['model', 'addon', 'streams'].map((folder) => `test/${folder}/*.test.ts`);
TESTS.push('test/packaging/load-errors.test.ts');

const HELP = `Usage: npm run test:nodes [-- VERSION...]

Packs the package with its binary for ${TARGET}, and tests this binary in Node ${VERSIONS.join(', ')}:
programs that use the installed package by require(), by import, in worker threads, in a cluster and under
Node's permission model, then ${TESTS.join(', ')}.`;

const MOCHA = ['node_modules/mocha/bin/mocha.js', '--parallel', '--jobs', '2', '--reporter', 'dot'];

/** A copy of the project without the clone's own build, so that its tests load the release binary. */
function copyProject(folder) {
  const copy = join(folder, 'tests');
  const files = [
    'lib',
    'test',
    'dist',
    'scripts',
    'package.json',
    'tsconfig.json',
    '.mocharc.json',
  ];
  for (const file of [...files, 'native', `prebuilds/${TARGET}`]) {
    cpSync(join(root, file), join(copy, file), {
      recursive: true,
      filter: (source) => !source.endsWith('node_modules'),
    });
  }
  const faults = 'build/Release/expsyn_faults.node';
  mkdirSync(join(copy, 'build', 'Release'), { recursive: true });
  cpSync(join(root, faults), join(copy, faults));
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

async function installTarball(folder, tarball) {
  const project = join(folder, 'project');
  cpSync(join(root, 'scripts', 'distribution', 'program'), project, { recursive: true });
  const install = ['install', '--prefix', project, '--no-audit', '--no-fund', tarball];
  await run('npm', install, { cwd: project });
  return project;
}

async function runPrograms(node, version, project) {
  const flag = Number(version) >= 22 ? '--permission' : '--experimental-permission';
  const restricted = [flag, '--allow-addons', `--allow-fs-read=${project}/*`];
  for (const commandArguments of [
    ['main.cjs'],
    ['main.mjs'],
    ['threads.cjs'],
    [...restricted, 'main.cjs'],
    [...restricted, 'main.mjs'],
  ]) {
    const output = await run(node, commandArguments, { cwd: project });
    if (!output.includes('known numbers')) {
      throw new Error(`Expected ${commandArguments.join(' ')} to compute the known numbers.`);
    }
  }
}

/** Resolves to the number of tests that passed. */
async function runTests(node, copy) {
  const output = await run(node, [...MOCHA, ...TESTS], { cwd: copy });
  const count = (word) => Number(new RegExp(`^\\s*(\\d+) ${word}`, 'm').exec(output)?.[1] ?? 0);
  if (count('passing') === 0) throw new Error('Expected tests to run but there were none.');
  return `${count('passing')} tests passed, ${count('pending')} were skipped`;
}

async function testVersion(version, { project, copy }) {
  const node = join(root, FOLDER, 'node_modules', `node-${version}`, 'bin', 'node');
  const exact = (await run(node, ['--version'], { cwd: copy })).trim();
  await runPrograms(node, version, project);
  return `${exact}: the programs passed, ${await runTests(node, copy)}`;
}

await main(LABEL, async (named) => {
  if (named.includes('--help')) {
    console.log(HELP);
    return true;
  }
  const made = {};
  const checks = choose(
    VERSIONS.map((version) => ({ name: version, run: () => testVersion(version, made) })),
    named,
  );
  const folder = mkdtempSync(join(tmpdir(), 'expsyn-nodes-'));
  try {
    await installNpmPackages({ label: LABEL, folder: FOLDER, further: ['--ignore-scripts'] });
    process.env.EXPSYN_PREBUILDS ??= TARGET;
    made.project = await installTarball(folder, await packInto(folder, LABEL));
    made.copy = copyProject(folder);
    return await runChecks(LABEL, checks);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
