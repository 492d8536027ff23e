/** The metrics that Prometheus reads. */
import { stats } from 'expsyn';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

export class Metrics {
  readonly registry = new Registry();
  readonly connections = this.#gauge('connections', 'Open connections');
  readonly frames = this.#counter('frames_total', 'Frames answered with their currents');
  readonly refusals = this.#counter('refusals_total', 'Messages and connections that were refused');
  readonly cut = this.#counter('cut_total', 'Connections ended because the client stalled');
  readonly saveFailures = this.#counter('save_failures_total', 'Sessions that were not saved');
  readonly samples = this.#counter('samples_total', 'Currents computed for frames');
  readonly messageSeconds = new Histogram({
    name: 'expsyn_server_message_seconds',
    help: 'From the arrival of a message of frames until its currents were handed to the socket',
    buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5],
    registers: [this.registry],
  });
  readonly batchFrames = new Histogram({
    name: 'expsyn_server_batch_frames',
    help: 'Frames that were computed in one call',
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000],
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    new Gauge({
      name: 'expsyn_pending_calls',
      help: "The package's calls that have not settled",
      labelNames: ['state'],
      registers: [this.registry],
      collect() {
        const { queued, running } = stats();
        this.set({ state: 'queued' }, queued);
        this.set({ state: 'running' }, running);
      },
    });
    new Gauge({
      name: 'expsyn_bytes',
      help: 'Bytes of pending calls, and of kernels, spectra and sessions',
      labelNames: ['kind'],
      registers: [this.registry],
      collect() {
        const now = stats();
        this.set({ kind: 'pending' }, now.bytes);
        this.set({ kind: 'kernels' }, now.memory);
      },
    });
    new Gauge({
      name: 'expsyn_settled_calls',
      help: "The package's calls that have settled since the process began",
      labelNames: ['outcome'],
      registers: [this.registry],
      collect() {
        const { done, failed, aborted, rejected } = stats();
        for (const [outcome, count] of Object.entries({ done, failed, aborted, rejected })) {
          this.set({ outcome }, count);
        }
      },
    });
  }

  /** Adds a metric whose value is read whenever the metrics are. */
  watch(name: string, help: string, read: () => number): void {
    new Gauge({
      name: `expsyn_server_${name}`,
      help,
      registers: [this.registry],
      collect() {
        this.set(read());
      },
    });
  }

  #gauge(name: string, help: string): Gauge {
    return new Gauge({ name: `expsyn_server_${name}`, help, registers: [this.registry] });
  }

  #counter(name: string, help: string): Counter {
    return new Counter({ name: `expsyn_server_${name}`, help, registers: [this.registry] });
  }
}
