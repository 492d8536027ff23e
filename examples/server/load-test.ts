/**
 * Loads the server on loopback: many sources that send frames at a fixed rate, whether the answers
 * come or not. Latency counts from when a frame was due.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHistogram } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';

import { Command, InvalidArgumentError } from 'commander';
import { WebSocket } from 'ws';

import { HEADER_BYTES } from './frames';

const TOKEN = 'load';

interface Load {
  connections: number;
  /** Frames a second of each connection. */
  rate: number;
  channels: number;
  /** Steps of a frame. */
  steps: number;
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

/** One source, which counts what it sends and receives. */
class SourceClient {
  readonly socket: WebSocket;
  readonly #message: Buffer;
  readonly #dueAt = new Float64Array(1 << 16);
  sent = 0;
  answered = 0;
  reordered = 0;

  constructor(port: number, load: Load, onAnswer: (milliseconds: number) => void) {
    const { channels, steps } = load;
    this.socket = new WebSocket(
      `ws://127.0.0.1:${port}/stream?token=${TOKEN}&channels=${channels}`,
      // A mask of zeros need not be applied: this end is not what is measured.
      { perMessageDeflate: false, generateMask: () => undefined },
    );
    this.#message = Buffer.alloc(HEADER_BYTES + steps * channels);
    for (let i = HEADER_BYTES; i < this.#message.length; i++) {
      this.#message[i] = Math.random() < 0.02 ? 1 : 0;
    }
    this.#message.writeUInt32LE(steps, 4);
    this.socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (!isBinary) return;
      if (data.readUInt32LE(0) !== this.answered) this.reordered++;
      onAnswer(performance.now() - (this.#dueAt[this.answered % this.#dueAt.length] ?? 0));
      this.answered++;
    });
  }

  send(dueAt: number): void {
    this.#dueAt[this.sent % this.#dueAt.length] = dueAt;
    this.#message.writeUInt32LE(this.sent, 0);
    this.sent++;
    this.socket.send(this.#message);
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
    const clients: SourceClient[] = [];
    for (let i = 0; i < load.connections; i++) {
      const client = new SourceClient(port, load, (milliseconds) => {
        if (phase.isMeasured) latency.record(Math.max(1, Math.round(milliseconds * 1000)));
      });
      clients.push(client);
      // Not all at once, so that none waits too long to be accepted.
      if (i % 50 === 49) await once(client.socket, 'open');
    }
    for (const { socket } of clients) {
      if (socket.readyState !== WebSocket.OPEN) await once(socket, 'open');
    }
    const memory: number[] = [];
    let eventLoopDelay = 0;
    const begin = performance.now();
    const warmUp = Math.min(2, load.seconds / 4);
    const end = begin + (warmUp + load.seconds) * 1000;
    const interval = 1000 / load.rate;
    const watching = (async () => {
      while (performance.now() < end) {
        await wait(1000);
        const now = await readMetrics(port);
        memory.push(Math.round(now.memory));
        if (phase.isMeasured) eventLoopDelay = Math.max(eventLoopDelay, now.delay);
      }
    })();
    let answeredBefore = 0;
    // Every client has its own place in the interval.
    for (;;) {
      const now = performance.now();
      if (now >= end) break;
      if (!phase.isMeasured && now >= begin + warmUp * 1000) {
        phase.isMeasured = true;
        answeredBefore = clients.reduce((sum, { answered }) => sum + answered, 0);
      }
      clients.forEach((client, i) => {
        for (;;) {
          const dueAt = begin + (client.sent + i / load.connections) * interval;
          if (dueAt > now) break;
          client.send(dueAt);
        }
      });
      await wait(1);
    }
    const answeredInTime = clients.reduce((sum, { answered }) => sum + answered, 0);
    phase.isMeasured = false;
    const count = () => clients.reduce((sum, { sent, answered }) => sum + sent - answered, 0);
    for (let i = 0; i < 100 && count() > 0; i++) await wait(100);
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
  ...['engine', 'sources', 'frames a second each', 'frame', 'answered a second'],
  ...['p50, ms', 'p99, ms', 'p99.9, ms', 'loop delay p99, ms'],
  ...['memory, MiB', 'lost', 'reordered'],
];

function rowOf(result: Result): string {
  const { engine, connections, rate, steps, channels, throughput, latency, memory } = result;
  const cells = [
    ...[engine, connections, rate, `${steps} x ${channels}`, Math.round(throughput)],
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

function positives(text: string): number[] {
  return text.split(',').map(positive);
}

async function main(): Promise<void> {
  const command = new Command('npm run load-test --')
    .description('Loads the example server on loopback, and a plain loop in its place.')
    .option('--connections <n>', 'sources, a connection each', positive, 200)
    .option('--rates <list>', 'frames a second of each source, a run for each', positives, [50])
    .option('--channels <n>', 'channels of a source', positive, 64)
    .option('--steps <n>', 'steps of a frame', positive, 10)
    .option('--seconds <n>', 'how long each run is measured', positive, 5)
    .option('--engines <list>', "'expsyn', 'loop' or both", 'expsyn,loop')
    .option('--json <file>', 'also write the results there')
    .parse();
  const options = command.opts<{
    connections: number;
    rates: number[];
    channels: number;
    steps: number;
    seconds: number;
    engines: string;
    json?: string;
  }>();
  const { connections, channels, steps, seconds } = options;
  console.log(
    `${cpus()[0]?.model ?? '?'}, ${availableParallelism()} cores, node ${process.version}`,
  );
  console.log(`| ${COLUMNS.join(' | ')} |\n|${' --- |'.repeat(COLUMNS.length)}`);
  const results: Result[] = [];
  for (const rate of options.rates) {
    for (const engine of options.engines.split(',')) {
      const result = await measure({ connections, rate, channels, steps, seconds, engine });
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
