/** Runs that workers compute, over a Redis of their own. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { addChecksum } from '../../lib/runs/checksummed';
import { writeNpyFile } from '../../lib/formats/npy/npy';
import { Command, expsyn, succeed } from '../support/command-line';
import { unfinishedFile } from '../support/folders';
import { arrayFiles, ZarrServer, type Manner } from '../support/http-server';
import { spikes } from '../support/oracle';

function isRunning({ child }: Command): boolean {
  return child.exitCode === null;
}

describe('a run on a queue', function () {
  this.timeout(120_000);
  let folder: string;
  let work: string;
  let redis: ChildProcess;
  let port: number;
  let address: string;
  let workers: Command[] = [];
  const home = process.cwd();
  const SHAPE = [2, 60_000, 40] as const;
  const FLAGS = ['--steps', '500', '--no-plot', '--noise-std', '1', '--seed', '3'];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'expsyn-queue-'));
    port = await freePort();
    address = `redis://127.0.0.1:${port}`;
    await startRedis();
  });
  after(async () => {
    process.chdir(home);
    redis.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    work = await mkdtemp(join(folder, 'work-'));
    process.chdir(work);
    const data = spikes(SHAPE[0] * SHAPE[1] * SHAPE[2], 0.05, 5);
    await writeNpyFile('raster.npy', { data, shape: SHAPE });
  });
  afterEach(async () => {
    await Promise.all(workers.map(async (worker) => worker.kill('SIGKILL')));
    workers = [];
    process.chdir(home);
  });

  async function freePort(): Promise<number> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const found = server.address();
    server.close();
    await once(server, 'close');
    return typeof found === 'object' && found !== null ? found.port : 0;
  }

  /** As the documentation says: it keeps what it is given. */
  async function startRedis(): Promise<void> {
    const flags = [
      '--appendonly',
      'yes',
      '--appendfsync',
      'always',
      '--maxmemory-policy',
      'noeviction',
    ];
    const own = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder];
    redis = spawn('redis-server', [...own, ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
    let log = '';
    redis.stdout?.on('data', (text: Buffer) => (log += text.toString()));
    while (!log.includes('Ready to accept connections')) {
      assert.equal(redis.exitCode, null, log);
      await sleep(20);
    }
  }

  async function startWorkers(count: number, env: Record<string, string> = {}): Promise<void> {
    for (let index = 0; index < count; index++) {
      const flags = ['--queue', address, '--threads', '1', '--lease-timeout', '2s'];
      workers.push(new Command(['worker', ...flags], { cwd: folder, env }));
    }
    for (const worker of workers) {
      while (!worker.err.includes('ready')) {
        assert.equal(worker.child.exitCode, null, worker.err);
        await sleep(20);
      }
    }
  }

  /** The bytes of every chunk. */
  async function chunksOf(path: string): Promise<Map<string, Buffer>> {
    const chunks = new Map<string, Buffer>();
    for (const name of (await readdir(path, { recursive: true })).sort()) {
      const file = join(path, name);
      if (name !== 'zarr.json' && (await stat(file)).isFile())
        chunks.set(name, await readFile(file));
    }
    return chunks;
  }

  async function checkSame(path: string, expected: string): Promise<void> {
    const [actual, wanted] = [await chunksOf(path), await chunksOf(expected)];
    assert.deepEqual([...actual.keys()], [...wanted.keys()]);
    for (const [name, bytes] of wanted) assert.ok(actual.get(name)?.equals(bytes), name);
    assert.ok(wanted.size > 0);
  }

  const cases = [
    ['time, where the window is cut', ['--noise', 'state']],
    ['channels, where it is not', ['--noise', 'output', '--window-taus', 'Infinity']],
    ['time and channels, with alpha functions', ['--noise', 'state', '--kernel', 'alpha']],
    [
      'time, with cut double exponentials',
      ['--noise', 'output', '--kernel', 'double-exp', '--window-taus', '5'],
    ],
    [
      'channels of a part',
      [
        '--noise',
        'state',
        '--window-taus',
        'Infinity',
        '--channels',
        '0-3,7,9,12-',
        '--start',
        '1.5s',
      ],
    ],
    [
      'time of a part',
      ['--noise', 'input', '--channels', '30,2-5,38-', '--start', '2s', '--duration', '50s'],
    ],
    ['by transforms', ['--noise', 'input', '--method', 'fft', '--compression', 'blosc']],
  ] as const;
  for (const [name, flags] of cases) {
    it(`gives the bytes of a local run, sharded along ${name}`, async () => {
      const args = ['raster.npy', ...FLAGS, ...flags];
      await succeed(...args, '--out', 'local.zarr');
      await startWorkers(2);
      const out = await succeed(...args, '--out', 'queued.zarr', '--queue', address);
      assert.match(out, /queued\.zarr +the currents/);
      await checkSame('queued.zarr', 'local.zarr');
      assert.ok(!existsSync('.queued.zarr.part'));
      const shards = workers.map(({ err }) => err.match(/: done in/g)?.length ?? 0);
      assert.ok(
        shards.every((count) => count > 0),
        `each worker did some: ${shards.join()}`,
      );
    });
  }

  it('brings its kernel to the workers, whose file may be gone', async () => {
    const samples = Float64Array.from({ length: 50 * SHAPE[2] }, (_, index) => Math.cos(index));
    await writeNpyFile('kernel.npy', { data: samples, shape: [50, SHAPE[2]] });
    const args = ['raster.npy', ...FLAGS, '--noise', 'input', '--kernel', 'kernel.npy'];
    await succeed(...args, '--out', 'local.zarr');
    const run = new Command(['run', ...args, '--out', 'q.zarr', '--queue', address], { cwd: work });
    while (isRunning(run) && !existsSync('.q.zarr.part/job.json')) await sleep(5);
    await rm('kernel.npy');
    await startWorkers(2);
    assert.equal((await run.ended).code, 0, run.err);
    await checkSame('q.zarr', 'local.zarr');
  });

  it('is refused by a worker that has not the same FFTW', async () => {
    await startWorkers(1, { EXPSYN_FFTW: 'none' });
    const args = ['raster.npy', ...FLAGS, '--queue', address, '--out'];
    const { code, err } = await expsyn(...args, 'q.zarr', '--method', 'fft');
    assert.equal(code, 1);
    assert.match(
      err,
      /Expected a worker with fftw-3\S+, as the run was submitted with, but one has no FFTW; let all/,
    );
    await succeed(...args, 'recursive.zarr');
  });

  it('loses nothing when workers are killed', async () => {
    const args = ['raster.npy', ...FLAGS, '--noise', 'state'];
    await succeed(...args, '--out', 'local.zarr');
    await startWorkers(2);
    const run = new Command(['run', ...args, '--out', 'q.zarr', '--queue', address], { cwd: work });
    for (let kill = 0; kill < 3 && isRunning(run); kill++) {
      const [worker] = workers;
      const before = worker?.err.length ?? 0;
      // In the middle of a shard, if it can be.
      while (worker?.err.length === before && isRunning(run)) await sleep(5);
      await worker?.kill('SIGKILL');
      workers.shift();
      await startWorkers(1);
    }
    assert.equal((await run.ended).code, 0, run.err);
    await checkSame('q.zarr', 'local.zarr');
  });

  it('goes on when Redis is killed and comes back', async () => {
    const args = ['raster.npy', ...FLAGS, '--noise', 'state'];
    await succeed(...args, '--out', 'local.zarr');
    await startWorkers(1);
    const run = new Command(['run', ...args, '--out', 'q.zarr', '--queue', address], { cwd: work });
    const [worker] = workers;
    while (worker?.err.includes(': done in') !== true) await sleep(5);
    redis.kill('SIGKILL');
    await once(redis, 'close');
    await sleep(500);
    await startRedis();
    assert.equal((await run.ended).code, 0, run.err);
    await checkSame('q.zarr', 'local.zarr');
  });

  it('goes on when Redis has forgotten everything', async () => {
    const args = ['raster.npy', ...FLAGS, '--noise', 'state'];
    await succeed(...args, '--out', 'local.zarr');
    const run = new Command(['run', ...args, '--out', 'q.zarr', '--queue', address], { cwd: work });
    while (unfinishedFile('q.zarr', 'submission') === undefined) await sleep(5);
    await sleep(300);
    redis.kill('SIGKILL');
    await once(redis, 'close');
    await rm(join(folder, 'appendonlydir'), { recursive: true, force: true });
    await rm(join(folder, 'dump.rdb'), { force: true });
    await startRedis();
    await startWorkers(1);
    assert.equal((await run.ended).code, 0, run.err);
    await checkSame('q.zarr', 'local.zarr');
  });

  it('is resumed with or without the queue after the submitting process was killed', async () => {
    const args = ['raster.npy', ...FLAGS, '--noise', 'state'];
    await succeed(...args, '--out', 'local.zarr');
    for (const more of [[], ['--queue', address]]) {
      await rm('q.zarr', { recursive: true, force: true });
      await startWorkers(1);
      const command = ['run', ...args, '--out', 'q.zarr', '--queue', address, '--restart'];
      const run = new Command(command, { cwd: work });
      const [worker] = workers;
      while (worker?.err.includes(': done in') !== true) await sleep(5);
      await run.kill('SIGKILL');
      await succeed(...args, '--out', 'q.zarr', '--resume', ...more);
      await checkSame('q.zarr', 'local.zarr');
      await Promise.all(workers.map(async (one) => one.kill('SIGKILL')));
      workers = [];
    }
  });

  it('is withdrawn when the submitting process is interrupted', async () => {
    const args = ['run', 'raster.npy', ...FLAGS, '--out', 'q.zarr', '--queue', address];
    await startWorkers(1);
    const run = new Command(args, { cwd: work });
    const [worker] = workers;
    while (worker?.err.includes(': done in') !== true) await sleep(5);
    run.child.kill('SIGINT');
    assert.equal((await run.ended).code, 130);
    assert.match(run.err, /Interrupted when \d+ % of q\.zarr were done; .*--resume/);
    await sleep(1500);
    const done = worker.err;
    await sleep(1000);
    assert.equal(worker.err, done, 'the worker does no more');
  });

  it('gives another run in its place no bytes of workers that do not know yet', async () => {
    const tau = (time: string) => ['raster.npy', ...FLAGS, '--tau', time, '--out'] as const;
    await succeed(...tau('100ms'), 'local.zarr');
    for (const more of [[], ['--queue', address]]) {
      await rm('q.zarr', { recursive: true, force: true });
      await startWorkers(1);
      const run = new Command(['run', ...tau('20ms'), 'q.zarr', '--queue', address], { cwd: work });
      const [worker] = workers;
      while (worker?.err.includes(': done in') !== true) await sleep(5);
      // It works on one of the others when it is stopped.
      await sleep(50);
      worker.child.kill('SIGSTOP');
      await run.kill('SIGKILL');
      const other = new Command(['run', ...tau('100ms'), 'q.zarr', '--restart', ...more], {
        cwd: work,
      });
      await sleep(500);
      worker.child.kill('SIGCONT');
      assert.equal((await other.ended).code, 0, other.err);
      await checkSame('q.zarr', 'local.zarr');
      await sleep(1500);
      assert.ok(!existsSync('.q.zarr.part'), 'nothing is made again');
      await Promise.all(workers.map(async (one) => one.kill('SIGKILL')));
      workers = [];
    }
  });

  it('can be interrupted when Redis is gone, and so can workers', async () => {
    await startWorkers(1);
    const args = ['run', 'raster.npy', ...FLAGS, '--steps', '20', '--out', 'q.zarr'];
    const run = new Command([...args, '--queue', address], { cwd: work });
    const [worker] = workers;
    while (worker?.err.includes(': done in') !== true) await sleep(5);
    try {
      redis.kill('SIGKILL');
      await once(redis, 'close');
      // Until it has looked for jobs in vain.
      while (!run.err.includes('Redis does not answer')) await sleep(50);
      run.child.kill('SIGINT');
      worker.child.kill('SIGTERM');
      const ends = Promise.all([run.ended, worker.ended]);
      const ended = await Promise.race([ends, sleep(20_000, undefined)]);
      assert.deepEqual(
        ended?.map(({ code }) => code),
        [130, 0],
      );
      assert.match(run.err, /^Interrupted when \d+ % of q\.zarr were done; .*--resume/m);
    } finally {
      await run.kill('SIGKILL');
      await startRedis();
    }
  });

  it('says in the submitting process what is likely to be a mistake', async () => {
    await startWorkers(1);
    const flags = ['--no-plot', '--tau', '100', '--out', 'isyn.zarr', '--queue', address];
    const { code, err } = await expsyn('raster.npy', ...flags);
    assert.equal(code, 0);
    assert.match(err, /^The tau of 100 s is longer than the input, which lasts 60 s; [^\n]*\n$/);
  });

  it('says once that there is no worker, and goes on when there is one', async () => {
    const args = ['raster.npy', ...FLAGS, '--out', 'q.zarr', '--queue', address];
    const run = new Command(['run', ...args], { cwd: work });
    while (run.err === '') await sleep(50);
    await sleep(6000);
    assert.equal(
      run.err,
      "Nothing of q.zarr is computed at the moment, since there is no worker; start one with 'expsyn " +
        "worker'.\n",
    );
    await startWorkers(1);
    assert.equal((await run.ended).code, 0, run.err);
  });

  it('says a journal that cannot be right', async () => {
    const args = ['raster.npy', ...FLAGS, '--out', 'q.zarr', '--queue', address];
    const run = new Command(['run', ...args], { cwd: work });
    while (unfinishedFile('q.zarr', 'submission') === undefined) await sleep(5);
    const journal = join(unfinishedFile('q.zarr', 'shards') ?? '', '0.json');
    await writeFile(journal, addChecksum({ shard: 0, blocksDone: 9999 }));
    assert.equal((await run.ended).code, 1);
    assert.match(run.err, /journal of a run, .* corrupt; start over with --restart\.\n$/);
  });

  it('says which shard cannot be computed, and why', async () => {
    const [batches, timesteps, size] = SHAPE;
    const data = new Float32Array(batches * timesteps * size);
    data[(timesteps + 50_000) * size + 7] = Infinity;
    await writeNpyFile('bad.npy', { data, shape: SHAPE });
    await startWorkers(1);
    const { code, err } = await expsyn('bad.npy', ...FLAGS, '--out', 'q.zarr', '--queue', address);
    assert.equal(code, 1);
    assert.match(
      err,
      /^Shard \d+ failed: Expected finite numbers .* Infinity at \[1, 50000, 7\]; give --non-finite propagate.*; \d+ % of/,
    );
    assert.match(err, /^[^\n]*\.\n$/);
  });

  it('refuses an input that is another one for the worker', async () => {
    await startWorkers(1);
    // What is submitted is changed before a worker has seen it.
    const run = new Command(
      ['run', 'raster.npy', ...FLAGS, '--out', 'q.zarr', '--queue', address],
      { cwd: work },
    );
    while (!existsSync('.q.zarr.part/job.json')) await sleep(1);
    await cp('raster.npy', 'copy.npy');
    await rm('raster.npy');
    await cp('copy.npy', 'raster.npy');
    const { code } = await run.ended;
    // A worker may have been quick enough.
    if (code !== 0)
      assert.match(run.err, /another one on this machine|no such file|could not read/i);
  });

  it('lets a worker end at once, and leaves its shard to others', async () => {
    await startWorkers(2);
    const args = ['raster.npy', ...FLAGS, '--noise', 'state'];
    await succeed(...args, '--out', 'local.zarr');
    const run = new Command(['run', ...args, '--out', 'q.zarr', '--queue', address], { cwd: work });
    const [first] = workers;
    while (first?.err.includes(': done in') !== true) await sleep(5);
    first.child.kill('SIGTERM');
    assert.equal((await first.ended).code, 0, first.err);
    assert.equal((await run.ended).code, 0, run.err);
    await checkSame('q.zarr', 'local.zarr');
  });

  it('lets a worker end at once while its input stalls, and reads on when it is there again', async () => {
    const server = new ZarrServer();
    await server.start();
    try {
      const shape = [4000, 4] as const;
      const data = spikes(shape[0] * shape[1], 0.1, 5);
      for (const [key, bytes] of arrayFiles(data, shape, 1000)) server.files.set(key, bytes);
      server.files.delete('c/1/0');
      data.fill(0, 1000 * shape[1], 2000 * shape[1]);
      await writeNpyFile('raster.npy', { data, shape });
      await succeed('raster.npy', ...FLAGS, '--out', 'local.zarr');
      const forbid: Manner = (_, response, { bytes }) => {
        if (bytes === undefined) response.writeHead(403).end();
        return bytes === undefined;
      };
      let isStalling = false;
      server.manner = (request, response, file) => {
        const isRead = file.key === 'c/3/0' && request.method === 'GET';
        isStalling ||= isRead;
        return isRead || forbid(request, response, file);
      };
      await startWorkers(1);
      const args = ['run', server.address, '--forbidden-is-missing', ...FLAGS, '--out', 'q.zarr'];
      const run = new Command([...args, '--queue', address], { cwd: work });
      await until(() => isStalling);
      const [first] = workers;
      first?.child.kill('SIGTERM');
      assert.equal((await first?.ended)?.code, 0, first?.err);
      server.manner = forbid;
      await startWorkers(1);
      assert.equal((await run.ended).code, 0, run.err);
      await checkSame('q.zarr', 'local.zarr');
    } finally {
      server.stop();
    }
  });

  async function until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) await sleep(5);
  }

  it('says so when there is no Redis, or the address is none', async () => {
    const unused = await freePort();
    for (const [queue, code, pattern] of [
      [`redis://127.0.0.1:${unused}`, 1, /^Could not reach Redis at redis:.*: ECONNREFUSED/],
      ['localhost', 2, /^Expected an address such as redis:/],
      ['http://localhost', 2, /^Expected an address such as redis:/],
    ] as const) {
      const run = await expsyn('raster.npy', ...FLAGS, '--out', 'q.zarr', '--queue', queue);
      assert.equal(run.code, code);
      assert.match(run.err, pattern);
      const worker = await expsyn('worker', '--queue', queue);
      assert.equal(worker.code, code);
    }
    const npy = await expsyn('raster.npy', '--out', 'q.npy', '--queue', address);
    assert.equal(npy.code, 2);
    assert.match(npy.err, /ends in \.zarr for --out with --queue/);
    assert.deepEqual((await readdir('.')).sort(), ['raster.npy']);
    await writeFile('done', '');
  });
});
