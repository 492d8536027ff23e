/** Tests the binary for Windows with Node for Windows, by Wine. */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';

import { probe, root } from '../../setup/run.mjs';
import { makeTestCopy, testFiles } from './test-copy.mjs';
import { compareWithExceptions, readReport } from './test-results.mjs';
import { endWine, NODE, prepareWine, renamedNode, runNode, windowsPath } from './wine.mjs';

const TARGET = 'win32-x64';
const LOGS = join(root, 'build', 'test-prebuilds', 'logs');
const BITS = join('scripts', 'distribution', 'prebuilds', 'bits.cjs');

/** Files that run at a time. Many tests wait for processes. */
const JOBS = 2;
/** Far beyond what any file takes. */
const LIMIT_MS = 15 * 60_000;

/** Resolves to whether everything is as it should be. `files` are those to run; without any, all. */
export async function testOnWindows(files) {
  rmSync(LOGS, { recursive: true, force: true });
  mkdirSync(LOGS, { recursive: true });
  prepareWine();
  const folder = await makeTestCopy(TARGET);
  try {
    const hasBits = [await hasSameBits(folder, NODE), await hasSameBits(folder, renamedNode())];
    const tests = await runTests(folder, files.length > 0 ? files : testFiles(folder));
    return compareWithExceptions(TARGET, tests) && !hasBits.includes(false);
  } finally {
    endWine();
  }
}

/** Whether results have the same bits as on this system. */
async function hasSameBits(folder, program) {
  const name = basename(program);
  const here = probe(process.execPath, [join(root, BITS), root]);
  const log = join(LOGS, `bits-${name}.txt`);
  const options = { folder, log, limitMs: LIMIT_MS, program };
  const there = await runNode([windowsPath(join(folder, BITS)), windowsPath(folder)], options);
  const isSame = here.isOk && there.code === 0 && here.output === there.output;
  if (isSame) console.log(`${TARGET}: ${name} computes the same bits as this system`);
  else console.error(`${TARGET}: ${name} computes other bits:\n${here.output}\n${there.output}`);
  return isSame;
}

async function runTests(folder, files) {
  const remaining = [...files];
  const tests = [];
  const work = async () => {
    for (let file = remaining.shift(); file !== undefined; file = remaining.shift()) {
      const found = await runFile(folder, file);
      const nPassed = found.filter(({ state }) => state === 'passed').length;
      console.log(`${TARGET}: ${file}: ${nPassed} of ${found.length} passed`);
      tests.push(...found);
    }
  };
  await Promise.all(Array.from({ length: JOBS }, work));
  return tests;
}

async function runFile(folder, file) {
  const name = file.replaceAll('/', '-');
  const report = join(LOGS, `${name}.json`);
  const words = [
    ...['node_modules\\mocha\\bin\\mocha.js', '--no-config', '--import=tsx', '--exit'],
    ...['--timeout', '120000', '--reporter', 'json'],
    ...['--reporter-option', `output=${windowsPath(report)}`, file.replace(/ts$/, 'js')],
  ];
  const log = join(LOGS, `${name}.txt`);
  const { code } = await runNode(words, { folder, log, limitMs: LIMIT_MS });
  try {
    return readReport(file, readFileSync(report, 'utf8'));
  } catch {
    const message = `the process ended with ${code} before its tests did; see ${log}`;
    return [{ file, title: '', state: 'failed', message }];
  }
}
