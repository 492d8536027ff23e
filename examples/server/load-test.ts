/**
 * Loads the server on loopback: many sources that send frames at a fixed rate, whether the answers
 * come or not. Latency counts from when a frame was due.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHistogram } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';

import { Command, InvalidArgumentError } from 'commander';
import { WebSocket } from 'ws';

import { headerBytes } from './frames';

const TOKEN = 'load';

interface Load {
  sources: number;
  /** Sources that share a connection. */
  perConnection: number;
  /** Frames a second of each source. */
  rate: number;
  channels: number;
  /** Steps of a frame. */
  steps: number;
  noiseStd: number;
  seconds: number;
  engine: string;
}

interface Result extends Load {
  /** Frames that were answered, a second. */
  throughput: number;
  sent: number;
  answered: number;
  /** Answers that came out of their order. */
  reordered: number;
  /** Milliseconds. */
  latency: { p50: number; p99: number; p999: number };
  /** The server's event-loop delay at its 99th percentile, at worst, in milliseconds. */
  eventLoopDelay: number;
  /** The server's resident memory in MiB, each second. */
  memory: number[];
}

/** A message that has been sent: how it began, and when each of its frames was due. */
interface Sent {
  header: Buffer;
  dueAt: number[];
}

/** A connection and its sources, which counts what it sends and receives in frames. */
class Client {
  readonly socket: WebSocket;
  readonly #load: Load;
  /** Of each source: where in the interval its frames are due, and how many it has sent. */
  readonly #phases: readonly number[];
  readonly #nSent: number[];
  /** The spikes of every frame. */
  readonly #spikes: Buffer;
  /** The most sources of a message, as the server tells. */
  #most = 1;
  /** Resolves when the server has told. */
  readonly welcome: Promise<void>;
  /** Messages without an answer, in their order. */
  readonly #pending: Sent[] = [];
  #nMessages = 0;
  sent = 0;
  answered = 0;
  reordered = 0;

  constructor(
    port: number,
    load: Load,
    phases: readonly number[],
    onAnswer: (milliseconds: number) => void,
  ) {
    const { channels, steps, noiseStd } = load;
    this.#load = load;
    this.#phases = phases;
    this.#nSent = phases.map(() => 0);
    const query = `token=${TOKEN}&sources=${phases.length}&channels=${channels}&noiseStd=${noiseStd}`;
    this.socket = new WebSocket(
      `ws://127.0.0.1:${port}/stream?${query}`,
      // A mask of zeros need not be applied: this end is not what is measured.
      { perMessageDeflate: false, generateMask: () => undefined },
    );
    this.#spikes = Buffer.from(
      Uint8Array.from({ length: steps * channels }, () => (Math.random() < 0.02 ? 1 : 0)),
    );
    this.welcome = new Promise((resolve, reject) => {
      this.socket.once('error', (error) => {
        reject(new Error(`The server does not take ${phases.length} sources: ${error.message}.`));
      });
      this.socket.once('message', (data: Buffer) => {
        const { maxFrameBytes } = JSON.parse(data.toString()) as { maxFrameBytes: number };
        const room = maxFrameBytes - headerBytes(0);
        this.#most = Math.floor(room / (headerBytes(1) - headerBytes(0) + this.#spikes.length));
        if (this.#most >= 1) resolve();
        else reject(new Error(`A frame has more than the ${maxFrameBytes} bytes of a message.`));
      });
    });
    this.welcome.catch(() => undefined);
    this.socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (!isBinary) return;
      const sent = this.#pending.shift();
      if (sent === undefined) {
        this.reordered++;
        return;
      }
      const { header, dueAt } = sent;
      const size = header.length + 4 * this.#spikes.length * dueAt.length;
      const isOther = data.compare(header, 0, header.length, 0, header.length) !== 0;
      if (isOther || data.length !== size) this.reordered += dueAt.length;
      const now = performance.now();
      for (const due of dueAt) onAnswer(now - due);
      this.answered += dueAt.length;
    });
  }

  /** Sends all frames that are due, in messages of one frame a source. */
  send(begin: number, now: number): void {
    const interval = 1000 / this.#load.rate;
    for (;;) {
      const sources: number[] = [];
      const dueAt: number[] = [];
      this.#phases.forEach((phase, source) => {
        const due = begin + ((this.#nSent[source] ?? 0) + phase) * interval;
        if (due > now || sources.length === this.#most) return;
        sources.push(source);
        dueAt.push(due);
      });
      if (sources.length === 0) return;
      this.#sendMessage(sources, dueAt);
    }
  }

  #sendMessage(sources: readonly number[], dueAt: number[]): void {
    const header = Buffer.alloc(headerBytes(sources.length));
    header.writeUInt32LE(this.#nMessages++ % 2 ** 32, 0);
    header.writeUInt32LE(this.#load.steps, 4);
    header.writeUInt32LE(sources.length, 8);
    sources.forEach((source, i) => {
      header.writeUInt32LE(source, headerBytes(i));
      this.#nSent[source] = (this.#nSent[source] ?? 0) + 1;
    });
    this.#pending.push({ header, dueAt });
    this.sent += sources.length;
    this.socket.send(Buffer.concat([header, ...sources.map(() => this.#spikes)]));
  }
}

async function startServer(engine: string, folder: string): Promise<[ChildProcess, number]> {
  const environment = {
    EXPSYN_SERVER_PORT: '0',
    EXPSYN_SERVER_TOKEN: TOKEN,
    EXPSYN_SERVER_FOLDER: folder,
    EXPSYN_SERVER_ENGINE: engine,
    EXPSYN_SERVER_LOG_LEVEL: 'info',
  };
  const child = spawn(process.execPath, ['--import', 'tsx', join(__dirname, 'main.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...environment },
  });
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

/** The numbers of some of the server's metrics. */
async function readMetrics(port: number): Promise<{ delay: number; memory: number }> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const read = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  return {
    delay: read('nodejs_eventloop_lag_p99_seconds') * 1000,
    memory: read('process_resident_memory_bytes') / 2 ** 20,
  };
}

async function measure(load: Load): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'expsyn-load-'));
  const [server, port] = await startServer(load.engine, folder);
  try {
    const latency = createHistogram({ highest: 60_000_000 });
    // In an object, because it changes while others wait.
    const phase = { isMeasured: false };
    const clients: Client[] = [];
    for (let first = 0; first < load.sources; first += load.perConnection) {
      const nSources = Math.min(load.perConnection, load.sources - first);
      // Every source has its own place in the interval.
      const phases = Array.from({ length: nSources }, (_, i) => (first + i) / load.sources);
      const client = new Client(port, load, phases, (milliseconds) => {
        if (phase.isMeasured) latency.record(Math.max(1, Math.round(milliseconds * 1000)));
      });
      clients.push(client);
      // Not all at once, so that none waits too long to be accepted.
      if (clients.length % 50 === 0) await client.welcome;
    }
    await Promise.all(clients.map(({ welcome }) => welcome));
    const memory: number[] = [];
    let eventLoopDelay = 0;
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
    let answeredBefore = 0;
    for (;;) {
      const now = performance.now();
      if (now >= end) break;
      if (!phase.isMeasured && now >= begin + warmUp * 1000) {
        phase.isMeasured = true;
        answeredBefore = clients.reduce((sum, { answered }) => sum + answered, 0);
      }
      for (const client of clients) client.send(begin, now);
      await wait(1);
    }
    const answeredInTime = clients.reduce((sum, { answered }) => sum + answered, 0);
    phase.isMeasured = false;
    const count = () => clients.reduce((sum, { sent, answered }) => sum + sent - answered, 0);
    // As long as answers come: what an overloaded server has accepted is late, not lost.
    for (let before = Infinity; count() > 0 && count() < before;) {
      before = count();
      await wait(2000);
    }
    await watching;
    return {
      ...load,
      throughput: (answeredInTime - answeredBefore) / load.seconds,
      sent: clients.reduce((sum, { sent }) => sum + sent, 0),
      answered: clients.reduce((sum, { answered }) => sum + answered, 0),
      reordered: clients.reduce((sum, { reordered }) => sum + reordered, 0),
      latency: {
        p50: latency.percentile(50) / 1000,
        p99: latency.percentile(99) / 1000,
        p999: latency.percentile(99.9) / 1000,
      },
      eventLoopDelay,
      memory,
    };
  } finally {
    server.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

const COLUMNS = [
  ...['engine', 'sources', 'connections', 'frames a second each', 'frame', 'answered a second'],
  ...['p50, ms', 'p99, ms', 'p99.9, ms', 'loop delay p99, ms'],
  ...['memory, MiB', 'lost', 'reordered'],
];

function rowOf(result: Result): string {
  const { engine, sources, rate, steps, channels, throughput, latency, memory } = result;
  const connections = Math.ceil(sources / result.perConnection);
  const frame = `${steps} x ${channels}${result.noiseStd > 0 ? ', noise' : ''}`;
  const cells = [
    ...[engine, sources, connections, rate, frame, Math.round(throughput)],
    ...[latency.p50, latency.p99, latency.p999, result.eventLoopDelay].map((x) => x.toFixed(1)),
    `${memory[0] ?? NaN} to ${memory.at(-1) ?? NaN}`,
    ...[result.sent - result.answered, result.reordered],
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
    for (const engine of options.engines.split(',')) {
      const result = await measure({ ...load, rate, engine });
      results.push(result);
      console.log(rowOf(result));
    }
  }
  if (options.json !== undefined) writeFileSync(options.json, JSON.stringify(results, null, 2));
  const isWhole = results.every((r) => r.sent === r.answered && r.reordered === 0);
  if (!isWhole) {
    console.log('Frames were lost or reordered.');
    process.exitCode = 1;
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
