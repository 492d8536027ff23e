/** Tests the binary of one target with the machine that runs it here. */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';

import { probe, root } from '../../setup/run.mjs';
import { INSTRUCTION_SETS } from './instruction-sets.mjs';
import { makeTestCopy, testFiles } from './test-copy.mjs';
import { compareWithExceptions, readReport } from './test-results.mjs';

const BITS = join('scripts', 'distribution', 'prebuilds', 'bits.cjs');
const PATIENCE = `./${join('scripts', 'distribution', 'prebuilds', 'patience.cjs')}`;

/** Files that run at a time. Many tests wait for processes. */
const JOBS = 2;
/** Far beyond what any file takes. */
const LIMIT_MS = 20 * 60_000;

/**
 * Resolves to whether everything is as it should be. `machine` is described in machines.mjs; `files` are
 * those to run; without any, all that the machine runs.
 */
export async function testTarget(target, machine, files) {
  const logs = join(root, 'build', 'test-prebuilds', 'logs', target);
  rmSync(logs, { recursive: true, force: true });
  mkdirSync(logs, { recursive: true });
  await machine.prepare?.();
  const folder = await makeTestCopy(target);
  const context = { target, machine, folder, logs };
  try {
    let isOk = true;
    for (const program of machine.programs()) {
      for (const set of INSTRUCTION_SETS) {
        isOk = (await hasSameBits(context, program, set)) && isOk;
      }
    }
    const chosen = testFiles(folder).filter(
      (file) => machine.folders?.some((name) => file.startsWith(`test/${name}/`)) ?? true,
    );
    const tests = await runTests(context, files.length > 0 ? files : chosen);
    return compareWithExceptions(target, tests) && isOk;
  } finally {
    machine.end?.();
  }
}

/** Whether results have the same bits as those of this system's own build. */
async function hasSameBits({ target, machine, folder, logs }, program, set) {
  const env = { EXPSYN_INSTRUCTION_SET: set };
  const here = probe(process.execPath, [join(root, BITS), root], {
    env: { ...process.env, ...env },
  });
  const name = basename(program);
  const options = { folder, log: join(logs, `bits-${name}-${set}.txt`), limitMs: LIMIT_MS };
  const there = await machine.runNode(
    [machine.pathOf(join(folder, BITS)), machine.pathOf(folder)],
    { ...options, program, env },
  );
  const isSame = here.isOk && there.code === 0 && here.output === there.output;
  if (isSame) console.log(`${target}: ${name} computes the same bits as this system, ${set}`);
  else console.error(`${target}: ${name}, ${set}: other bits:\n${here.output}\n${there.output}`);
  return isSame;
}

async function runTests(context, files) {
  const remaining = [...files];
  const tests = [];
  const work = async () => {
    for (let file = remaining.shift(); file !== undefined; file = remaining.shift()) {
      const found = await runFile(context, file);
      const nPassed = found.filter(({ state }) => state === 'passed').length;
      console.log(`${context.target}: ${file}: ${nPassed} of ${found.length} passed`);
      tests.push(...found);
    }
  };
  await Promise.all(Array.from({ length: JOBS }, work));
  return tests;
}

async function runFile({ machine, folder, logs }, file) {
  const name = file.replaceAll('/', '-');
  const report = join(logs, `${name}.json`);
  const words = [
    // A flag of Node among mocha's own would make it start a second process.
    ...['--import=tsx', join('node_modules', 'mocha', 'bin', 'mocha.js'), '--no-config'],
    ...['--exit', '--require', PATIENCE, '--timeout', '120000', '--reporter', 'json'],
    ...['--reporter-option', `output=${machine.pathOf(report)}`, file.replace(/ts$/, 'js')],
  ];
  const log = join(logs, `${name}.txt`);
  const { code } = await machine.runNode(words, { folder, log, limitMs: LIMIT_MS });
  try {
    return readReport(file, readFileSync(report, 'utf8'));
  } catch {
    const message = `the process ended with ${code} before its tests did; see ${log}`;
    return [{ file, title: '', state: 'failed', message }];
  }
}
