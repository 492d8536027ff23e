/** FFTW is loaded when it is first needed. What it is, where it comes from, and what happens without it. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

import { fftw } from '../../lib/index';
import { adviceOn, installationAdvice } from '../../lib/errors/fftw-missing';
import { addonFile } from '../support/addon-file';
import { relativeError } from '../support/oracle';
import { ROOT, runProgram, runScript } from '../support/processes';
import type { Report } from '../support/ramps';
import { makeTestPackage } from '../support/test-package';

const ADDON = addonFile();
const [double, single] = [fftw().float64?.path ?? '', fftw().float32?.path ?? ''];

/** What a script that must succeed has printed, from JSON, where EXPSYN_FFTW has a value. */
async function evaluate<Result>(EXPSYN_FFTW: string, script: string): Promise<Result> {
  const source = `(async () => { ${script} })().then((result) => console.log(JSON.stringify(result)));`;
  const { code, output, errors } = await runScript(source, { env: { EXPSYN_FFTW } });
  assert.equal(code, 0, errors);
  assert.equal(errors, '');
  return JSON.parse(output) as Result;
}

/** Calls by 'fft' in both dtypes: nothing, or the message of the error. */
async function messages(place: string): Promise<Record<'float64' | 'float32', string>> {
  return evaluate(
    place,
    `return Object.fromEntries(['float64', 'float32'].map((dtype) => {
       try {
         new ExpSyn(2, { method: 'fft', dtype }).evolveSync([[1, 2]]);
         return [dtype, ''];
       } catch (error) {
         return [dtype, error.message];
       }
     }));`,
  );
}

describe('FFTW', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'expsyn-fftw-'));
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('is named, with its file and its version, for each precision', () => {
    const { float64, float32 } = fftw();
    assert.ok(float64 !== null && float32 !== null);
    for (const { version } of [float64, float32]) assert.match(version, /^fftw-3\.\d+/);
    assert.notEqual(float64.path, float32.path);
    assert.deepEqual(fftw(), { float64, float32 });
  });

  it('is loaded by the first call that needs it, and not before', async function () {
    if (process.platform !== 'linux') return this.skip();
    const loaded = await evaluate(
      '',
      `const { readFileSync } = require('node:fs');
       const isLoaded = (name) => readFileSync('/proc/self/maps', 'utf8').includes(name);
       const found = [];
       const look = () => found.push([isLoaded('libfftw3.so'), isLoaded('libfftw3f.so')]);
       const input = { data: new Float64Array(40_000), shape: [10_000, 4] };
       for (const dtype of ['float64', 'float32']) {
         for (const method of ['auto', 'recursive']) {
           const module = new ExpSyn(4, { dtype, method, tau: 0.5, noiseStd: 1 });
           await module.evolve(input);
           module.session().evolveSync(input);
           module.plan(1e9);
         }
       }
       look();
       new ExpSyn(4, { method: 'fft' });
       look();
       new ExpSyn(4, { method: 'fft' }).plan(10);
       look();
       new ExpSyn(4, { method: 'fft', dtype: 'float32' }).evolveSync(input);
       look();
       return found;`,
    );
    assert.deepEqual(loaded, [
      [false, false],
      [false, false],
      [true, false],
      [true, true],
    ]);
  });

  it('is taken from where EXPSYN_FFTW says', async () => {
    const names = (place: string) =>
      evaluate<ReturnType<typeof fftw>>(place, `return require(${JSON.stringify(ROOT)}).fftw();`);
    const { float64, float32 } = fftw();
    assert.deepEqual(await names(''), { float64, float32 });
    assert.deepEqual(await names(double), { float64, float32: null });
    assert.deepEqual(await names([single, double].join(delimiter)), { float64, float32 });
    assert.deepEqual(await names(dirname(double)), { float64, float32 });
    assert.deepEqual(await names('none'), { float64: null, float32: null });
    const copies = join(folder, 'Ä copy of FFTW');
    mkdirSync(copies);
    for (const path of [double, single])
      cpSync(path, join(copies, path.slice(dirname(path).length)));
    const found = await names(copies);
    for (const dtype of ['float64', 'float32'] as const) {
      assert.equal(dirname(found[dtype]?.path ?? ''), copies);
      assert.equal(found[dtype]?.version, fftw()[dtype]?.version);
    }
    assert.deepEqual(await messages(copies), { float64: '', float32: '' });
  });

  it('is never taken from the working directory', async () => {
    const copies = join(folder, 'working');
    mkdirSync(copies);
    for (const path of [double, single])
      cpSync(path, join(copies, path.slice(dirname(path).length)));
    for (const place of ['.', readdirSync(copies).join(delimiter)]) {
      const source = `console.log(JSON.stringify(require(${JSON.stringify(ROOT)}).fftw()));`;
      const { output } = await runProgram(process.execPath, ['-e', source], {
        cwd: copies,
        env: { EXPSYN_FFTW: place },
      });
      assert.deepEqual(JSON.parse(output), { float64: null, float32: null });
    }
  });

  it('is missed with a reason', async () => {
    const text = join(folder, 'text');
    writeFileSync(text, 'This is no library.');
    const unset =
      "; unset EXPSYN_FFTW, or set it to the absolute path of the folder of FFTW's libraries";
    const sentence = (precision: string, reason: string) =>
      `Expected FFTW in ${precision} precision for method 'fft' but found none (${reason})${unset}, or use ` +
      "method 'auto'.";
    const rows: [place: string, reason: string][] = [
      ['none', "EXPSYN_FFTW is 'none'"],
      ['lib/fftw', "EXPSYN_FFTW has 'lib/fftw', which is no absolute path"],
      [join(folder, 'missing'), `${join(folder, 'missing')} does not exist`],
    ];
    for (const [place, reason] of rows) {
      assert.deepEqual(await messages(place), {
        float64: sentence('double', reason),
        float32: sentence('single', reason),
      });
    }
    // In the words of the system's loader.
    for (const dtype of ['float64', 'float32'] as const) {
      assert.match((await messages(text))[dtype], /found none \(.*text.*\); unset/);
    }
    // A library of something else: the addon itself.
    assert.deepEqual(await messages(ADDON), {
      float64: sentence('double', `${ADDON} has no fftw_plan_dft_r2c_1d`),
      float32: sentence('single', `${ADDON} has no fftwf_plan_dft_r2c_1d`),
    });
    const empty = await messages(folder);
    assert.match(empty.float64, /fftw3\S* does not exist/);
    assert.match(empty.float32, /fftw3f\S* does not exist/);
  });

  it('is needed in double precision by both dtypes', async () => {
    const onlyDouble = await messages(double);
    assert.equal(onlyDouble.float64, '');
    assert.match(onlyDouble.float32, /^Expected FFTW in single precision/);
    const onlySingle = await messages(single);
    assert.match(onlySingle.float64, /^Expected FFTW in double precision/);
    assert.match(onlySingle.float32, /^Expected FFTW in double precision/);
  });

  it('is installed by what this system has', () => {
    const given = process.env['EXPSYN_FFTW'];
    delete process.env['EXPSYN_FFTW'];
    const on = (...names: string[]) => installationAdvice('linux', () => names);
    assert.equal(on('debian'), "install it by 'apt-get install libfftw3-double3 libfftw3-single3'");
    assert.equal(on('mint', 'ubuntu', 'debian'), on('debian'));
    assert.equal(on('rocky', 'rhel', 'centos', 'fedora'), "install it by 'dnf install fftw-libs'");
    assert.equal(on('alpine'), "install it by 'apk add fftw-double-libs fftw-single-libs'");
    assert.equal(on('arch'), "install it by 'pacman -S fftw'");
    assert.equal(on('manjaro', 'arch'), on('arch'));
    const onSuse = "install it by 'zypper install libfftw3-3 libfftw3_threads3'";
    assert.equal(on('opensuse-leap', 'suse', 'opensuse'), onSuse);
    assert.equal(on('sles', 'suse'), onSuse);
    assert.equal(on('other'), 'install FFTW 3 in double and single precision');
    assert.equal(installationAdvice('freebsd'), on('other'));
    const onWasm = 'none, because WebAssembly cannot load libraries';
    assert.match(adviceOn(onWasm, 'linux'), /^compute it on a system .* a binary for, or build/);
    assert.equal(adviceOn(onWasm, 'wasm'), 'compute it in Node, which can');
    assert.equal(adviceOn('none', 'darwin'), installationAdvice('darwin'));
    assert.equal(installationAdvice('darwin'), "install it by 'brew install fftw'");
    assert.match(
      installationAdvice('win32'),
      /libfftw3f-3\.dll .*www\.fftw\.org.* set EXPSYN_FFTW/,
    );
    process.env['EXPSYN_FFTW'] = 'none';
    assert.match(on('debian'), /^unset EXPSYN_FFTW/);
    if (given === undefined) delete process.env['EXPSYN_FFTW'];
    else process.env['EXPSYN_FFTW'] = given;
  });
});

describe('without FFTW', () => {
  it("every call by 'fft' is refused with one error, and changes nothing", async () => {
    const found = await evaluate<Record<string, object>>(
      'none',
      `const { iterate, nodeTransform, webTransform } = require(${JSON.stringify(ROOT)} + '/dist/streams.js');
       const input = [[1, 2], [3, 4]];
       const module = new ExpSyn(2, { noiseStd: 1, seed: 1 });
       module.evolveSync(input);
       const session = module.session({ seed: 2 });
       session.evolveSync(input);
       module.method = 'fft';
       const states = () => JSON.stringify([module, session]);
       const before = states();
       const bytes = () => new Uint8Array([1, 2, 3, 4]);
       const out = new Float64Array(4).fill(5);
       const transferred = { data: new Float64Array(4), shape: [2, 2] };
       const calls = {
         evolve: () => module.evolve(input),
         'evolve with transfer': () => module.evolve(transferred, { transfer: true }),
         evolveSync: () => module.evolveSync(input, { out }),
         'an empty evolve': () => module.evolve({ data: bytes().subarray(4), shape: [0, 2] }),
         'session.evolve': () => session.evolve(input),
         'session.evolveSync': () => session.evolveSync(input),
         evolveSessions: () => module.evolveSessions([session], [input]),
         evolveSessionsSync: () => module.evolveSessionsSync([session], [input]),
         plan: () => module.plan(10),
         iterate: async () => { for await (const _ of iterate(module, [bytes()])); },
         nodeTransform: async () => {
           const stream = nodeTransform(session);
           stream.end(bytes());
           for await (const _ of stream);
         },
         webTransform: async () => {
           for await (const _ of new Blob([bytes()]).stream().pipeThrough(webTransform(module)));
         },
       };
       const found = {};
       for (const [name, call] of Object.entries(calls)) {
         try {
           await call();
         } catch (error) {
           const { message, ...data } = Object.assign({ message: error.message }, error);
           found[name] = { name: error.name, message, ...data, isSame: states() === before };
         }
       }
       found.untouched = [out.join(), transferred.data.length];
       module.method = 'auto';
       const [{ record }, other] = [module.evolveSync(input), await session.evolve(input)];
       found.afterwards = [record.method, other.record.method];
       return found;`,
    );
    const { untouched, afterwards, ...calls } = found;
    assert.deepEqual(untouched, ['5,5,5,5', 4]);
    assert.deepEqual(afterwards, ['recursive', 'recursive']);
    assert.equal(Object.keys(calls).length, 12);
    const advice =
      "unset EXPSYN_FFTW, or set it to the absolute path of the folder of FFTW's libraries, or use method " +
      "'auto'";
    for (const [name, error] of Object.entries(calls)) {
      assert.deepEqual(
        error,
        {
          name: 'Error',
          code: 'ERR_EXPSYN_FFTW_MISSING',
          argument: 'method',
          expected: 'FFTW in double precision',
          received: "none (EXPSYN_FFTW is 'none')",
          advice,
          message:
            "Expected FFTW in double precision for method 'fft' but found none (EXPSYN_FFTW is 'none'); " +
            `${advice}.`,
          isSame: true,
        },
        name,
      );
    }
  });

  it("'auto' computes what the reference has recorded", async () => {
    const mocha = join(ROOT, 'node_modules', 'mocha', 'bin', 'mocha.js');
    const file = 'test/model/parity.test.ts';
    const { code, output } = await runProgram(
      process.execPath,
      ['--import=tsx', mocha, '--no-config', '--grep', ', (auto|recursive)$', file],
      { env: { EXPSYN_FFTW: 'none' } },
    );
    assert.equal(code, 0, output);
    const [, passing = '0'] = /(\d+) passing/.exec(output) ?? [];
    assert.ok(Number(passing) >= 40, output);
  });

  it('the addon itself refuses transforms, also on threads of the pool', async () => {
    const found = await evaluate(
      'none',
      `const addon = require(${JSON.stringify(ADDON)});
       const [T, N] = [4000, 300];
       const kernel = new addon.Kernel('exp', N, [new Float64Array(N).fill(0.02)], 1e-3, 10, Infinity, 'peak');
       const settings = { method: 'fft', noise: 'output', noiseScale: 0, nonFinite: 'throw',
         isStateNoisy: false, threads: 4 };
       const found = [];
       for (const dtype of ['float64', 'float32']) {
         const synapses = new addon.Synapses(kernel, { dtype, ...settings });
         found.push(synapses.methodFor(T, false), synapses.lacksFftw(T, true));
         const Floats = dtype === 'float64' ? Float64Array : Float32Array;
         const call = [new Floats(T * N), new Floats(T * N), new Float64Array(2 * N),
           new Float64Array(2 * N), 1, 0, 0];
         const failure = (error) => [error.code, error.message];
         try { synapses.evolve(...call); } catch (error) { found.push(failure(error)); }
         found.push(await synapses.evolveAsync(...call, 0, 0, undefined, 1).catch(failure));
       }
       return found;`,
    );
    const failure = [
      'ERR_EXPSYN_INTERNAL',
      "The native core failed: there is no FFTW: EXPSYN_FFTW is 'none'.",
    ];
    assert.deepEqual(found, ['fft', true, failure, failure, 'fft', true, failure, failure]);
  });
});

describe('a kernel without a recursion', function () {
  this.timeout(120_000);
  let folder = '';
  before(function () {
    if (process.platform !== 'linux') this.skip();
    folder = makeTestPackage();
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  async function report(EXPSYN_FFTW: string): Promise<Report> {
    const program = join(ROOT, 'test', 'support', 'ramps.ts');
    const { code, output, errors } = await runProgram(
      process.execPath,
      ['--import=tsx', program, folder],
      { env: { EXPSYN_FFTW } },
    );
    assert.equal(code, 0, errors);
    return JSON.parse(output) as Report;
  }

  it('is computed by transforms if there is FFTW, and otherwise by sums, with one warning', async () => {
    const [found, missing] = [await report(''), await report('none')];
    assert.deepEqual([found.method, found.shortMethod, found.warnings], ['fft', 'direct', []]);
    assert.deepEqual([missing.method, missing.shortMethod], ['direct', 'direct']);
    assert.deepEqual(missing.warnings, [
      [
        'WARN_EXPSYN_FFTW_MISSING',
        'Expected FFTW in double precision for a kernel that has no recursion but found none ' +
          "(EXPSYN_FFTW is 'none'); the sum over its window is computed directly, which takes longer: " +
          "unset EXPSYN_FFTW, or set it to the absolute path of the folder of FFTW's libraries.",
      ],
    ]);
    assert.ok(relativeError(missing.currents, found.currents) <= 1e-12);
    assert.ok(Math.max(...found.currents) > 1);
  });
});
