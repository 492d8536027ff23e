/**
 * Measures the server under load, on loopback. Many sources send frames at a fixed rate, whether or not answers
 * arrive. Latency is measured from when a frame was due.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHistogram } from 'node:perf_hooks';
import { text as readText } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';

import { Command, InvalidArgumentError } from 'commander';
import { Client, LOAD_TOKEN as TOKEN, type Load } from './client';

interface Result extends Load {
  /** Frames answered in a second. */
  throughput: number;
  sent: number;
  answered: number;
  /** Answers out of order. */
  reordered: number;
  /** Milliseconds. */
  latency: { p50: number; p99: number; p999: number };
  /** The worst 99th percentile of the server's event-loop delay, in milliseconds. */
  eventLoopDelay: number;
  /** Processor time of the server for a frame, in microseconds. */
  cpu: number;
  /** The server's resident memory in MiB, each second. */
  memory: number[];
}

/** The servers that run. They end with this process, however it ends. */
const servers = new Set<ChildProcess>();
process.once('exit', () => {
  for (const server of servers) server.kill('SIGKILL');
});

async function startServer(engine: string, folder: string): Promise<[ChildProcess, number]> {
  const environment = {
    EXPSYN_SERVER_PORT: '0',
    EXPSYN_SERVER_TOKEN: TOKEN,
    EXPSYN_SERVER_FOLDER: folder,
    EXPSYN_SERVER_ENGINE: engine,
    EXPSYN_SERVER_LOG_LEVEL: 'info',
    // All clients come from one address.
    EXPSYN_SERVER_MAX_CONNECTIONS_PER_ADDRESS: '1000000',
  };
  const child = spawn(process.execPath, ['--import', 'tsx', join(__dirname, '..', 'main.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...environment },
  });
  servers.add(child);
  child.once('exit', () => servers.delete(child));
  let log = '';
  const port = await new Promise<number>((resolve, reject) => {
    child.stdout.on('data', (text: Buffer) => {
      if (log.length < 10_000) log += text.toString();
      const found = /listening at http:\/\/127.0.0.1:(\d+)/.exec(log)?.[1];
      if (found !== undefined) resolve(Number(found));
    });
    child.once('exit', () => reject(new Error(`The server did not start: ${log}`)));
  });
  return [child, port];
}

/** Reads some of the server's metrics. */
async function readMetrics(port: number): Promise<{ delay: number; memory: number; cpu: number }> {
  const text = await new Promise<string>((resolve, reject) => {
    // A new connection each time: the server may be about to close an old one.
    const request = get({ port, host: '127.0.0.1', path: '/metrics', agent: false }, (answer) => {
      readText(answer).then(resolve, reject);
    });
    request.once('error', reject);
  });
  const read = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  return {
    delay: read('nodejs_eventloop_lag_p99_seconds') * 1000,
    memory: read('process_resident_memory_bytes') / 2 ** 20,
    cpu: read('process_cpu_seconds_total') * 1e6,
  };
}

async function measure(load: Load): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'expsyn-load-'));
  const [server, port] = await startServer(load.engine, folder);
  try {
    const latency = createHistogram({ highest: 60_000_000 });
    // In an object, since it changes during awaits, which TypeScript does not assume of a variable.
    const phase = { isMeasured: false };
    const clients: Client[] = [];
    for (let first = 0; first < load.sources; first += load.perConnection) {
      const nSources = Math.min(load.perConnection, load.sources - first);
      // The sources send at different times, spread over the interval.
      const phases = Array.from({ length: nSources }, (_, i) => (first + i) / load.sources);
      const client = new Client(port, load, phases, (milliseconds) => {
        if (phase.isMeasured) latency.record(Math.max(1, Math.round(milliseconds * 1000)));
      });
      clients.push(client);
      // A few at a time, so that none waits too long to be accepted.
      if (clients.length % 50 === 0) await client.welcome;
    }
    await Promise.all(clients.map(({ welcome }) => welcome));
    const memory: number[] = [];
    let eventLoopDelay = 0;
    const answeredSoFar = () => clients.reduce((sum, { answered }) => sum + answered, 0);
    /** Readings at the beginning and at the end of the measurement. */
    const spent: { cpu: number; answered: number }[] = [];
    const readSpent = async () => {
      const { cpu } = await readMetrics(port);
      spent.push({ cpu, answered: answeredSoFar() });
    };
    const begin = performance.now();
    const warmUp = Math.min(2, load.seconds / 4);
    const end = begin + (warmUp + load.seconds) * 1000;
    const watching = (async () => {
      while (performance.now() < end) {
        await wait(1000);
        const now = await readMetrics(port);
        memory.push(Math.round(now.memory));
        if (phase.isMeasured) eventLoopDelay = Math.max(eventLoopDelay, now.delay);
      }
    })();
    // An error is thrown where it is awaited.
    watching.catch(() => undefined);
    let answeredBefore = 0;
    let reading = Promise.resolve();
    for (;;) {
      const now = performance.now();
      if (now >= end) break;
      if (!phase.isMeasured && now >= begin + warmUp * 1000) {
        phase.isMeasured = true;
        answeredBefore = answeredSoFar();
        // Not awaited, since frames that are due must not wait.
        reading = readSpent();
      }
      for (const client of clients) client.send(begin, now);
      await wait(1);
    }
    const answeredInTime = answeredSoFar();
    phase.isMeasured = false;
    await reading;
    await readSpent();
    const count = () => clients.reduce((sum, { sent, answered }) => sum + sent - answered, 0);
    // Waits as long as answers arrive: frames that an overloaded server has accepted are late, not lost.
    for (let before = Infinity; count() > 0 && count() < before;) {
      before = count();
      await wait(2000);
    }
    await watching;
    return {
      ...load,
      throughput: (answeredInTime - answeredBefore) / load.seconds,
      sent: clients.reduce((sum, { sent }) => sum + sent, 0),
      answered: answeredSoFar(),
      reordered: clients.reduce((sum, { reordered }) => sum + reordered, 0),
      latency: {
        p50: latency.percentile(50) / 1000,
        p99: latency.percentile(99) / 1000,
        p999: latency.percentile(99.9) / 1000,
      },
      eventLoopDelay,
      cpu: perFrame(spent),
      memory,
    };
  } finally {
    server.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Processor time for a frame between two readings, in microseconds. */
function perFrame(spent: readonly { cpu: number; answered: number }[]): number {
  const [first, last] = [spent[0], spent.at(-1)];
  if (first === undefined || last === undefined) return NaN;
  return (last.cpu - first.cpu) / (last.answered - first.answered);
}

const COLUMNS = [
  ...['engine', 'sources', 'connections', 'frames a second each', 'frame', 'answered a second'],
  ...['p50, ms', 'p99, ms', 'p99.9, ms', 'loop delay p99, ms'],
  'server CPU, µs a frame',
  ...['memory, MiB', 'lost', 'reordered'],
];

/** The range of some numbers as text. */
function rangeOf(values: readonly number[], digits = 0): string {
  const [least, most] = [Math.min(...values), Math.max(...values)].map((x) => x.toFixed(digits));
  return least === most ? `${least}` : `${least} to ${most}`;
}

/** The row of the table for all runs with the same load. */
function rowOf(results: readonly Result[]): string {
  const [first] = results;
  if (first === undefined) return '';
  const { engine, sources, rate, steps, channels } = first;
  const connections = Math.ceil(sources / first.perConnection);
  const frame = `${steps} x ${channels}${first.noiseStd > 0 ? ', noise' : ''}`;
  const all = (read: (result: Result) => number) => results.map(read);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const cells = [
    ...[engine, sources, connections, rate, frame, rangeOf(all((r) => r.throughput))],
    rangeOf(
      all((r) => r.latency.p50),
      1,
    ),
    rangeOf(all((r) => r.latency.p99)),
    rangeOf(all((r) => r.latency.p999)),
    rangeOf(all((r) => r.eventLoopDelay)),
    rangeOf(
      all((r) => r.cpu),
      1,
    ),
    rangeOf(results.flatMap(({ memory }) => memory)),
    ...[sum(all((r) => r.sent - r.answered)), sum(all((r) => r.reordered))],
  ];
  return `| ${cells.join(' | ')} |`;
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('Expected a number above 0.');
  return value;
}

function notNegative(text: string): number {
  return Number(text) === 0 ? 0 : positive(text);
}

function whole(text: string): number {
  const value = positive(text);
  if (!Number.isInteger(value)) throw new InvalidArgumentError('Expected a whole number above 0.');
  return value;
}

function positives(text: string): number[] {
  return text.split(',').map(positive);
}

async function main(): Promise<void> {
  const command = new Command('npm run load-test --')
    .description('Loads the example server on loopback, and a plain loop in its place.')
    .option('--sources <n>', 'sources in all', whole, 1000)
    .option('--per-connection <n>', 'sources that share a connection', whole, 100)
    .option('--rates <list>', 'frames a second of each source, a run for each', positives, [100])
    .option('--channels <n>', 'channels of a source', whole, 64)
    .option('--steps <n>', 'steps of a frame', whole, 10)
    .option('--noise-std <x>', "the noise's standard deviation after 1 s", notNegative, 0)
    .option('--repeats <n>', 'runs of each kind, in turn; the rows show their ranges', whole, 1)
    .option('--seconds <n>', 'how long each run is measured', positive, 5)
    .option('--engines <list>', "'expsyn', 'loop' or both", 'expsyn,loop')
    .option('--json <file>', 'also write the results there')
    .parse();
  const options = command.opts<{
    sources: number;
    perConnection: number;
    noiseStd: number;
    rates: number[];
    channels: number;
    steps: number;
    seconds: number;
    repeats: number;
    engines: string;
    json?: string;
  }>();
  const { sources, perConnection, channels, steps, noiseStd, seconds } = options;
  const load = { sources, perConnection, channels, steps, noiseStd, seconds };
  console.log(
    `${cpus()[0]?.model ?? '?'}, ${availableParallelism()} cores, node ${process.version}`,
  );
  console.log(`| ${COLUMNS.join(' | ')} |\n|${' --- |'.repeat(COLUMNS.length)}`);
  const results: Result[] = [];
  for (const rate of options.rates) {
    const engines = options.engines.split(',');
    const runs = new Map<string, Result[]>(engines.map((engine) => [engine, []]));
    for (let k = 0; k < options.repeats; k++) {
      for (const [engine, own] of runs) own.push(await measure({ ...load, rate, engine }));
    }
    for (const own of runs.values()) {
      results.push(...own);
      console.log(rowOf(own));
    }
  }
  if (options.json !== undefined) writeFileSync(options.json, JSON.stringify(results, null, 2));
  const isWhole = results.every((r) => r.sent === r.answered && r.reordered === 0);
  if (!isWhole) {
    console.log('Frames were lost or reordered.');
    process.exitCode = 1;
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
