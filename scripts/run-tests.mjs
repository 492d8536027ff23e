/**
 * Runs every test: the core's own program, once for each instruction set, then mocha. With file names as
 * arguments (`npm test -- FILE`), mocha runs only these. The last line counts the tests.
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The core's SIMD code is compiled for each of these. A processor that lacks one runs its best one instead. */
const INSTRUCTION_SETS = readdirSync(join(root, 'native/core/simd/sets')).map((file) =>
  basename(file, '.cc'),
);

/** Files that mocha runs at a time. Many tests wait for other processes, so even one core runs two. */
const jobs = Math.max(2, Math.min(4, availableParallelism()));

/** Runs a command in the project's folder. Resolves to { code, output }; shows the output if `isShown`. */
function run(command, commandArguments, { environment = {}, isShown = true } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, commandArguments, {
      cwd: root,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
      if (isShown) process.stdout.write(chunk);
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}

/** The number that `pattern` captures in `output`, or 0. */
function count(output, pattern) {
  return Number(pattern.exec(output)?.[1] ?? 0);
}

function secondsSince(start) {
  return `${((performance.now() - start) / 1000).toFixed(0)} s`;
}

/** Runs the core's tests at all instruction sets side by side. */
async function runCoreTests() {
  const start = performance.now();
  const results = await Promise.all(
    INSTRUCTION_SETS.map((name) =>
      run('build/core-tests/expsyn_core_tests', [], {
        environment: { EXPSYN_INSTRUCTION_SET: name },
        isShown: false,
      }),
    ),
  );
  results.forEach(({ output }, i) => {
    console.log(`The core without Node, at most ${INSTRUCTION_SETS[i]}:\n${output}`);
  });
  console.log(`The core's tests took ${secondsSince(start)}.`);
  return results;
}

async function runMocha(files) {
  const start = performance.now();
  // Those of test/wasm need the WebAssembly module, which `npm run test:wasm` builds.
  const all = [
    '--parallel',
    '--jobs',
    String(jobs),
    '--ignore',
    'test/wasm/**',
    'test/**/*.test.ts',
  ];
  const result = await run(process.execPath, [
    'node_modules/mocha/bin/mocha.js',
    ...(files.length > 0 ? files : all),
  ]);
  console.log(`The package's tests took ${secondsSince(start)}.`);
  return result;
}

/** The files at the top of the project. */
function topFiles() {
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
}

const filesBefore = topFiles();
const core = await runCoreTests();
const mocha = await runMocha(process.argv.slice(2));

const sum = (pattern) => core.reduce((total, { output }) => total + count(output, pattern), 0);
const passed = sum(/test cases:.*?\|\s*(\d+) passed/) + count(mocha.output, /^\s*(\d+) passing/m);
const failed = sum(/test cases:.*?\|\s*(\d+) failed/) + count(mocha.output, /^\s*(\d+) failing/m);
const isComplete = [...core, mocha].every(({ code }) => code === 0) && passed > 0;
console.log(`${passed} passed, ${failed} failed`);
if (!isComplete && failed === 0) console.log('A test run ended before it was complete.');

const left = topFiles().filter((name) => !filesBefore.includes(name));
if (left.length > 0) {
  console.log(
    `The tests left ${left.join(', ')} in ${root}, where they write nothing: find the test that did, and remove them.`,
  );
}
process.exitCode = isComplete && left.length === 0 ? 0 : 1;
