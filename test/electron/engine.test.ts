/** The utility process of the example application, as the preload script reaches it. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { succeed } from '../support/command-line';
import { bytesOf, headerOf, npyOf } from '../support/npy-bytes';
import { Application, until } from './application';

/** Steps of 1 ms, tau of 20 ms. */
const RASTER = { tau: 0.02, dt: 0.001, timeUnit: undefined };
const CHANNELS = 48;

describe('the engine of the application', () => {
  let application: Application;
  const others: Application[] = [];

  before(async () => {
    application = await Application.start();
    await application.connect();
  });

  after(async () => {
    for (const other of [application, ...others]) await other.end();
  });

  const startOther = async () => {
    const other = await Application.start();
    others.push(other);
    return other;
  };

  const at = (name: string) => join(application.folder, name);

  /** Writes a raster of shape (steps, channels) with a spike in every 7th element. */
  function writeRaster(name: string, steps: number, channels: number): string {
    const spikes = new Uint8Array(steps * channels).map((_, i) => (i % 7 === 0 ? 1 : 0));
    writeFileSync(at(name), npyOf(headerOf('|u1', `(${steps}, ${channels})`), spikes));
    return at(name);
  }

  /** A raster without spikes that takes some seconds to compute. The file takes no space on the disk. */
  function writeLongRaster(name: string): string {
    const head = npyOf(headerOf('|u1', '(1000000, 64)'), new Uint8Array());
    writeFileSync(at(name), head);
    truncateSync(at(name), head.length + 64_000_000);
    return at(name);
  }

  const outputs = () => (existsSync(application.runs) ? readdirSync(application.runs) : []);

  it('simulates: the currents are those of the spikes, also where the parameters change', async () => {
    const isyn = new Float64Array(CHANNELS);
    let nSpikes = 0;
    for (const [steps, tau, dt] of [
      [250, 0.02, 0.001],
      [1, 0.02, 0.001],
      [100, 0.1, 0.001],
      [100, 0.1, 0.0005],
    ] as const) {
      const answer = await application.steps({ steps, tau, dt, rate: 50 });
      assert.deepEqual([answer.steps, answer.dt], [steps, dt]);
      assert.equal(answer.spikes.length, steps * CHANNELS);
      const decay = Math.exp(-dt / tau);
      answer.spikes.forEach((spike, i) => {
        const n = i % CHANNELS;
        isyn[n] = ((isyn[n] ?? 0) + spike) * decay;
        nSpikes += spike;
        const difference = Math.abs((answer.currents[i] ?? NaN) - isyn[n]);
        assert.ok(difference <= 5e-6 * (1 + isyn[n]), `${i}: ${difference}`);
      });
    }
    // 50 spikes a second in 0.401 s of 48 channels are 962 on average, with a deviation of 31.
    assert.ok(nSpikes > 700 && nSpikes < 1250, String(nSpikes));
  });

  it('refuses messages that are malformed or out of range, and continues', async () => {
    const good = { steps: 1, tau: 0.02, dt: 0.001, rate: 10 };
    for (const [change, pattern] of [
      [{ steps: 0 }, /^Expected 1 to 10000 for steps but received 0\.$/],
      [{ steps: 1e9 }, /steps/],
      [{ steps: 1.5 }, /^Expected a whole number for steps but received 1\.5\.$/],
      [{ tau: '20ms' }, /^Expected 0\.0001 to 10 seconds for tau but received "20ms"\.$/],
      [{ dt: NaN }, /dt/],
      [{ rate: -1 }, /rate/],
    ] as const) {
      application.expsyn.requestSteps({ ...good, ...change } as typeof good);
      const { request, message } = await application.until('refused');
      assert.equal(request, 'steps');
      assert.match(message, pattern);
    }
    for (const [path, pattern] of [
      ['http://example.org/raster.zarr', /^Expected an absolute path/],
      ['--help', /^Expected an absolute path/],
      ['/a\0b', /^Expected an absolute path/],
    ] as const) {
      application.drop(path);
      application.expsyn.run(RASTER);
      assert.match((await application.until('refused')).message, pattern);
    }
    application.drop(writeRaster('small.npy', 10, 2));
    application.expsyn.run({ ...RASTER, timeUnit: '1h' as '1s' });
    assert.match((await application.until('refused')).message, /for timeUnit/);
    await application.steps(good);
  });

  it('computes a raster as the command line does, draws it and saves it', async () => {
    const path = writeRaster('raster.npy', 2000, 6);
    application.drop(path);
    application.expsyn.run(RASTER);
    assert.equal((await application.until('run-started')).name, 'raster.npy');
    assert.equal((await application.until('progress')).share, 1);
    const { name, facts, notes, picture } = await application.until('run-finished');
    assert.deepEqual([name, notes], ['raster.npy', []]);
    assert.deepEqual(
      facts.map(([label]) => label),
      ['raster', 'synapses', 'computed'],
    );
    assert.match(facts[0]?.[1] ?? '', /^\(2000, 6\) uint8/);
    assert.match(picture, /^<svg[^]*<\/svg>\s*$/);
    application.electron.dialog.answer = {
      canceled: false,
      filePaths: [],
      filePath: at('saved.npy'),
    };
    await application.expsyn.save();
    assert.equal((await application.until('saved')).name, 'saved.npy');
    await succeed('run', path, '--tau', '20ms', '--out', at('expected.npy'), '--no-plot');
    assert.ok(readFileSync(at('saved.npy')).equals(readFileSync(at('expected.npy'))));
    assert.match(readFileSync(at('saved.npy.json'), 'utf8'), /"ExpSynRun"/);
  });

  it('says when a result cannot be saved', async () => {
    const filePath = at('missing-folder/saved.npy');
    application.electron.dialog.answer = { canceled: false, filePaths: [], filePath };
    await application.expsyn.save();
    assert.match((await application.until('not-saved')).message, /ENOENT/);
  });

  it('computes a list of events', async () => {
    const times = [0, 1, 2.5, 0, 3, 1, 40, 0];
    const events = bytesOf('Float64', 8, times, true);
    writeFileSync(at('events.npy'), npyOf(headerOf('<f8', '(4, 2)'), events));
    application.drop(at('events.npy'));
    application.expsyn.run({ ...RASTER, timeUnit: '1ms' });
    const { facts } = await application.until('run-finished');
    assert.match(facts.join('\n'), /4 events/);
    // The earlier result is not kept.
    assert.equal(outputs().length, 1);
  });

  it('passes on what the command line notes', async () => {
    application.drop(writeRaster('swapped.npy', 6, 50));
    application.expsyn.run({ ...RASTER, tau: 1 });
    const { notes } = await application.until('run-finished');
    assert.ok(notes.length >= 1 && notes.every((note) => note.length > 20), notes.join('\n'));
  });

  it('reports a corrupt file, and one that is missing, and continues', async () => {
    const whole = readFileSync(writeRaster('cut.npy', 2000, 6));
    writeFileSync(at('cut.npy'), whole.subarray(0, 5000));
    writeFileSync(at('noise.npy'), Buffer.from('this is no array'));
    for (const [name, pattern] of [
      ['cut.npy', /cut\.npy/],
      ['noise.npy', /noise\.npy/],
      ['missing.npy', /missing\.npy/],
    ] as const) {
      application.drop(at(name));
      application.expsyn.run(RASTER);
      const failure = await application.until('run-failed');
      assert.equal(failure.name, name);
      assert.match(failure.message, pattern);
      assert.doesNotMatch(failure.message, /\n/);
    }
    // The result before them is still there.
    assert.equal(outputs().length, 1);
    await application.steps({ steps: 1, tau: 0.02, dt: 0.001, rate: 10 });
  });

  it('refuses a file while it computes another, simulates meanwhile, and cancels', async () => {
    application.drop(writeLongRaster('long.npy'));
    application.expsyn.run(RASTER);
    await application.until('run-started');
    application.drop(writeRaster('second.npy', 100, 2));
    application.expsyn.run(RASTER);
    const { request, message } = await application.until('refused');
    assert.equal(request, 'run');
    assert.equal(
      message,
      'Expected no other run but long.npy is being computed; wait for its end or cancel it, then open second.npy.',
    );
    await application.steps({ steps: 250, tau: 0.02, dt: 0.001, rate: 10 });
    application.expsyn.cancel();
    application.expsyn.cancel();
    assert.equal((await application.until('run-cancelled', 'run-finished')).type, 'run-cancelled');
    assert.equal(outputs().length, 1);
    application.expsyn.run(RASTER);
    assert.equal((await application.until('run-finished')).name, 'second.npy');
  });

  it('ends a run when its page is loaded again', async () => {
    application.drop(at('long.npy'));
    application.expsyn.run(RASTER);
    await application.until('run-started');
    await application.connect();
    application.drop(at('second.npy'));
    application.expsyn.run(RASTER);
    const { type, name } = await application.until('run-finished', 'run-failed');
    assert.deepEqual([type, name], ['run-finished', 'second.npy']);
    // The outputs of the earlier page are gone.
    await until(() => outputs().length === 1);
  });

  it('ends at once with its window, and leaves nothing behind', async () => {
    const other = await startOther();
    await other.connect();
    other.drop(at('long.npy'));
    other.expsyn.run(RASTER);
    await other.until('run-started');
    await until(() => readdirSync(other.runs).length === 1);
    const { engine } = other;
    other.window.close();
    await until(() => engine.pid === undefined);
    assert.ok(!existsSync(other.runs));
  });

  it('says why the package cannot be loaded', async () => {
    const other = await startOther();
    const modules = join(other.folder, 'app', 'node_modules', 'expsyn');
    rmSync(modules);
    mkdirSync(modules);
    writeFileSync(
      join(modules, 'package.json'),
      '{"name":"expsyn","main":"index.js","bin":{"expsyn":"index.js"}}',
    );
    writeFileSync(
      join(modules, 'index.js'),
      "exports.ExpSyn = undefined; throw new Error('Expected an addon for plan9.');",
    );
    const events: { type: string; message?: string }[] = [];
    await other.expsyn.connect((event) => events.push(event));
    await until(() => events.length > 0);
    assert.deepEqual(events, [{ type: 'unavailable', message: 'Expected an addon for plan9.' }]);
  });
});
