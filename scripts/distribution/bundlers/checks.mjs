/** One check for each bundler and test runner. Each resolves to a text that says what has passed. */
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

import { run } from '../cases.mjs';
import { MISSING, MISTAKES } from './list.mjs';
import { checkProgram, checkRefusal, checkServer } from './programs.mjs';
import { VARIANTS } from './project.mjs';

const WARNING = /\bwarning\b|\(!\)/i;

/** Bundles each variant of the package, and runs the programs in `folder`, where no package is installed. */
export async function checkBundler(bundler, project, folder) {
  const passed = [];
  for (const variant of VARIANTS) {
    project.place(variant);
    const moved = await bundle(bundler, variant, project, join(folder, variant.label));
    // A bundle that refers to the project instead of carrying the files must not pass.
    project.remove();
    for (const [format, commandLine] of Object.entries(bundler.programs)) {
      if (bundler.path === undefined) await checkProgram(commandLine, moved);
      else await checkServer(commandLine, moved, bundler.path);
      passed.push(`${format} with ${variant.label}`);
    }
    if (await checkWithoutAddon(bundler, moved)) passed.push('an error without the addon');
  }
  return passed.join(', ');
}

/** Bundles in the project, and moves the result to a folder, which it returns. */
async function bundle({ name, output, ignored }, variant, project, folder) {
  const log = await npmRun([name], project);
  const warnings = log.split('\n').filter((line) => WARNING.test(line) && !ignored?.test(line));
  // Without the files of the other systems, some bundlers say that these are missing.
  if (variant === VARIANTS.at(-1) && warnings.length > 0) {
    throw new Error(`Expected no warning but found\n${warnings.join('\n')}`);
  }
  const moved = join(folder, 'result');
  mkdirSync(folder);
  renameSync(join(project.folder, output), moved);
  return moved;
}

/** Removes the addon of a bundle, whose programs must then say so. Resolves to whether this was checked. */
async function checkWithoutAddon({ programs, path }, moved) {
  const files = readdirSync(moved, { recursive: true }).filter((file) => file.endsWith('.node'));
  // Executables contain their addon, and a server starts without it.
  if (files.length === 0 || path !== undefined) return false;
  for (const file of files) rmSync(join(moved, file));
  for (const commandLine of Object.values(programs)) {
    await checkRefusal(commandLine, moved, MISSING);
  }
  return true;
}

/** Bundles with options that do not carry the addon. */
export async function checkMistakes(project, folder) {
  project.place(VARIANTS.at(-1));
  for (const { name, options, message } of MISTAKES) {
    const file = join(folder, name, 'main.cjs');
    const common = ['main.mjs', '--bundle', '--platform=node', `--outfile=${file}`];
    await run('npx', ['esbuild', ...common, ...options], { cwd: project.folder });
    await checkRefusal([process.execPath, file], dirname(file), message);
  }
  return `errors that help if the addon is ${MISTAKES.map(({ name }) => name).join(' or ')}`;
}

export async function checkTestRunner(commands, project) {
  project.place(VARIANTS[0]);
  for (const command of commands) await npmRun(command, project);
  return commands.map((command) => command.join(' ')).join(', ');
}

/** Runs a command of the project's package.json. Resolves to what it printed. */
async function npmRun(command, { folder }) {
  const options = { cwd: folder, env: { NEXT_TELEMETRY_DISABLED: '1' }, isMerged: true };
  return stripVTControlCharacters(await run('npm', ['run', '--silent', ...command], options));
}
