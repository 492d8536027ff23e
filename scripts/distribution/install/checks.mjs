/** One check for each way to install the package, and one for each tool that judges the tarball. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { root } from '../../setup/run.mjs';
import { run } from '../cases.mjs';
import { withRegistry } from './registry.mjs';

/** Where the package managers are installed, relative to the project. */
export const FOLDER = join('scripts', 'distribution', 'install');
const PACKAGES = join(root, FOLDER, 'node_modules');
const PROGRAM = join(root, 'scripts', 'distribution', 'program');

/** The files to run for each manager, beside npm, which comes with Node. */
const EXECUTABLES = {
  pnpm: 'pnpm/bin/pnpm.cjs',
  yarn: '@yarnpkg/cli-dist/bin/yarn.js',
  'yarn-classic': 'yarn/bin/yarn.js',
  bun: '@oven/bun-linux-x64/bin/bun',
  deno: '@deno/linux-x64-glibc/deno',
};

/** Makes a project with the program, and a PATH for it that holds Node and one package manager alone. */
function makeProject(folder, manager, packageJson = {}) {
  const project = join(folder, 'project');
  cpSync(PROGRAM, project, { recursive: true });
  const content = { name: 'user', version: '1.0.0', private: true, ...packageJson };
  writeFileSync(join(project, 'package.json'), JSON.stringify(content));
  const path = join(folder, 'path');
  mkdirSync(path);
  symlinkSync(process.execPath, join(path, 'node'));
  const executable = manager === 'npm' ? findNpm() : join(PACKAGES, EXECUTABLES[manager]);
  const name = manager === 'yarn-classic' ? 'yarn' : manager;
  symlinkSync(executable, join(path, name));
  const registry = registryOfNpm();
  const env = {
    PATH: path,
    npm_config_registry: registry,
    YARN_REGISTRY: registry,
    YARN_NPM_REGISTRY_SERVER: registry,
    YARN_ENABLE_TELEMETRY: '0',
    YARN_ENABLE_GLOBAL_CACHE: '0',
    YARN_GLOBAL_FOLDER: join(folder, 'yarn'),
    YARN_CACHE_FOLDER: join(folder, 'cache'),
    BUN_INSTALL_CACHE_DIR: join(folder, 'cache'),
    DENO_DIR: join(folder, 'cache'),
    DENO_NO_UPDATE_CHECK: '1',
  };
  // The npm that has started this script describes its own project to the others.
  for (const variable of Object.keys(process.env)) {
    if (/^npm_(package|lifecycle|config_local_prefix)/.test(variable)) env[variable] = undefined;
  }
  return {
    project,
    env,
    path,
    run: (...commandArguments) => run(join(path, name), commandArguments, { cwd: project, env }),
    node: (...nodeArguments) => run(join(path, 'node'), nodeArguments, { cwd: project, env }),
  };
}

function findNpm() {
  const folders = process.env.PATH.split(delimiter).filter((name) => !name.endsWith('.bin'));
  return realpathSync(folders.map((name) => join(name, 'npm')).find((file) => existsSync(file)));
}

let registry;

/** The registry that npm uses here, for managers that do not read npm's configuration. */
function registryOfNpm() {
  registry ??= spawnSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).stdout.trim();
  return registry;
}

/** Runs the two programs by `runFile`. Resolves to what they have said. */
async function checkPrograms(runFile) {
  const lines = [];
  for (const [file, way] of [
    ['main.cjs', 'by require()'],
    ['main.mjs', 'by import'],
  ]) {
    const line = (await runFile(file)).trim().split('\n').at(-1);
    if (!line.includes('known numbers') || !line.endsWith(way)) {
      throw new Error(`Expected ${file} to compute the known numbers but it printed ${line}.`);
    }
    lines.push(line);
  }
  return lines.join('; ');
}

const NPM_QUIET = ['--no-audit', '--no-fund'];

async function byNpm(folder, source, ...flags) {
  const user = makeProject(folder, 'npm');
  await user.run('install', ...NPM_QUIET, ...flags, source);
  return user;
}

async function checkCommand(user) {
  const output = await user.node(join('node_modules', '.bin', 'expsyn'), '--version');
  if (!/^\d+\.\d+\.\d+/.test(output)) throw new Error(`Expected a version but received ${output}.`);
}

async function npm(folder, tarball) {
  const user = await byNpm(folder, tarball);
  await checkCommand(user);
  return checkPrograms(user.node);
}

async function npmCi(folder, tarball) {
  const user = await byNpm(folder, tarball, '--package-lock-only');
  await user.run('ci', ...NPM_QUIET);
  await checkCommand(user);
  return checkPrograms(user.node);
}

async function npmIgnoreScripts(folder, tarball) {
  return checkPrograms((await byNpm(folder, tarball, '--ignore-scripts')).node);
}

/** The only one that compiles, so the whole PATH is kept. */
async function git(folder) {
  const user = makeProject(folder, 'npm');
  user.env.PATH = [user.path, process.env.PATH].join(delimiter);
  await user.run('install', ...NPM_QUIET, `git+${pathToFileURL(root).href.replace(/\/$/, '')}`);
  await checkCommand(user);
  return checkPrograms(user.node);
}

async function pnpm(folder, tarball) {
  const user = makeProject(folder, 'pnpm');
  await user.run('add', '--store-dir', join(folder, 'store'), tarball);
  await user.node(join('node_modules', 'expsyn', 'dist', 'cli', 'main.js'), '--version');
  return checkPrograms(user.node);
}

async function yarnClassic(folder, tarball) {
  const user = makeProject(folder, 'yarn-classic');
  await user.run('add', '--no-progress', `file:${tarball}`);
  await checkCommand(user);
  return checkPrograms(user.node);
}

async function addByYarn(folder, tarball, linker) {
  const user = makeProject(folder, 'yarn');
  writeFileSync(join(user.project, 'yarn.lock'), '');
  writeFileSync(
    join(user.project, '.yarnrc.yml'),
    `nodeLinker: ${linker}\npnpEnableEsmLoader: true\n`,
  );
  await user.run('add', `expsyn@file:${tarball}`);
  return user;
}

async function yarn(folder, tarball) {
  const user = await addByYarn(folder, tarball, 'node-modules');
  await checkCommand(user);
  return checkPrograms(user.node);
}

async function yarnPnp(folder, tarball) {
  const user = await addByYarn(folder, tarball, 'pnp');
  if (existsSync(join(user.project, 'node_modules', 'expsyn'))) {
    throw new Error("Expected Plug'n'Play but found node_modules/expsyn.");
  }
  await user.run('expsyn', '--version');
  return checkPrograms((file) => user.run('node', file));
}

async function bun(folder, tarball) {
  const user = makeProject(folder, 'bun');
  await user.run('add', tarball);
  const byBun = await checkPrograms((file) => user.run('run', file));
  return `in Bun: ${byBun}; in Node: ${await checkPrograms(user.node)}`;
}

/** A folder of node_modules that npm has made, and the least permissions that the package needs. */
async function denoNodeModules(folder, tarball) {
  await byNpm(folder, tarball);
  const user = makeProjectBeside(folder, 'deno');
  const permissions = ['--allow-read=.', '--allow-ffi'];
  return checkPrograms((file) => user.run('run', '--no-prompt', ...permissions, file));
}

/** Deno in the project that npm has made. */
function makeProjectBeside(folder, manager) {
  const user = makeProject(join(folder, manager), manager);
  const project = join(folder, 'project');
  return {
    ...user,
    run: (...commandArguments) =>
      run(join(user.path, manager), commandArguments, { cwd: project, env: user.env }),
  };
}

/** The specifier npm:expsyn, from a registry that has the tarball. */
async function denoSpecifier(folder, tarball) {
  const user = makeProject(folder, 'deno');
  writeFileSync(
    join(user.project, 'deno.json'),
    JSON.stringify({
      nodeModulesDir: 'none',
      imports: { expsyn: 'npm:expsyn', 'expsyn/streams': 'npm:expsyn/streams' },
    }),
  );
  return withRegistry(tarball, registryOfNpm(), async (address) => {
    user.env.NPM_CONFIG_REGISTRY = address;
    user.env.npm_config_registry = address;
    const permissions = [`--allow-read=.,${folder}`, '--allow-ffi'];
    const output = await user.run('run', '--no-prompt', ...permissions, 'main.mjs');
    if (!output.includes('known numbers')) throw new Error(`Expected known numbers: ${output}`);
    return output.trim();
  });
}

/** Strict, and a warning fails as well. */
async function publint(folder, tarball) {
  const cli = join(PACKAGES, 'publint', 'src', 'cli.js');
  const output = await run(process.execPath, [cli, '--strict', tarball], { cwd: folder });
  if (!/all good/i.test(output)) throw new Error(`Expected no remark but received\n${output}`);
  return 'no remarks';
}

/**
 * Types under every mode of resolution: node10, node16 from CommonJS and from ES modules, bundlers. Only
 * expsyn/wasm is an ES module, which CommonJS imports by import().
 */
async function attw(folder, tarball) {
  const cli = join(PACKAGES, '@arethetypeswrong', 'cli', 'dist', 'index.js');
  const options = ['--profile', 'strict', '--ignore-rules', 'cjs-resolves-to-esm', '--no-emoji'];
  await run(process.execPath, [cli, tarball, ...options], { cwd: folder });
  return 'types resolve in every mode';
}

const WAYS = {
  npm,
  'npm-ci': npmCi,
  'npm-ignore-scripts': npmIgnoreScripts,
  git,
  pnpm,
  'yarn-classic': yarnClassic,
  yarn,
  'yarn-pnp': yarnPnp,
  bun,
  'deno-node-modules': denoNodeModules,
  'deno-npm': denoSpecifier,
  publint,
  attw,
};

export const NAMES = Object.keys(WAYS);

/** The checks of a tarball. */
export function CHECKS(tarball) {
  return Object.entries(WAYS).map(([name, way]) => ({
    name,
    run: (folder) => way(folder, tarball),
  }));
}
