/**
 * `npm run bench:scaling`: times one job on 1, 2 and 4 workers of a queue on this machine. Then simulates more
 * workers, from the measured times of the shards.
 *
 * In the simulation, as in the queue, each worker takes the next shard when it is ready. The times of shards are
 * drawn from those of a worker that had the machine to itself, so the simulation does not contain what workers
 * on one machine share: processors and disk.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { writeNpyFile } from '../lib/formats/npy/npy';
import { median } from './measure';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '1000' },
    synapses: { type: 'string', default: '256' },
    rounds: { type: 'string', default: '3' },
    folder: { type: 'string', default: tmpdir() },
  },
});
const size = Number(values.synapses);
const timesteps = Number(values.seconds) * 1000;
const rounds = Number(values.rounds);
const folder = mkdtempSync(join(values.folder, 'expsyn-scaling-'));
const main = join(__dirname, '..', 'dist', 'cli', 'main.js');
const raster = join(folder, 'raster.npy');

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function startRedis(port: number): Promise<ChildProcess> {
  const flags = ['--appendonly', 'yes', '--maxmemory-policy', 'noeviction', '--dir', folder];
  const redis = spawn('redis-server', ['--port', `${port}`, '--bind', '127.0.0.1', ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let log = '';
  redis.stdout.on('data', (text: Buffer) => (log += text.toString()));
  while (!log.includes('Ready to accept connections')) await sleep(20);
  return redis;
}

/** A worker process, and the seconds that each of its shards took. */
class Worker {
  readonly shards: number[] = [];
  readonly #child: ChildProcess;
  #isReady = false;

  constructor(address: string) {
    const args = ['worker', '--queue', address, '--threads', '1'];
    this.#child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (text.includes('ready')) this.#isReady = true;
      for (const [, seconds] of text.matchAll(/done in ([\d.e-]+) s/g)) {
        this.shards.push(Number(seconds));
      }
    });
  }

  async ready(): Promise<void> {
    while (!this.#isReady) await sleep(20);
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    await once(this.#child, 'close');
  }
}

/** Runs the job once. Resolves with the seconds of the run and of each shard. */
async function runOnce(
  nWorkers: number,
  address: string,
): Promise<{ seconds: number; shards: number[] }> {
  const workers = Array.from({ length: nWorkers }, () => new Worker(address));
  for (const worker of workers) await worker.ready();
  const out = join(folder, 'out.zarr');
  const args = ['run', raster, '--dtype', 'float32', '--no-plot', '--out', out, '--queue', address];
  const begin = performance.now();
  const child = spawn(process.execPath, [main, ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [code] = (await once(child, 'close')) as [number | null];
  const seconds = (performance.now() - begin) / 1000;
  if (code !== 0) throw new Error(`The run ended with ${code}.`);
  for (const worker of workers) await worker.stop();
  rmSync(out, { recursive: true });
  return { seconds, shards: workers.flatMap(({ shards }) => shards) };
}

/** The seconds that `nWorkers` workers take for `count` shards, if each takes the next one when it is ready. */
function simulate(nWorkers: number, count: number, measured: readonly number[]): number {
  const free = new Float64Array(nWorkers);
  for (let shard = 0; shard < count; shard++) {
    let first = 0;
    free.forEach((time, worker) => {
      if (time < (free[first] ?? 0)) first = worker;
    });
    const drawn = measured[Math.floor(Math.random() * measured.length)] ?? NaN;
    free[first] = (free[first] ?? 0) + drawn;
  }
  return free.reduce((last, time) => Math.max(last, time), 0);
}

async function run(): Promise<void> {
  const data = new Uint8Array(timesteps * size);
  for (let index = 0; index < data.length; index++) data[index] = Math.random() < 0.02 ? 1 : 0;
  await writeNpyFile(raster, { data, shape: [timesteps, size] });
  const port = await freePort();
  const redis = await startRedis(port);
  const address = `redis://127.0.0.1:${port}`;
  try {
    const bytes = timesteps * size * 4;
    console.log(
      `${timesteps} steps x ${size} synapses, ${(bytes / 1e9).toFixed(2)} GB of currents, ` +
        `${availableParallelism()} processors, one thread for each worker\n`,
    );
    console.log('| workers | seconds | speed-up | seconds of a shard, median (longest) |');
    console.log('| --- | --- | --- | --- |');
    let alone: { seconds: number; shards: number[] } = { seconds: NaN, shards: [] };
    for (const nWorkers of [1, 2, 4]) {
      const runs = [];
      for (let round = 0; round < rounds; round++) runs.push(await runOnce(nWorkers, address));
      const seconds = median(runs.map((one) => one.seconds));
      const shards = runs.flatMap((one) => one.shards);
      if (nWorkers === 1) alone = { seconds, shards };
      console.log(
        `| ${nWorkers} | ${seconds.toFixed(2)} | ${(alone.seconds / seconds).toFixed(2)} | ` +
          `${median(shards).toFixed(3)} (${Math.max(...shards).toFixed(3)}) |`,
      );
    }
    const perRun = alone.shards.length / rounds;
    const overhead = alone.seconds - alone.shards.reduce((sum, time) => sum + time, 0) / rounds;
    console.log(`\nA run has ${perRun} shards, and takes ${overhead.toFixed(2)} s besides them.\n`);
    console.log(
      '| workers | this job | 10 TB of currents | speed-up | GB/s that the store must take |',
    );
    console.log('| --- | --- | --- | --- | --- |');
    const count = Math.round((perRun * 10e12) / bytes);
    for (const nWorkers of [1, 2, 4, 8, 16, 64, 256, 1024]) {
      const small = simulate(nWorkers, perRun, alone.shards);
      const large = simulate(nWorkers, count, alone.shards);
      const mean = alone.shards.reduce((sum, time) => sum + time, 0) / alone.shards.length;
      console.log(
        `| ${nWorkers} | ${small.toFixed(2)} s | ${(large / 60).toFixed(0)} min | ` +
          `${((count * mean) / large).toFixed(1)} | ${(10e3 / large).toFixed(1)} |`,
      );
    }
  } finally {
    redis.kill('SIGKILL');
  }
}

run()
  .catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  })
  .finally(() => {
    rmSync(folder, { recursive: true, force: true });
  });
