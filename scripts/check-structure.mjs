/**
 * Checks the structure that ARCHITECTURE.md describes: the length of source files, circles between
 * imports, the layers of lib/, and who may know the addon, the binding and the command line's options.
 * Prints every violation and exits with 1 if there is one.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import ts from 'typescript';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SOURCE_FOLDERS = ['lib', 'native', 'bench', 'examples', 'scripts', 'test'];
const SOURCE_FILE = /\.([cm]?[jt]s|cc|h|py|sh|css|html)$/;
const SCRIPT_FILE = /\.[cm]?[jt]s$/;
const MOST_LINES = 500;

/**
 * The tables of kernels and options, which the command line's help reads, and numbers in JSON: they need no
 * addon.
 */
const TABLES = ['kernel-definition.ts', 'kernels.ts', 'options.ts', 'json.ts'].map(
  (name) => `modules/${name}`,
);

/** What each file or folder of lib/ may import, besides files of its own folder. */
const MAY_IMPORT = {
  arrays: ['errors'],
  errors: ['arrays'],
  native: ['arrays', 'errors'],
  calls: ['native', 'arrays', 'errors'],
  modules: ['calls', 'native', 'arrays', 'errors'],
  streaming: ['modules', 'calls', 'arrays', 'errors'],
  'index.ts': ['modules', 'calls', 'arrays', 'errors'],
  'streams.ts': ['streaming'],
  // The bundle for browsers.
  wasm: ['index.ts'],
  // Events are put into steps by the clock of the core.
  formats: ['index.ts', 'native/native.ts', 'arrays', 'errors'],
  runs: ['formats', 'index.ts', ...TABLES, 'arrays', 'errors'],
  figure: ['runs', 'formats', 'errors'],
  files: ['figure', 'runs', 'formats', 'index.ts', ...TABLES, 'arrays', 'errors'],
  'files.ts': ['files'],
  cli: ['figure', 'runs', 'formats', 'index.ts', ...TABLES, 'arrays', 'errors'],
};

/** Headers of Node-API, which native/core does not know. */
const NODE_HEADERS = ['napi.h', 'node_api.h', 'js_native_api.h'];

const sources = new Map(
  SOURCE_FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true })
      .map((name) => join(folder, name))
      .filter((path) => SOURCE_FILE.test(path) && !path.startsWith(join('test', 'golden')))
      .filter((path) => !path.includes('node_modules'))
      .map((path) => [path, readFileSync(join(ROOT, path), 'utf8')]),
  ),
);

/** The file of this project that an import names; undefined for a package. */
function resolveImport(importer, name) {
  if (!name.startsWith('.')) return undefined;
  const path = join(dirname(importer), name);
  const candidates = [
    path,
    `${path}.ts`,
    join(path, 'index.ts'),
    path.replace(/\.([cm]?)js$/, '.$1ts'),
  ];
  return candidates.find((candidate) => sources.has(candidate));
}

/** The files of native/ that could be meant by an include of a file of native/core or native/binding. */
function resolveInclude(includer, name) {
  const folders = [dirname(includer), join('native', 'core'), join('native', 'binding')];
  return folders.map((folder) => join(folder, name)).find((path) => sources.has(path));
}

/** All imports of a script, those of types as well. */
function importsOf(path, text) {
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => ({
    name: fileName,
    path: resolveImport(path, fileName),
  }));
}

function includesOf(path, text) {
  return [...text.matchAll(/^\s*#\s*include\s*[<"]([^>"]+)[>"]/gm)].map(([, name]) => ({
    name,
    path: resolveInclude(path, name),
  }));
}

const graph = new Map(
  [...sources].map(([path, text]) => {
    if (SCRIPT_FILE.test(path)) return [path, importsOf(path, text)];
    return [path, path.startsWith('native') ? includesOf(path, text) : []];
  }),
);

function longFiles() {
  return [...sources]
    .map(([path, text]) => ({ path, nLines: text.trimEnd().split('\n').length }))
    .filter(({ nLines }) => nLines > MOST_LINES)
    .map(({ path, nLines }) => `${path} has ${nLines} lines; the most are ${MOST_LINES}.`);
}

/** A circle for each import that closes one, found by depth-first search. */
function circles() {
  const found = [];
  const finished = new Set();
  const visit = (path, trail) => {
    const start = trail.indexOf(path);
    if (start >= 0) {
      found.push(`Imports go in a circle: ${[...trail.slice(start), path].join(' -> ')}.`);
      return;
    }
    if (finished.has(path)) return;
    for (const imported of graph.get(path)) {
      if (imported.path !== undefined) visit(imported.path, [...trail, path]);
    }
    finished.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return found;
}

/** The folder of lib/ that a file is in, or its own name if it is in none; undefined outside lib/. */
function layerOf(path) {
  const [top, layer] = path.split('/');
  return top === 'lib' ? layer : undefined;
}

function wrongLayers() {
  const found = [];
  for (const [path, imports] of graph) {
    const layer = layerOf(path);
    if (layer === undefined) continue;
    if (!(layer in MAY_IMPORT)) found.push(`${path} is in no layer that this check knows.`);
    for (const imported of imports) {
      const other = imported.path === undefined ? layer : layerOf(imported.path);
      if (other === layer || MAY_IMPORT[layer]?.includes(other)) continue;
      if (MAY_IMPORT[layer]?.includes(imported.path?.replace(/^lib\//, ''))) continue;
      found.push(`${path} imports ${imported.path}; lib/${layer} may not import ${other ?? 'it'}.`);
    }
  }
  return found;
}

function strangersToTheAddon() {
  return [...sources]
    .filter(([path, text]) => {
      const layer = layerOf(path);
      return layer !== undefined && layer !== 'native' && /expsyn\.node|addon\.c[jt]s/.test(text);
    })
    .map(([path]) => `${path} names the addon; only lib/native may.`);
}

function wrongIncludes() {
  const core = join('native', 'core');
  return [...graph].flatMap(([path, includes]) =>
    path.startsWith(core)
      ? includes
          .filter((included) => {
            const isElsewhere = included.path !== undefined && !included.path.startsWith(core);
            return isElsewhere || NODE_HEADERS.includes(included.name);
          })
          .map(({ name }) => `${path} includes ${name}; native/core may know nothing of Node.`)
      : [],
  );
}

/**
 * Options of the command line in strings of lib/ outside lib/cli. Comments may name them, and lib/native
 * names options of Node.
 */
function strayOptions() {
  const found = [];
  for (const [path, text] of sources) {
    const layer = layerOf(path);
    if (layer === undefined || layer === 'cli' || layer === 'native') continue;
    const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest);
    const visit = (node) => {
      const isText = ts.isStringLiteralLike(node) || ts.isTemplateLiteralToken(node);
      const [option] = (isText && /(?<![\w-])--[a-z][\w-]*/.exec(node.text)) || [];
      if (option !== undefined) {
        const { line } = file.getLineAndCharacterOfPosition(node.getStart(file));
        found.push(`${path}:${line + 1} names the option ${option}; only lib/cli may.`);
      }
      ts.forEachChild(node, visit);
    };
    visit(file);
  }
  return found;
}

for (const folder of Object.keys(MAY_IMPORT)) {
  if (!existsSync(join(ROOT, 'lib', folder))) throw new Error(`Expected lib/${folder} to exist.`);
}
const checks = [longFiles, circles, wrongLayers, strangersToTheAddon, wrongIncludes, strayOptions];
const violations = checks.flatMap((check) => check());
for (const violation of violations) console.error(violation);
console.log(`Structure: ${sources.size} source files, ${violations.length} violations.`);
process.exitCode = violations.length === 0 ? 0 : 1;
