/** Outputs that are there already, and the places where outputs go. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import {
  chmod,
  copyFile,
  lstat,
  mkdir,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { writeNpyFile } from '../../lib/formats/npy/npy';
import { expsyn, succeed } from '../support/command-line';
import { emptyFolders } from '../support/folders';
import { spikes } from '../support/oracle';
import { ROOT, runProgram } from '../support/processes';

describe('an output that is there already', () => {
  const work = emptyFolders();

  async function writeSmall(): Promise<void> {
    await writeNpyFile('raster.npy', { data: spikes(400 * 3, 0.1, 5), shape: [400, 3] });
  }

  it('is made once, however often the command with --resume is given', async () => {
    await writeSmall();
    const args = ['raster.npy', '--noise-std', '1', '--no-plot', '--resume', '--out'];
    for (const out of ['isyn.npy', 'isyn.zarr']) {
      const content = async (): Promise<Buffer> =>
        readFile(out === 'isyn.npy' ? out : join(out, 'c', '0', '0', '0'));
      await succeed(...args, out);
      const first = await content();
      assert.equal(await succeed(...args, out), `${out} is complete already.\n`);
      assert.equal(
        await succeed('--resume', '--no-plot', '--out', out),
        `${out} is complete already.\n`,
      );
      assert.ok(first.equals(await content()));
      assert.ok(!existsSync('output'), 'no example was made');
    }
  });

  it('is made again when it is corrupt, or another file', async () => {
    await writeSmall();
    const args = ['raster.npy', '--no-plot', '--resume', '--out'];
    await succeed(...args, 'isyn.npy');
    const first = await readFile('isyn.npy');
    for (const corruption of [
      async () => truncate('isyn.npy', 5000),
      async () => copyFile('raster.npy', 'isyn.npy'),
    ]) {
      await corruption();
      assert.ok(!(await expsyn('info', 'isyn.npy')).out.includes('made by'));
      await succeed(...args, 'isyn.npy');
      assert.ok(first.equals(await readFile('isyn.npy')));
    }
    await succeed(...args, 'isyn.zarr');
    await rm(join('isyn.zarr', 'c'), { recursive: true });
    await succeed(...args, 'isyn.zarr');
    assert.ok(existsSync(join('isyn.zarr', 'c', '0', '0', '0')));
    await writeSmall();
    await copyFile('raster.npy', 'own.npy');
    const refused = await expsyn('--resume', '--out', 'own.npy');
    assert.equal(refused.code, 2);
    assert.match(
      refused.err,
      /^Expected an input with --resume, since nothing tells how own\.npy was made/,
    );
  });

  it('leaves what replaces it its permissions', async function () {
    if (process.platform === 'win32') this.skip();
    await writeSmall();
    for (const permissions of [0o600, 0o666]) {
      await succeed('raster.npy', '--no-plot', '--out', 'isyn.npy');
      await chmod('isyn.npy', permissions);
      await succeed('raster.npy', '--no-plot', '--tau', '5ms', '--out', 'isyn.npy', '--restart');
      assert.equal((await stat('isyn.npy')).mode & 0o777, permissions);
    }
  });

  it('is never an input, by whatever name', async () => {
    await writeSmall();
    await writeNpyFile('tau.npy', { data: Float64Array.of(0.01, 0.02, 0.03), shape: [3] });
    await copyFile('raster.npy', 'in.svg');
    await copyFile('raster.npy', 'x.npy.json');
    await succeed('raster.npy', '--out', 'in.zarr', '--no-plot');
    for (const [args, pattern] of [
      [
        ['raster.npy', '--tau', 'tau.npy', '--out', 'tau.npy'],
        /another file than the file of --tau/,
      ],
      [['in.svg', '--out', 'x.npy', '--plot', 'in.svg'], /another file than the raster for --plot/],
      [['x.npy.json', '--out', 'x.npy'], /another file than the raster for --out/],
      [['in.zarr', '--out', 'in.zarr/inner.npy'], /a place outside of in\.zarr, which is read/],
      [['in.zarr', '--out', './in.zarr/c/inner.zarr'], /a place outside of in\.zarr/],
    ] as const) {
      const { code, err } = await expsyn(...args);
      assert.equal(code, 2, err);
      assert.match(err, pattern);
    }
  });

  it('has a provenance that is corrupt in a sentence', async () => {
    await writeSmall();
    await succeed('raster.npy', '--out', 'isyn.npy', '--no-plot');
    const settings = { tau: 'x', dt: -1 };
    for (const text of [
      '{"class":"ExpSynRun","version":1,"job":{"settings":{}}}',
      JSON.stringify({ class: 'ExpSynRun', version: 1, job: { settings } }),
    ]) {
      await writeFile('isyn.npy.json', text);
      for (const args of [
        ['info'],
        ['plot'],
        ['--out', 'y.npy', '--like'],
        ['raster.npy', '--resume', '--out'],
      ]) {
        const { code, err } = await expsyn(...args, 'isyn.npy');
        assert.equal(code, 1);
        assert.match(err, /^Expected [^\n]*isyn\.npy\.json[^\n]*\.\n$/);
      }
    }
  });

  it('is told from what another program has written beside it', async () => {
    await writeSmall();
    await succeed('raster.npy', '--out', 'isyn.npy', '--no-plot');
    for (const text of ['null', '{', '[]', '{"a": 1}', '']) {
      await writeFile('isyn.npy.json', text);
      assert.doesNotMatch(await succeed('info', 'isyn.npy'), /made by/);
      await succeed('plot', 'isyn.npy', '--out', 'isyn.svg');
      const like = await expsyn('raster.npy', '--out', 'y.npy', '--like', 'isyn.npy');
      assert.match(like.err, /^Expected an output of 'expsyn run' for --like but nothing tells/);
      const { code, err } = await expsyn('raster.npy', '--out', 'isyn.npy', '--no-plot');
      assert.equal(code, 1);
      assert.match(err, /isyn\.npy\.json, where .* to be free but it is another file; move it/);
      assert.equal(await readFile('isyn.npy.json', 'utf8'), text);
    }
  });

  it('has no provenance of another array', async () => {
    await writeSmall();
    await succeed('raster.npy', '--out', 'isyn.npy', '--no-plot');
    await writeNpyFile('isyn.npy', { data: new Float64Array(12), shape: [1, 4, 3] });
    assert.doesNotMatch(await succeed('info', 'isyn.npy'), /made by/);
    const like = await expsyn('raster.npy', '--out', 'y.npy', '--like', 'isyn.npy');
    assert.match(like.err, /nothing tells how isyn\.npy was made/);
    // Of the same shape and type.
    await succeed('raster.npy', '--tau', '1ms', '--out', 'isyn.npy', '--no-plot');
    await succeed('raster.npy', '--tau', '2ms', '--out', 'other.npy', '--no-plot');
    const made = await readFile('isyn.npy');
    await copyFile('other.npy', 'isyn.npy');
    assert.doesNotMatch(await succeed('info', 'isyn.npy'), /made by/);
    const args = ['raster.npy', '--tau', '1ms', '--no-plot', '--resume', '--out'];
    await succeed(...args, 'isyn.npy');
    assert.ok((await readFile('isyn.npy')).equals(made));
    for (const [out, tau] of [
      ['isyn.zarr', '1ms'],
      ['other.zarr', '2ms'],
    ] as const) {
      await succeed('raster.npy', '--tau', tau, '--out', out, '--no-plot');
    }
    assert.match(await succeed('info', 'isyn.zarr'), /made by/);
    const chunk = join('c', '0', '0', '0');
    await copyFile(join('other.zarr', chunk), join('isyn.zarr', chunk));
    assert.doesNotMatch(await succeed('info', 'isyn.zarr'), /made by/);
    assert.doesNotMatch(await succeed(...args, 'isyn.zarr'), /complete already/);
    assert.match(await succeed('info', 'isyn.zarr'), /made by/);
  });

  it('has no name that is too long for what is written beside it', async () => {
    await writeSmall();
    for (const length of [245, 230]) {
      for (const out of [`${'x'.repeat(length)}.npy`, join('new', `${'x'.repeat(length)}.npy`)]) {
        const { code, err } = await expsyn('raster.npy', '--out', out, '--no-plot');
        assert.equal(code, 2);
        assert.match(
          err,
          /^Expected a shorter name for --out, .* received '[^']*'; give another\.\n$/,
        );
      }
    }
    const plot = `${'x'.repeat(240)}.svg`;
    const { err } = await expsyn('raster.npy', '--out', 'isyn.npy', '--plot', plot);
    assert.match(err, /^Expected a shorter name for --plot/);
    assert.deepEqual(await readdir('.'), ['raster.npy']);
    await succeed('raster.npy', '--out', `${'x'.repeat(227)}.npy`, '--no-plot');
  });

  it('replaces a Zarr array, and nothing else', async () => {
    await writeSmall();
    const args = ['raster.npy', '--no-plot', '--out', 'out.zarr'];
    await succeed(...args);
    await succeed(...args);
    await mkdir('out.zarr/notes');
    assert.match((await expsyn(...args)).err, /an array beside which notes lies; give another\./);
    await rm('out.zarr', { recursive: true });
    await mkdir('out.zarr/precious', { recursive: true });
    assert.match((await expsyn(...args)).err, /out\.zarr is another folder; give another\./);
    await writeFile('out.zarr/zarr.json', '{"zarr_format": 3, "node_type": "group"}');
    assert.match((await expsyn(...args)).err, /out\.zarr is a Zarr group; give another\./);
    assert.deepEqual((await readdir('out.zarr')).sort(), ['precious', 'zarr.json']);
  });

  it('is told of by a link to it as well', async () => {
    await writeSmall();
    await mkdir('elsewhere');
    await succeed('raster.npy', '--out', 'elsewhere/isyn.npy', '--no-plot');
    await symlink('elsewhere/isyn.npy', 'link.npy');
    assert.match(await succeed('info', 'link.npy'), /made by/);
  });

  it('goes where a link leads, also when nothing is there yet', async () => {
    await writeSmall();
    await mkdir('elsewhere');
    for (const ending of ['npy', 'zarr']) {
      await symlink(`elsewhere/second.${ending}`, `first.${ending}`);
      await symlink(`isyn.${ending}`, `elsewhere/second.${ending}`);
      await succeed('raster.npy', '--out', `first.${ending}`, '--no-plot');
      assert.ok(existsSync(`elsewhere/isyn.${ending}`));
      assert.ok((await lstat(`first.${ending}`)).isSymbolicLink());
      assert.ok((await lstat(`elsewhere/second.${ending}`)).isSymbolicLink());
      await symlink(`loop.${ending}`, `loop.${ending}`);
      const { code, err } = await expsyn('raster.npy', '--out', `loop.${ending}`, '--no-plot');
      assert.equal(code, 1);
      assert.match(err, /^Could not [^\n]* links go round in a circle\.\n$/);
    }
  });

  it('takes little memory, however many steps and channels there are', async function () {
    if (!existsSync('/proc/self/status')) this.skip();
    const [timesteps, size] = [1500, 100_000];
    await writeNpyFile('wide.npy', { data: new Uint8Array(timesteps * size), shape: [1500, size] });
    const flags = ['--window-taus', 'Infinity', '--dtype', 'float32', '--out', '-'];
    const words = [join(ROOT, 'dist', 'cli', 'main.js'), 'run', 'wide.npy', ...flags];
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    let peak = 0;
    child.stdout.on('data', () => {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      peak = Math.max(peak, Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0));
    });
    const [code] = (await once(child, 'close')) as [number];
    assert.equal(code, 0);
    // A state for each block, of two steps, would be 300 MB.
    assert.ok(peak > 10_000 && peak < 250_000, `${peak} kB`);
  });

  it('says so when the standard output cannot take it', async function () {
    if (!existsSync('/dev/full')) this.skip();
    await writeSmall();
    for (const args of [
      ['run', 'raster.npy', '--out', '-'],
      ['run', 'raster.npy', '--out', 'a.npy', '--no-plot'],
      ['info', 'raster.npy'],
    ]) {
      const words = [process.execPath, join(ROOT, 'dist', 'cli', 'main.js'), ...args];
      const { code, errors } = await runProgram('sh', ['-c', '"$@" > /dev/full', 'sh', ...words], {
        cwd: work.path,
      });
      assert.equal(code, 1);
      assert.equal(errors, 'Could not write the standard output: no space is left on its disk.\n');
    }
  });
});
