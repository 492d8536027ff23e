/**
 * Makes a clean clone ready: system packages, npm packages, the native build, the TypeScript build. Does only
 * what is missing, announces each step, and asks no questions. Uses only Node's own modules, since
 * node_modules may be missing.
 */
import { SetupError } from './setup/setup-error.mjs';

const HELP = `Usage: node scripts/setup.mjs [--tests] [--lint] [--bench]

Installs and builds only what is missing.

  --tests   also what the tests need, and the tests of the native core
  --lint    also clang-format and clang-tidy
  --bench   also the native peers of the benchmark
  --help    this text

Environment:
  CC, CXX                     the compilers to use
  EXPSYN_SETUP_NO_INSTALL=1   install no system packages; report which are missing`;

const OLDEST_NODE = [20, 17];

function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_NODE;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  throw new SetupError(
    `Expected Node ${OLDEST_NODE.join('.')} or newer but this is ${process.versions.node}; ` +
      'install a newer one from your system or from nodejs.org.',
  );
}

function readArguments(given) {
  const known = ['--tests', '--lint', '--bench', '--help'];
  const unknown = given.find((argument) => !known.includes(argument));
  if (unknown !== undefined) {
    throw new SetupError(`Expected ${known.join(', ')} but received ${unknown}.`);
  }
  return {
    help: given.includes('--help'),
    tests: given.includes('--tests'),
    lint: given.includes('--lint'),
    bench: given.includes('--bench'),
  };
}

async function main() {
  const requested = readArguments(process.argv.slice(2));
  if (requested.help) {
    console.log(HELP);
    return;
  }
  requireNode();
  // Imported here, because an older Node cannot parse the modules of the steps.
  const { setUp } = await import('./setup/set-up.mjs');
  await setUp(requested);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`set-up: ${error.message}`);
  process.exitCode = 1;
}
