/**
 * Tests the WebAssembly module: bit by bit against the addon in Node and Chromium, and by those of the package's
 * tests that need neither FFTW nor threads.
 */
import { runVisibly } from '../setup/run.mjs';

/** Files, and arguments that leave out what the module cannot do. */
const RUNS = [
  ['test/wasm/module.test.ts'],
  [
    ...['abort-other-signals', 'bad-options', 'evolve-sessions', 'foreign-sessions', 'options'],
    ...['results', 'step-limit', 'transfer'],
  ].map((name) => `test/model/${name}.test.ts`),
  ['test/model/parity.test.ts', '--grep', 'fft', '--invert'],
];

const mocha = 'node_modules/mocha/bin/mocha.js';
let isOk = true;
for (const [i, run] of RUNS.entries()) {
  const standIn = i === 0 ? [] : ['--require', './test/wasm/use-module.cjs'];
  isOk = (await runVisibly(process.execPath, [mocha, ...standIn, ...run])) && isOk;
}
process.exitCode = isOk ? 0 : 1;
