/**
 * Bundles the packed package with each bundler: `npm run test:bundlers [-- NAME...]`. Each bundle is run in
 * an empty folder, where no package is installed. It is done twice, with the binary of this system alone and
 * with a file for every system. Prints a table, and exits with 1 if anything fails.
 */
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

import { probe } from '../setup/run.mjs';
import { BUNDLERS, MISSING, MISTAKES, TEST_RUNNERS } from './bundlers/list.mjs';
import { checkProgram, checkRefusal, checkServer } from './bundlers/programs.mjs';
import { install, makeProject, pack, remove } from './bundlers/project.mjs';

const WARNING = /\bwarning\b|\(!\)/i;

const named = process.argv.slice(2);
const unknown = named.find((name) => !BUNDLERS.some((bundler) => bundler.name === name));
if (unknown !== undefined) {
  const names = BUNDLERS.map(({ name }) => name).join(', ');
  throw new Error(`Expected bundlers among ${names} but received ${unknown}.`);
}
const chosen = BUNDLERS.filter(({ name }) => named.length === 0 || named.includes(name));

/** Rows of the table: the bundler, what is checked, in which case, and 'passed' or 'FAILED'. */
const results = [];

/** Runs a check. A failure is reported, and the others go on. */
async function attempt(names, check) {
  try {
    await check();
    results.push([...names, 'passed']);
  } catch (error) {
    console.error(`\n${names.join(' ')}: ${error.message}\n`);
    results.push([...names, 'FAILED']);
  }
}

function npmRun(command, cwd) {
  const { isOk, output } = probe('npm', ['run', '--silent', ...command], {
    cwd,
    env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1' },
  });
  if (!isOk) throw new Error(`Expected 'npm run ${command.join(' ')}' to succeed but\n${output}`);
  return stripVTControlCharacters(output);
}

/** Bundles in the project, and moves the result to a folder of its own, which it returns. */
function bundle({ name, output, ignored }, { all }, project, folder) {
  const log = npmRun([name], project);
  const warnings = log.split('\n').filter((line) => WARNING.test(line) && !ignored?.test(line));
  // Without the files of the other systems, some bundlers say that these are missing.
  if (all && warnings.length > 0) {
    throw new Error(`Expected no warning but found\n${warnings.join('\n')}`);
  }
  const moved = join(folder, name, basename(output));
  mkdirSync(dirname(moved), { recursive: true });
  renameSync(join(project, output), moved);
  return moved;
}

async function testBundlers(variant, project, folder) {
  const bundles = new Map();
  for (const bundler of chosen) {
    console.log(`bundlers: ${bundler.name}, ${variant.label}`);
    await attempt([bundler.name, 'bundles', variant.label], () => {
      bundles.set(bundler, bundle(bundler, variant, project, folder));
    });
  }
  // A bundle that refers to the project instead of carrying the files must not pass.
  remove(project);
  for (const [{ name, programs, path }, moved] of bundles) {
    for (const [format, commandLine] of Object.entries(programs)) {
      await attempt([name, format, variant.label], () =>
        path === undefined
          ? checkProgram(commandLine, moved)
          : checkServer(commandLine, moved, path),
      );
    }
    // Executables contain their addon, and a server starts without it.
    const files = addonsIn(moved);
    if (!variant.all || files.length === 0 || path !== undefined) continue;
    for (const file of files) rmSync(file);
    for (const [format, commandLine] of Object.entries(programs)) {
      await attempt([name, format, 'without its addon'], () =>
        checkRefusal(commandLine, moved, MISSING),
      );
    }
  }
}

function addonsIn(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((file) => file.endsWith('.node'))
    .map((file) => join(folder, file));
}

/** Bundles that lack the addon must fail with an error that says where to read on. */
async function testMistakes(project, folder) {
  const isWindows = process.platform === 'win32';
  const esbuild = join(project, 'node_modules', '.bin', isWindows ? 'esbuild.cmd' : 'esbuild');
  for (const { name, esbuild: options, message } of MISTAKES) {
    await attempt(['mistake', name, 'an error that helps'], () => {
      const file = join(folder, name.replaceAll(' ', '-'), 'main.cjs');
      const common = ['main.mjs', '--bundle', '--platform=node', `--outfile=${file}`];
      const bundled = probe(esbuild, [...common, ...options], { cwd: project });
      if (!bundled.isOk) throw new Error(`Expected esbuild to bundle but\n${bundled.output}`);
      checkRefusal([process.execPath, file], dirname(file), message);
    });
  }
}

async function testRunners(project) {
  for (const { name, command } of TEST_RUNNERS) {
    console.log(`bundlers: ${name}`);
    await attempt([name, 'tests', 'this system'], () => npmRun(command, project));
  }
}

const folder = mkdtempSync(join(tmpdir(), 'expsyn-bundlers-'));
try {
  const project = join(folder, 'project');
  console.log('bundlers: installing the bundlers of examples/bundlers (npm ci)');
  makeProject(project);
  const variants = [
    { label: 'this system', all: false },
    { label: 'all systems', all: true },
  ];
  for (const [index, variant] of variants.entries()) {
    const packed = join(folder, `packed-${index}`);
    mkdirSync(packed);
    const tarball = pack(packed, variant);
    install(project, tarball);
    if (named.length === 0 && !variant.all) await testRunners(project);
    if (named.length === 0 && variant.all) await testMistakes(project, join(folder, 'mistakes'));
    await testBundlers(variant, project, join(folder, `bundles-${index}`));
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

printTable([['bundler', 'what', 'case', 'result'], ...results]);
const nFailed = results.filter((row) => row.at(-1) === 'FAILED').length;
console.log(`\n${results.length - nFailed} passed, ${nFailed} failed`);
process.exitCode = nFailed === 0 ? 0 : 1;

function printTable(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  console.log('');
  for (const row of rows) {
    console.log(row.map((text, column) => text.padEnd(widths[column])).join('  '));
  }
}
