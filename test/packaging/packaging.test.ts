/** What is published: one list of sources, a binary that asks for little, a package that works. */
import assert from 'node:assert/strict';
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
import { join, relative } from 'node:path';

import { build } from 'esbuild';

import * as library from '../../lib/index';
import { systemName } from '../../lib/native/target';
import { barePath, installPackage, packProject, runNpm } from '../support/packed';
import { ROOT, runProgram } from '../support/processes';

/** Paths of the files below a folder, relative to the project. */
function filesIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .sort();
}

/** The folder whose files the build takes without a list: one for each instruction set. */
const INSTRUCTION_SETS = 'native/core/simd/sets';

/** The names of C++ files in a text. */
function sourcesIn(text: string): string[] {
  return [...text.matchAll(/\bnative\/[\w/]+\.cc\b/g)].map(([name]) => name).sort();
}

describe('the native build', () => {
  it('has one list of sources in CMakeLists.txt and binding.gyp: all there are', () => {
    const existing = filesIn('native').filter((name) => name.endsWith('.cc'));
    const listed = existing.filter((name) => !name.startsWith(INSTRUCTION_SETS));
    assert.ok(listed.length > 5);
    for (const file of ['CMakeLists.txt', 'binding.gyp']) {
      const text = readFileSync(join(ROOT, file), 'utf8');
      assert.deepEqual(sourcesIn(text), listed, file);
      assert.ok(text.includes(INSTRUCTION_SETS), file);
    }
  });

  it('has a file for each instruction set that is listed, and no other', () => {
    const list = readFileSync(join(ROOT, 'native/core/simd/instruction_set.h'), 'utf8');
    const names = [...list.matchAll(/^ {2}SET\((\w+)\)/gm)].map(([, name]) => name);
    assert.ok(names.length >= 3);
    assert.deepEqual(
      filesIn(INSTRUCTION_SETS),
      names.map((name) => `${INSTRUCTION_SETS}/${name}.cc`).sort(),
    );
  });

  it('has the same definitions in both', () => {
    const [cmake, gyp] = ['CMakeLists.txt', 'binding.gyp'].map((file) =>
      [
        ...readFileSync(join(ROOT, file), 'utf8').matchAll(
          /\b(?:NAPI|NODE_A[A-Z]+)_[A-Z_]+(?:=\d+)?\b/g,
        ),
      ]
        .map(([name]) => name)
        .filter((name) => name !== 'NODE_ADDON_API_DIR')
        .sort(),
    );
    assert.ok(cmake !== undefined && cmake.length > 3);
    assert.deepEqual(gyp, cmake);
  });

  it('asks for Node-API and the C and C++ libraries, and for nothing else', async function () {
    if (process.platform !== 'linux') return this.skip();
    const file = join(ROOT, 'build', 'Release', 'expsyn.node');
    const { code, output } = await runProgram('nm', ['-D', '--undefined-only', file]).catch(() => {
      console.log('      nm is not installed.');
      return this.skip();
    });
    assert.equal(code, 0);
    const symbols = output
      .trim()
      .split('\n')
      .map((line) => line.trim().replace(/^[Uwv] /, ''));
    assert.ok(symbols.some((name) => name.startsWith('napi_')));
    const isPermitted = (name: string) =>
      /^napi_\w+$/.test(name) ||
      /^\w+@(GLIBC|GLIBCXX|CXXABI|GCC)_[\d.]+$/.test(name) ||
      // Weak ones that the C library's start-up files bring.
      /^(__gmon_start__|_ITM_(de)?registerTMCloneTable)$/.test(name);
    assert.deepEqual(
      symbols.filter((name) => !isPermitted(name)),
      [],
    );
    // Nor does it contain FFTW, whose version is a text.
    assert.match(library.fftw().float64?.version ?? '', /^fftw-3\./);
    assert.ok(!readFileSync(file).includes('fftw-3.'));
  });
});

describe('the package', () => {
  let folder = '';
  let copy = '';
  let packed: string[] = [];
  let project = '';
  let isByNpm = false;

  before(async function () {
    this.timeout(300_000);
    folder = mkdtempSync(join(tmpdir(), 'expsyn-package-'));
    const made = await packProject(folder);
    ({ copy, files: packed } = made);
    ({ project, isByNpm } = await installPackage(folder, made.file));
    cpSync(join(ROOT, 'scripts/distribution/program'), project, { recursive: true });
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs Node where the package is installed, with Node and npm alone on the PATH. */
  async function runNode(...nodeArguments: string[]): Promise<string> {
    const options = { cwd: project, env: { PATH: barePath() } };
    const { code, output, errors } = await runProgram(process.execPath, nodeArguments, options);
    assert.equal(code, 0, errors);
    assert.equal(errors, '');
    return output.trim();
  }

  function run(name: string, source: string): Promise<string> {
    writeFileSync(join(project, name), source);
    return runNode(name);
  }

  async function checkPrograms() {
    assert.match(await runNode('main.cjs'), /known numbers on .*, by require\(\)$/);
    assert.match(await runNode('main.mjs'), /known numbers on .*, by import$/);
  }

  it('computes known numbers by import and by require()', checkPrograms);

  it('is installed by npm ci from a lockfile, and without install scripts', async function () {
    this.timeout(300_000);
    if (!isByNpm) {
      console.log('      npm cannot reach its registry.');
      return this.skip();
    }
    for (const flags of [[], ['--ignore-scripts']]) {
      const command = ['ci', '--prefer-offline', '--no-audit', '--no-fund', ...flags];
      const { code, errors } = await runNpm(project, command);
      assert.equal(code, 0, errors);
      await checkPrograms();
    }
  });

  it('has a command that computes a raster', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      version: string;
    };
    const command = isByNpm
      ? join('node_modules', '.bin', 'expsyn')
      : join('node_modules', 'expsyn', 'dist', 'cli', 'main.js');
    assert.equal(await runNode(command, '--version'), version);
    await runNode(command, 'run', '--out', 'isyn.npy', '--no-plot');
    assert.ok(existsSync(join(project, 'isyn.npy')));
  });

  it('exports every public name to both, and no file', async () => {
    const names = Object.keys(library).sort();
    assert.ok(names.includes('ExpSyn'));
    const source = `
      import * as all from 'expsyn';
      import { createRequire } from 'node:module';
      const isOwn = (name) => !['default', 'module.exports', '__esModule'].includes(name);
      const required = Object.keys(createRequire(import.meta.url)('expsyn'));
      const refused = await import('expsyn/dist/native/native.js').catch((error) => error.code);
      console.log(JSON.stringify([Object.keys(all).filter(isOwn).sort(), required.sort(), refused]));
    `;
    assert.deepEqual(JSON.parse(await run('names.mjs', source)), [
      names,
      names,
      'ERR_PACKAGE_PATH_NOT_EXPORTED',
    ]);
  });

  it('reads and writes files without the packages of the command line, the addon, or those of figures', async () => {
    const source = `
      const { plot, readNpy, writeNpy } = require('expsyn/files');
      (async () => {
        await writeNpy('a.npy', [[1, 2]]);
        const { shape } = await readNpy('a.npy');
        const loaded = Object.keys(require.cache).filter((name) => /commander|cli|\\.node$/.test(name));
        const code = await plot([[1, 2]]).catch((error) => error.code);
        const { plot: imported } = await import('expsyn/files');
        console.log(JSON.stringify([shape, loaded, code, imported === plot]));
      })();
    `;
    const found: unknown = JSON.parse(await run('files.cjs', source));
    assert.deepEqual(found, [[1, 2], [], 'ERR_EXPSYN_FIGURE', true]);
  });

  it('loads nothing of files or figures with the main entry', async () => {
    const source = `
      require('expsyn');
      const loaded = Object.keys(require.cache).map((name) => name.split('dist')[1] ?? name);
      console.log(JSON.stringify(loaded.filter((name) => /figure|formats|files|runs/.test(name))));
    `;
    assert.deepEqual(JSON.parse(await run('main.cjs', source)), []);
  });

  it('is bundled by esbuild with what reads files, whether or not figures can be drawn', async () => {
    const source = `import { plot, readNpy, writeNpy } from 'expsyn/files';
      (async () => {
        await writeNpy('b.npy', [[1, 2]]);
        const code = await plot([[1, 2]]).catch((error) => error.code);
        console.log(JSON.stringify([(await readNpy('b.npy')).shape, code]));
      })();`;
    writeFileSync(join(project, 'entry.mjs'), source);
    const { warnings } = await build({
      entryPoints: [join(project, 'entry.mjs')],
      outfile: join(project, 'bundle.cjs'),
      bundle: true,
      platform: 'node',
      format: 'cjs',
      assetNames: '[name]',
      loader: { '.node': 'copy' },
      logLevel: 'silent',
    });
    assert.deepEqual(warnings, []);
    assert.deepEqual(JSON.parse(await runNode('bundle.cjs')), [[1, 2], 'ERR_EXPSYN_FIGURE']);
  });

  it('types strict TypeScript in ES modules and CommonJS, with and without types of Node', async () => {
    const source = `
      import { Constant, ExpSyn, FirSyn, Module, Parameter } from 'expsyn';
      import type { ArrayInput, Dtype, EvolutionRecord, EvolveOptions, ExpSynEvolution,
        ExpSynOptions, ExpSynVariables, FirSynOptions, Method, NdArray, RasterInput, SynapsesJson,
        TypedArray } from 'expsyn';
      const options: ExpSynOptions = { tau: new Constant(0.02), dtype: 'float32', method: 'fft' };
      const synapses: Module = new ExpSyn([4], options);
      export async function call(module: ExpSyn, input: RasterInput): Promise<number> {
        const evolveOptions: EvolveOptions = { out: new Float32Array(4), transfer: false };
        const result: ExpSynEvolution = await module.evolve(input, evolveOptions);
        const output: NdArray = result.output;
        const state: ExpSynVariables & { step: number } = result.state;
        const record: EvolutionRecord = result.record;
        const json: SynapsesJson = module.toJSON();
        module.setAttributes(state).tau = [1, 2, 3, 4] satisfies ArrayInput;
        const method: Method = record.method;
        // @ts-expect-error There is no such method.
        module.method = 'slow';
        const data: TypedArray = output.data;
        // @ts-expect-error The shape is missing.
        await module.evolve({ data: new Uint8Array(4) });
        return Number(data[0]) + json.size + method.length;
      }
      export const kinds = [synapses instanceof ExpSyn, Parameter.name];

      // The types of results follow the dtype.
      const double = new ExpSyn(4, { tau: 0.02 });
      const single = new ExpSyn(4, { dtype: 'float32' });
      export async function dtypes(any: ExpSyn<Dtype>): Promise<unknown[]> {
        const doubles: Float64Array[] = [
          double.isyn.data, double.evolveSync([1]).output.data,
          (await double.evolve([1])).state.isyn.data,
          double.session().evolveSync([1]).output.data, double.session().isyn.data,
        ];
        const batch = single.evolveSessionsSync([single.session()], [[[1]]]);
        const singles: Float32Array[] = [
          single.isyn.data, single.evolveSync([1]).state.isyn.data,
          (await single.evolve([1])).output.data, batch.output.data,
          (await single.session().evolve([1])).output.data, single.session().module.isyn.data,
          single.restoreSession('').isyn.data,
        ];
        const dtype: 'float32' = single.dtype;
        const either: Float32Array | Float64Array = any.evolveSync([1]).output.data;
        // @ts-expect-error It may be of another dtype.
        const wrong: Float32Array = any.evolveSync([1]).output.data;
        // @ts-expect-error It is of another dtype.
        singles.push(double.isyn.data);
        // @ts-expect-error Nobody knows what was saved.
        doubles.push(ExpSyn.fromJSON('').isyn.data);
        const modules: ExpSyn<Dtype>[] = [double, single, new ExpSyn(4, options)];
        modules.push(new (class extends ExpSyn<'float32'> {})(4));
        modules.push(new (class extends ExpSyn {})(4));
        return [dtype, either, wrong, modules.every((module) => module instanceof ExpSyn)];
      }

      // Inputs are in double precision, and a kernel has to be given.
      export function samples(): FirSyn<Dtype>[] {
        const options: FirSynOptions<'float32'> = { kernel: [1, 2], dtype: 'float32' };
        const fir = new FirSyn(2, options);
        const singles: Float32Array = fir.evolveSync([[1, 2]]).output.data;
        const doubles: Float64Array[] = [fir.inputs.data, fir.session().inputs.data, fir.kernel.data];
        fir.evolveSync([[1, 2]], { state: { inputs: [doubles.map(() => singles.length)] } });
        // @ts-expect-error There is no default.
        new FirSyn(2, {});
        // @ts-expect-error The window is the kernel.
        new FirSyn(2, { kernel: [1], windowTaus: 10 });
        return [fir, new FirSyn(2, { kernel: new Constant((shape) => [[...shape]]) })];
      }
    `;
    const files = ['types.mts', 'types.cts'];
    for (const file of files) writeFileSync(join(project, file), source);
    // Streams are those of Node, and need its types.
    writeFileSync(
      join(project, 'streams.mts'),
      `
      import type { Duplex } from 'node:stream';
      import { ExpSyn } from 'expsyn';
      import { iterate, nodeTransform, webTransform, type StreamOptions } from 'expsyn/streams';
      const options: StreamOptions = { type: 'float32', steps: 10 };
      const synapses = new ExpSyn(2);
      export const duplex: Duplex = nodeTransform(synapses, { ...options, highWaterMark: 10 });
      export const piped = new Blob(['text']).stream().pipeThrough(webTransform(synapses.session()));
      export async function sum(): Promise<number> {
        let total = 0;
        for await (const currents of iterate(synapses, [new Uint8Array(2)])) {
          const known: Float64Array = currents;
          total += known.length;
        }
        return total;
      }
      `,
    );
    writeFileSync(
      join(project, 'files.mts'),
      `
      import { ExpSyn, FirSyn } from 'expsyn';
      import { plot, readNpy, writeNpy, type FigureOptions, type ReadNpyOptions } from 'expsyn/files';
      export async function run(options: FigureOptions): Promise<number> {
        const raster = await readNpy(new URL('file:///raster.npy'));
        const kernel: Float64Array = (await readNpy('kernel.npy', { dtype: 'float64' })).data;
        const singles: Float32Array = (await readNpy('tau.npy', { dtype: 'float32' })).data;
        const any: ReadNpyOptions = { dtype: 'float64' };
        const tau = await readNpy('tau.npy', any);
        const synapses = new ExpSyn(2, { tau, dtype: 'float32' });
        const fir = new FirSyn(2, { kernel: { data: kernel, shape: [kernel.length] } });
        const { output } = await synapses.evolve(raster);
        await writeNpy('isyn.npy', output);
        await writeNpy('fir.npy', fir.evolveSync(raster).state.inputs);
        const svg: string = await plot(output, { ...options, raster, synapses });
        const png: Uint8Array = await plot(output, { format: 'png', synapses: fir });
        const either: string | Uint8Array = await plot(output, { format: svg.length > 1 ? 'svg' : 'png' });
        const written: void = await plot(output, { path: 'isyn.svg', traces: [0] });
        // @ts-expect-error The ending of the path says the format.
        await plot(output, { path: 'isyn.svg', format: 'png' });
        return svg.length + png.length + singles.length + Number(written) + either.length;
      }
      `,
    );
    writeFileSync(
      join(project, 'web.mts'),
      `
      import { ExpSyn } from 'expsyn';
      import { webTransform } from 'expsyn/streams';
      const synapses = new ExpSyn(2);
      export const piped: ReadableStream<Float64Array | Float32Array> = new Blob(['text'])
        .stream()
        .pipeThrough(webTransform(synapses));
      const sink = new WritableStream<Float64Array | Float32Array>();
      const single = new ExpSyn(2, { dtype: 'float32' });
      export const singles: ReadableStream<Float32Array> = new Blob(['text'])
        .stream()
        .pipeThrough(webTransform(single.session(), { steps: 5 }));
      export const answered = new Response(
        new Blob(['text']).stream().pipeThrough(webTransform(synapses, { bytes: true })),
      );
      export const fetched = fetch('http://localhost').then(({ body }) =>
        body!.pipeThrough(webTransform(synapses.session())).pipeTo(sink),
      );
      export async function sum(): Promise<number> {
        let total = 0;
        for await (const currents of piped) total += currents.length;
        return total;
      }
      `,
    );
    symlinkSync(join(ROOT, 'node_modules', '@types'), join(project, 'types'));
    const compiler = join(ROOT, 'node_modules', 'typescript', 'lib', 'tsc.js');
    const strict = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--target', 'es2022'];
    const ofNode = ['--types', 'node', '--typeRoots', 'types'];
    const dom = 'es2023,dom,dom.asynciterable';
    const withStreams = [...files, 'streams.mts', 'files.mts', 'web.mts'];
    for (const compilation of [
      ['--lib', 'es2022', ...files],
      ['--lib', 'es2022', ...ofNode, ...withStreams],
      ['--lib', dom, ...ofNode, ...withStreams],
      // Where they are installed and the program does not list them.
      ['--lib', 'es2022', ...withStreams],
    ]) {
      if (compilation.includes('web.mts') && !compilation.includes('node')) {
        const installed = join(project, 'node_modules', '@types');
        symlinkSync(join(ROOT, 'node_modules', '@types'), installed);
      }
      const { code, output } = await runProgram(
        process.execPath,
        [compiler, ...strict, '--module', 'node16', ...compilation],
        { cwd: project },
      );
      assert.equal(code, 0, output);
    }
  });

  it('has a command that can be run as a file, in a clone too', async function () {
    if (process.platform === 'win32') return this.skip();
    const { bin, version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      bin: { expsyn: string };
      version: string;
    };
    const { output, errors } = await runProgram(join(ROOT, bin.expsyn), ['--version']);
    assert.deepEqual({ output, errors }, { output: `${version}\n`, errors: '' });
  });

  it('contains what it needs to run, and nothing else', () => {
    for (const name of [
      'package.json',
      'README.md',
      'LICENSE',
      'CHANGELOG.md',
      `prebuilds/${systemName()}/expsyn.node`,
      ...filesIn('dist'),
    ]) {
      assert.ok(packed.includes(name), name);
    }
    const permitted =
      /^(dist\/.+\.(js|cjs|d\.ts|d\.cts)|prebuilds\/[\w-]+\/expsyn\.node|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/;
    assert.deepEqual(
      packed.filter((name) => !permitted.test(name)),
      [],
    );
    const scripts = packed.filter((name) => /\.c?js$/.test(name));
    for (const name of scripts) {
      const text = readFileSync(join(project, 'node_modules', 'expsyn', name), 'utf8');
      assert.doesNotMatch(text, /sourceMappingURL/, name);
    }
  });

  it('has every file that its package.json names, and nothing that only a clone needs', () => {
    const text = readFileSync(join(project, 'node_modules', 'expsyn', 'package.json'), 'utf8');
    const named = [...text.matchAll(/"\.\/([^"]+)"/g)].map(([, name]) => name ?? '');
    assert.ok(named.length > 5);
    // A path of the exports is no file, and a clone has no WebAssembly module before a release is built.
    const isExpected = (name: string) =>
      !['streams', 'files', 'wasm'].includes(name) && !name.startsWith('prebuilds/wasm/');
    assert.deepEqual(
      named.filter((name) => isExpected(name) && !packed.includes(name)),
      [],
    );
    const manifest = JSON.parse(text) as Record<string, object>;
    for (const field of ['scripts', 'devDependencies', 'gypfile']) {
      assert.ok(!(field in manifest), field);
    }
    assert.deepEqual(Object.keys(manifest['dependencies'] ?? {}), ['cli-progress', 'commander']);
  });

  it('leaves the package.json of the clone as it was', async () => {
    const read = (folder: string) => readFileSync(join(folder, 'package.json'), 'utf8');
    assert.notEqual(read(copy), read(ROOT));
    const restore = ['scripts/distribution/manifest.mjs', 'restore'];
    assert.equal((await runProgram(process.execPath, restore, { cwd: copy })).code, 0);
    assert.equal(read(copy), read(ROOT));
  });

  it('is prepared for a git address by a compiler; in a clone, nothing is prepared', async () => {
    const prepare = (caller: string) =>
      runProgram(process.execPath, ['scripts/distribution/prepare.mjs'], {
        cwd: copy,
        env: { PATH: barePath(), INIT_CWD: caller, CXX: '' },
      });
    const { code, output, errors } = await prepare(copy);
    assert.deepEqual({ code, output, errors }, { code: 0, output: '', errors: '' });
    const elsewhere = await prepare(project);
    assert.equal(elsewhere.code, 1);
    assert.match(
      elsewhere.errors,
      /^prepare: Expected a C\+\+17 compiler; make; CMake .* but .*\.$/m,
    );
  });
});
