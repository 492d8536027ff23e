/**
 * Runs every test: the core's own executable, then mocha; `npm test -- FILE` runs only that file
 * of the latter. Ends with one line that counts them.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Runs a command in the project's folder, showing its output; resolves to { code, output }. */
function run(command, commandArguments) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, commandArguments, {
      cwd: root,
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

console.log('The core, without Node:');
const core = await run('build/core-tests/expsyn_core_tests', []);
console.log('The package:');
const chosen = process.argv.slice(2);
const mocha = await run(process.execPath, [
  'node_modules/mocha/bin/mocha.js',
  ...(chosen.length > 0 ? chosen : ['test/**/*.test.ts']),
]);

const passed =
  count(core.output, /test cases:.*?\|\s*(\d+) passed/) + count(mocha.output, /^\s*(\d+) passing/m);
const failed =
  count(core.output, /test cases:.*?\|\s*(\d+) failed/) + count(mocha.output, /^\s*(\d+) failing/m);
const isComplete = core.code === 0 && mocha.code === 0 && passed > 0;
console.log(`${passed} passed, ${failed} failed`);
if (!isComplete && failed === 0) console.log('A test run ended before it was complete.');
process.exitCode = isComplete ? 0 : 1;
