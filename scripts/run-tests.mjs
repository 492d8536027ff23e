/**
 * Runs every test: the core's own executable, then mocha; `npm test -- FILE` runs only that file
 * of the latter. Ends with one line that counts them.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The core's vector kernels are compiled for each; the processor's best one is taken for more. */
const INSTRUCTION_SETS = ['baseline', 'avx2', 'avx512'];

/** Runs a command in the project's folder, showing its output; resolves to { code, output }. */
function run(command, commandArguments, environment = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, commandArguments, {
      cwd: root,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
      process.stdout.write(chunk);
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}

/** The number that `pattern` captures in `output`, or 0. */
function count(output, pattern) {
  return Number(pattern.exec(output)?.[1] ?? 0);
}

const core = { code: 0, passed: 0, failed: 0 };
for (const instructionSet of INSTRUCTION_SETS) {
  console.log(`The core, without Node, at most ${instructionSet}:`);
  const { code, output } = await run('build/core-tests/expsyn_core_tests', [], {
    EXPSYN_INSTRUCTION_SET: instructionSet,
  });
  if (code !== 0) core.code = code;
  core.passed += count(output, /test cases:.*?\|\s*(\d+) passed/);
  core.failed += count(output, /test cases:.*?\|\s*(\d+) failed/);
}
console.log('The package:');
const chosen = process.argv.slice(2);
const mocha = await run(process.execPath, [
  'node_modules/mocha/bin/mocha.js',
  ...(chosen.length > 0 ? chosen : ['test/**/*.test.ts']),
]);

const passed = core.passed + count(mocha.output, /^\s*(\d+) passing/m);
const failed = core.failed + count(mocha.output, /^\s*(\d+) failing/m);
const isComplete = core.code === 0 && mocha.code === 0 && passed > 0;
console.log(`${passed} passed, ${failed} failed`);
if (!isComplete && failed === 0) console.log('A test run ended before it was complete.');
process.exitCode = isComplete ? 0 : 1;
