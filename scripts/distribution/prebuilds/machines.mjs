/**
 * What runs the binary of each target on Linux on x86-64. A machine has:
 *   onlyFor    the word in scripts/setup/system-packages.mjs for the packages that it needs
 *   folders    those of test/ whose tests it runs; without it, all
 *   prepare()  makes it ready; end() ends what it has started
 *   programs() the programs that must compute the same bits
 *   pathOf()   a path of this system as the machine knows it
 *   mochaArguments
 *   runNode(arguments, { folder, log, limitMs, env, program }): resolves to { code, output }; what is
 *              printed goes to the file `log`, and code is null if it took too long
 */
import { bunForMusl, prepareMusl, runBun } from './musl.mjs';
import { nodeForArm, prepareArm, runNodeForArm } from './qemu.mjs';
import { runLimited } from './run-limited.mjs';
import { NODE, endWine, prepareWine, renamedNode, runNode, windowsPath } from './wine.mjs';

/** Tests of the binary itself. */
const OF_BINARY = ['addon', 'model', 'streams'];
/** What else uses it. The other folders are about files of the clone, and pages in a browser. */
const OF_FILES = ['cli', 'formats', 'runs'];

const onThisSystem = { pathOf: (path) => path, mochaArguments: ['--import=tsx'] };

export const MACHINES = {
  'linux-x64': {
    ...onThisSystem,
    folders: [...OF_BINARY, ...OF_FILES],
    programs: () => [process.execPath],
    runNode: (words, options) =>
      runLimited([options.program ?? process.execPath, ...words], options),
  },
  'linux-x64-musl': {
    ...onThisSystem,
    onlyFor: 'musl',
    folders: OF_BINARY,
    prepare: prepareMusl,
    programs: () => [bunForMusl()],
    runNode: runBun,
  },
  'linux-arm64': {
    ...onThisSystem,
    onlyFor: 'qemu',
    folders: OF_BINARY,
    prepare: prepareArm,
    programs: () => [nodeForArm()],
    runNode: runNodeForArm,
  },
  'win32-x64': {
    onlyFor: 'wine',
    prepare: prepareWine,
    end: endWine,
    // Applications of Electron have a program of another name.
    programs: () => [NODE, renamedNode()],
    pathOf: windowsPath,
    mochaArguments: ['--import=tsx'],
    runNode,
  },
};
