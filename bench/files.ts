/**
 * `npm run bench:files`: times `expsyn run` on large files, and `cp` of as many bytes to compare with. Each round
 * runs every contender once, after all earlier writes have reached the disk.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { encodeHeader } from '../lib/formats/npy/header';
import { median } from './measure';

const { values } = parseArgs({
  options: {
    gigabytes: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    folder: { type: 'string', default: tmpdir() },
    synapses: { type: 'string', default: '64' },
    cases: { type: 'string', default: '1,2,3,4' },
  },
});
const bytes = Number(values.gigabytes) * 1e9;
const rounds = Number(values.rounds);
const size = Number(values.synapses);
if (!(bytes > 0 && rounds >= 1 && Number.isSafeInteger(size) && size > 0)) {
  throw new Error('Expected --gigabytes, --rounds and --synapses above 0.');
}
const folder = mkdtempSync(join(values.folder, 'expsyn-bench-'));
const main = join(__dirname, '..', 'dist', 'cli', 'main.js');

interface Measured {
  seconds: number;
  /** Peak of the process's resident memory, in MB. */
  memory: number;
}

/** Writes a raster in which about 2 % of the elements are spikes, some rows at a time. */
async function writeRaster(path: string, type: '<f4' | '|u1'): Promise<void> {
  const itemBytes = type === '<f4' ? 4 : 1;
  // The currents are float32 for either type, and are as long as `--gigabytes` says.
  const timesteps = Math.floor(bytes / 4 / size);
  const rows = Math.min(timesteps, 65536);
  const chunk = Buffer.alloc(rows * size * itemBytes);
  for (let index = 0; index < rows * size; index++) {
    if (Math.random() >= 0.02) continue;
    if (itemBytes === 4) chunk.writeFloatLE(1, 4 * index);
    else chunk[index] = 1;
  }
  const file = await open(path, 'w');
  await file.write(encodeHeader(type, [timesteps, size]));
  for (let step = 0; step < timesteps; step += rows) {
    const length = Math.min(rows, timesteps - step) * size * itemBytes;
    for (let done = 0; done < length;) {
      done += (await file.write(chunk, done, length - done)).bytesWritten;
    }
  }
  await file.sync();
  await file.close();
}

/** Runs a program after earlier writes have reached the disk. */
async function measure(program: string, args: readonly string[]): Promise<Measured> {
  execFileSync('sync');
  const begin = performance.now();
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  let memory = 0;
  const timer = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      memory = Math.max(memory, Number(/VmHWM:\s*(\d+)/.exec(status)?.[1] ?? 0) / 1000);
    } catch {
      // The process has just ended, or this system has no /proc.
    }
  }, 20);
  const [code] = (await once(child, 'close')) as [number | null];
  clearInterval(timer);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}.`);
  return { seconds: (performance.now() - begin) / 1000, memory };
}

const CASES = [
  ['float32 raster to .npy', '<f4', 'out.npy', []],
  ['uint8 raster to .npy', '|u1', 'out.npy', []],
  ['float32 raster to .zarr', '<f4', 'out.zarr', []],
  ['float32 raster, noise, to .npy', '<f4', 'out.npy', ['--noise-std', '1', '--seed', '1']],
] as const;

async function run(): Promise<void> {
  const [raster, copy] = [join(folder, 'raster.npy'), join(folder, 'copy')];
  console.log(
    '| case | `cp` | `cp` and `sync` | `expsyn run` | of `cp` | of `cp` and `sync` | memory |\n' +
      '| --- | --- | --- | --- | --- | --- | --- |',
  );
  const chosen = values.cases.split(',').map((number) => CASES[Number(number) - 1]);
  for (const one of chosen) {
    if (one === undefined) throw new Error('Expected numbers from 1 to 4 for --cases.');
    const [name, type, out, flags] = one;
    await writeRaster(raster, type);
    const output = join(folder, out);
    const args = ['run', raster, '--dtype', 'float32', '--no-plot', '--out', output, ...flags];
    // `cp` copies as many bytes as the run writes: the raster itself, or currents that are computed first.
    let original = raster;
    if (type !== '<f4') {
      original = join(folder, 'currents.npy');
      await measure(process.execPath, [
        main,
        ...args.map((arg) => (arg === output ? original : arg)),
      ]);
    }
    const results: Record<'copied' | 'synced' | 'computed', Measured[]> = {
      copied: [],
      synced: [],
      computed: [],
    };
    for (let round = 0; round < rounds; round++) {
      results.copied.push(await measure('cp', [original, copy]));
      rmSync(copy);
      const both = `cp '${original}' '${copy}' && sync '${copy}'`;
      results.synced.push(await measure('sh', ['-c', both]));
      rmSync(copy);
      results.computed.push(await measure(process.execPath, [main, ...args]));
      for (const path of [output, `${output}.json`]) rmSync(path, { recursive: true, force: true });
    }
    const secondsOf = (measured: Measured[]): number => median(measured.map((one) => one.seconds));
    const [copied, synced, computed] = [
      secondsOf(results.copied),
      secondsOf(results.synced),
      secondsOf(results.computed),
    ];
    const memory = Math.max(...results.computed.map((one) => one.memory));
    console.log(
      `| ${name}, ${(bytes / 1e9).toFixed(1)} GB | ${copied.toFixed(2)} s | ${synced.toFixed(2)} s | ` +
        `${computed.toFixed(2)} s | ${(copied / computed).toFixed(2)} | ` +
        `${(synced / computed).toFixed(2)} | ${memory.toFixed(0)} MB |`,
    );
    rmSync(join(folder, 'currents.npy'), { force: true });
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
