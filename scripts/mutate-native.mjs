/** Mutation testing of the native sources. For developers; see HELP. */
import { spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { NAMED } from './mutation/named.mjs';
import { mutationsOf, shuffle } from './mutation/operators.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

const HELP = `Usage: node scripts/mutate-native.mjs [options]

Makes one small change at a time in the native sources and reports the changes that no test notices. A
change that survives means that a test is missing or that the line is not needed. The core is tested by its
own tests, the binding by the package's tests of threads, order, memory and faults. The changes are made in
a copy of the project, in a temporary folder.

  --named         make the changes of scripts/mutation/named.mjs; tests must notice all of them
  --count <n>     the number of random changes (default: 40)
  --seed <n>      the seed of the random choice (default: 1)
  --files <list>  only change files whose path contains one of these words, separated by commas
  --jobs <n>      the number of processes that compile (default: 2)
  --list          print the changes, but make none
  --keep          keep the temporary folder
  --help          print this text`;

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    named: { type: 'boolean', default: false },
    count: { type: 'string', default: '40' },
    seed: { type: 'string', default: '1' },
    files: { type: 'string', default: '' },
    jobs: { type: 'string', default: '2' },
    list: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(HELP);
  process.exit();
}

const BUILD_MILLISECONDS = 30 * 60_000;
const BINDING_TESTS = [
  'addon/jobs',
  'addon/out-of-memory',
  'model/load',
  'model/abort',
  'model/abort-other-signals',
  'model/short-calls',
  'model/workers',
];

const MOCHA = [
  '--import=tsx',
  'node_modules/mocha/bin/mocha.js',
  '--no-config',
  '--timeout=240000',
  '--bail',
];

/** For the changes of a folder: the targets to build and the commands to run, the quickest first. */
const TARGETS = {
  core: {
    targets: ['expsyn_core_tests'],
    commandsFor: (file) =>
      // The tests of the file's subject first, because all of them take longer.
      [[`--source-file=*/${basename(file).replace(/(-inl)?\.\w+$/, '')}*_test.cc`], []].map(
        (selection) => ['build/expsyn_core_tests', '--abort-after=1', ...selection],
      ),
  },
  binding: {
    targets: ['expsyn', 'expsyn_faults'],
    commandsFor: () =>
      BINDING_TESTS.map((name) => [process.execPath, ...MOCHA, `test/${name}.test.ts`]),
  },
};

/** The changes that the options select. */
function chosenMutations() {
  const words = values.files.split(',').filter((word) => word !== '');
  const isWanted = (file) => words.length === 0 || words.some((word) => file.includes(word));
  if (values.named) return NAMED.filter(({ file }) => isWanted(file)).map(namedMutation);
  const all = [];
  for (const folder of ['core', 'binding']) {
    const files = readdirSync(join(root, 'native', folder), { recursive: true })
      .filter((name) => /\.(h|cc)$/.test(name))
      .sort();
    for (const file of files.map((name) => `native/${folder}/${name}`)) {
      // Each change of the binding takes minutes, so they are made only if --files selects them.
      if (!isWanted(file) || (folder === 'binding' && words.length === 0)) continue;
      all.push(...mutationsOf(file, readFileSync(join(root, file), 'utf8')));
    }
  }
  return shuffle(all, Number(values.seed)).slice(0, Number(values.count));
}

function namedMutation({ name, file, from, to }) {
  const source = readFileSync(join(root, file), 'utf8');
  const parts = source.split(from);
  if (parts.length !== 2) {
    throw new Error(
      `Expected the text of '${name}' once in ${file} but found it ${parts.length - 1} times; ` +
        'correct scripts/mutation/named.mjs.',
    );
  }
  const line = parts[0].split('\n').length;
  return { file, line, what: name, from: from.trim(), to: to.trim(), apply: () => parts.join(to) };
}

/** The command that runs, the leader of a process group, which does not end with this program. */
let running;

/** Runs a command; resolves to its exit code, or to undefined if it was killed for taking too long. */
function run(command, commandArguments, folder, milliseconds) {
  return new Promise((resolve) => {
    const child = spawn(command, commandArguments, {
      cwd: folder,
      stdio: 'ignore',
      detached: true,
    });
    running = child;
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      process.kill(-child.pid, 'SIGKILL');
    }, milliseconds);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve(isLate ? undefined : (code ?? -1));
    });
  });
}

/** A copy of the sources, with a build folder, in which changes are made and tested. */
class Workshop {
  #folder = mkdtempSync(join(tmpdir(), 'expsyn-mutation-'));
  #milliseconds = {};
  #latest = 'cmake';

  constructor() {
    const files = [
      'CMakeLists.txt',
      'native',
      'test',
      'package.json',
      'tsconfig.json',
      'lib',
      'dist',
    ];
    for (const name of files) {
      if (existsSync(join(root, name))) {
        cpSync(join(root, name), join(this.#folder, name), { recursive: true });
      }
    }
    symlinkSync(join(root, 'node_modules'), join(this.#folder, 'node_modules'));
  }

  /** Builds and runs everything without a change: that must pass. */
  async prepare(files) {
    const flags = ['--CDCMAKE_BUILD_TYPE=Mutation', '--CDCMAKE_CXX_FLAGS_MUTATION=-O2'];
    if (!files.some(isOfBinding)) flags.push('--CDEXPSYN_ADDON=OFF');
    const cmakeJs = ['node_modules/cmake-js/bin/cmake-js', 'configure', '--CDEXPSYN_CORE_TESTS=ON'];
    const configured = spawnSync(process.execPath, [...cmakeJs, ...flags], {
      cwd: this.#folder,
      encoding: 'utf8',
    });
    if (configured.status !== 0) throw new Error(configured.stdout + configured.stderr);
    for (const file of files) {
      const outcome = await this.#tryOut(file, true);
      if (outcome === 'survived') continue;
      throw new Error(
        `Expected the unchanged sources to pass but they are ${outcome} by '${this.#latest}' in ` +
          `${this.#folder}; keep that folder with --keep to examine it.`,
      );
    }
  }

  async outcomeOf(mutation) {
    const path = join(this.#folder, mutation.file);
    const source = readFileSync(path);
    writeFileSync(path, mutation.apply());
    try {
      return await this.#tryOut(mutation.file);
    } finally {
      writeFileSync(path, source);
    }
  }

  async #tryOut(file, isUnchanged = false) {
    const { targets, commandsFor } = TARGETS[isOfBinding(file) ? 'binding' : 'core'];
    const build = ['--build', 'build', '--parallel', values.jobs, '--target', ...targets];
    if ((await run('cmake', build, this.#folder, BUILD_MILLISECONDS)) !== 0) return 'not compiled';
    for (const [program, ...programArguments] of commandsFor(file)) {
      const key = programArguments.join(' ');
      if (isUnchanged && key in this.#milliseconds) continue;
      this.#latest = [program, ...programArguments].join(' ');
      const start = performance.now();
      const limit = this.#milliseconds[key] ?? BUILD_MILLISECONDS;
      const code = await run(program, programArguments, this.#folder, limit);
      if (code === undefined) return 'killed (hangs)';
      if (code !== 0) return 'killed';
      // With a change, a command may take five times as long as without one.
      this.#milliseconds[key] ??= 5 * (performance.now() - start) + 10_000;
    }
    return 'survived';
  }

  remove() {
    if (values.keep) console.log(`Kept ${this.#folder}.`);
    else rmSync(this.#folder, { recursive: true, force: true });
  }
}

function isOfBinding(file) {
  return file.startsWith('native/binding/');
}

function show({ file, line, what, from, to }) {
  return `${file}:${line} ${what}\n      ${from}\n   -> ${to || '(nothing)'}`;
}

async function main() {
  const mutations = chosenMutations();
  if (values.list) {
    for (const mutation of mutations) console.log(show(mutation));
    return;
  }
  const workshop = new Workshop();
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => {
      if (running?.exitCode === null) process.kill(-running.pid, 'SIGKILL');
      workshop.remove();
      process.exit(1);
    });
  }
  const counts = { killed: 0, survived: 0, 'not compiled': 0 };
  try {
    await workshop.prepare([...new Set(mutations.map(({ file }) => file))]);
    for (const [index, mutation] of mutations.entries()) {
      const outcome = await workshop.outcomeOf(mutation);
      counts[outcome.split(' (')[0]]++;
      console.log(`${index + 1}/${mutations.length} ${outcome}: ${show(mutation)}`);
    }
  } finally {
    workshop.remove();
  }
  const { killed, survived } = counts;
  const score = killed + survived === 0 ? 100 : (100 * killed) / (killed + survived);
  console.log(
    `${killed} killed, ${survived} survived, ${counts['not compiled']} did not compile: ` +
      `score ${score.toFixed(0)} %`,
  );
  if (values.named && survived > 0) process.exitCode = 1;
}

await main();
