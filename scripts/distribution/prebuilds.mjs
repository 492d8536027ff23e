/** Builds the binaries of a release: `npm run prebuilds [-- TARGET...]`. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { withLock } from '../setup/lock.mjs';
import { installNpmPackages } from '../setup/npm-packages.mjs';
import { root } from '../setup/run.mjs';
import { SetupError } from '../setup/setup-error.mjs';
import { Stamps } from '../setup/stamps.mjs';
import { requireSystemPackages } from '../setup/system-packages.mjs';
import { LABEL, binaryOf, buildTarget } from './prebuilds/build.mjs';
import { MOST_PACKED_BYTES_OF_ALL, packedBytes, requireSmall } from './prebuilds/gates.mjs';
import { TARGETS } from './prebuilds/targets.mjs';
import { installReleaseTools } from './tools.mjs';
import { buildWasm, wasmBytes } from './wasm.mjs';

/** Not a binary of a system: expsyn/wasm. */
const WASM = 'wasm';

const HELP = `Usage: npm run prebuilds [-- TARGET...]

Builds the binaries of a release into prebuilds/TARGET/expsyn.node, and checks each one. What is up to
date is not built again. It runs on Linux on x86-64.

Targets (all, if none is named):
${Object.entries(TARGETS)
  .map(([name, { system }]) => `  ${name.padEnd(16)}${system}`)
  .join('\n')}
  ${WASM.padEnd(16)}browsers, and systems without a binary, in prebuilds/wasm

Environment:
  EXPSYN_PREBUILDS            the targets, separated by commas, if none is named
  EXPSYN_SETUP_NO_INSTALL=1   install no system packages; report which are missing`;

/** The targets that the command line or the environment names, in the order of the list. */
function chosenTargets(named) {
  const given =
    named.length > 0 ? named : (process.env.EXPSYN_PREBUILDS ?? '').split(',').filter(Boolean);
  const all = [...Object.keys(TARGETS), WASM];
  const unknown = given.find((name) => !all.includes(name));
  if (unknown !== undefined) {
    throw new SetupError(`Expected targets among ${all.join(', ')} but received ${unknown}.`);
  }
  return given.length > 0 ? all.filter((name) => given.includes(name)) : all;
}

async function buildAll(targets) {
  const stamps = new Stamps(join(root, 'build', '.prebuilds.json'));
  const binaries = targets.filter((target) => target !== WASM);
  const flags = binaries.map((target) => TARGETS[target].onlyFor).filter(Boolean);
  if (binaries.length > 0) flags.push('prebuilds');
  if (targets.includes(WASM)) flags.push(WASM);
  const requested = Object.fromEntries(flags.map((flag) => [flag, true]));
  await requireSystemPackages(requested, stamps);
  await installNpmPackages({ label: LABEL });
  if (binaries.length > 0) await installReleaseTools(LABEL);
  for (const target of binaries) await buildTarget(target, stamps);
  if (targets.includes(WASM)) await buildWasm(stamps);

  const built = Object.keys(TARGETS).filter((target) => existsSync(join(root, binaryOf(target))));
  const bytes = built.reduce(
    (sum, target) => sum + packedBytes(join(root, binaryOf(target))),
    wasmBytes(),
  );
  if (wasmBytes() > 0) built.push(WASM);
  requireSmall(`all compressed binaries (${built.join(', ')})`, bytes, MOST_PACKED_BYTES_OF_ALL);
  console.log(`${LABEL}: ${built.join(', ')}: ${(bytes / 1000).toFixed(0)} kB packed`);
}

try {
  const named = process.argv.slice(2);
  if (named.includes('--help')) console.log(HELP);
  else {
    const targets = chosenTargets(named);
    await withLock(join(root, '.setup.lock'), () => buildAll(targets));
  }
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`${LABEL}: ${error.message}`);
  process.exitCode = 1;
}
