/** The commands of examples/bundlers/package.json, and what is to be run after each. */

/** How a program is started: a file for Node, or an executable. */
const node = (file) => [process.execPath, file];
const executable = (file) => [`./${file}${process.platform === 'win32' ? '.exe' : ''}`];

/**
 * The bundlers. `output` is the folder that holds the result, and `programs` are command lines in it, by
 * the names of their formats. A program with a `path` is a server that answers requests of this path.
 * `ignored` matches warnings about the bundler's own work.
 */
export const BUNDLERS = [
  {
    name: 'esbuild',
    programs: { cjs: node('esbuild-cjs/main.cjs'), esm: node('esbuild-esm/main.mjs') },
  },
  {
    name: 'webpack',
    programs: { cjs: node('webpack-cjs/main.cjs'), esm: node('webpack-esm/main.mjs') },
  },
  {
    name: 'rollup',
    programs: { cjs: node('rollup-cjs/main.cjs'), esm: node('rollup-esm/main.mjs') },
  },
  {
    name: 'vite',
    programs: { cjs: node('vite-cjs/main.cjs'), esm: node('vite-esm/main.mjs') },
  },
  { name: 'nft', programs: { files: node('nft/main.mjs') } },
  {
    name: 'next',
    output: 'next/.next/standalone',
    programs: { server: node('next/server.js') },
    path: '/currents',
  },
  { name: 'bun', programs: { executable: executable('bun/program') } },
  {
    name: 'sea',
    programs: { executable: executable('sea/program') },
    // postject does not know all sections of Node's executable.
    ignored: /Can't find string offset for section name/,
  },
].map((bundler) => ({ output: 'output', ...bundler }));

/** Options of esbuild that do not carry the addon, and what the program's error says. */
export const MISTAKES = [
  {
    name: 'left out',
    options: ['--external:*.node'],
    message: /but there is no such file; configure the bundler to carry it, see \S+\/bundlers\.md/,
  },
  {
    name: 'replaced by its name',
    options: ['--loader:.node=file'],
    message: /but received '\S+\.node' from a bundler; .* see \S+\/bundlers\.md/,
  },
];

/** What a bundle says if its copy of the addon is missing. */
export const MISSING =
  /Expected the native addon [^;]+ but there is no such file; [^;]+ see \S+\/bundlers\.md\./;

/** Test runners, which load modules in ways of their own, and the commands that run each. */
export const TEST_RUNNERS = [
  { name: 'jest', commands: [['jest']] },
  {
    name: 'vitest',
    commands: ['forks', 'threads', 'vmForks', 'vmThreads'].map((pool) => [
      'vitest',
      '--',
      `--pool=${pool}`,
    ]),
  },
];
