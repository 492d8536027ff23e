/** POST /evolve: one run from silence, its spikes in the body and its currents in the answer. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

import type { Parameters } from './engine';
import { InputError } from './errors';
import { queryParameters } from './parameters';
import type { ServerParts } from './parts';

/** What a byte of spikes holds: itself, and a float32 of the answer. */
const HELD_PER_BYTE = 1 + Float32Array.BYTES_PER_ELEMENT;

/** A request that has been let in, and what it holds of the budget. */
interface Admitted {
  parameters: Parameters;
  held: number;
  /** Settles when the run is over. */
  end: () => void;
}

export function addEvolve(app: FastifyInstance, parts: ServerParts): void {
  const { settings, engine, gatherer, metrics, budget, sockets } = parts;
  const admitted = new WeakMap<FastifyRequest, Admitted>();

  /** Before the body is read. */
  const admit = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const parameters = queryParameters(
      request.query as Record<string, unknown>,
      settings.maxChannels,
    );
    // A body of unknown length may be the longest.
    const { 'content-length': length = Infinity, expect } = request.headers;
    const held = Math.min(Number(length), settings.maxFrameBytes) * HELD_PER_BYTE;
    if (parts.isDraining() || !budget.take(held)) {
      metrics.refusals.inc();
      const error = 'Expected room for the body and its answer; try again later.';
      await reply.code(503).header('retry-after', '1').send({ error });
      return;
    }
    const run = new Promise<void>((resolve) => {
      admitted.set(request, { parameters, held, end: resolve });
    });
    // Until nobody uses the body, nor the answer.
    const answered = new Promise<void>((resolve) => {
      sockets.whenAnswered(request.raw.socket, reply.raw, () => {
        // A body that has not come will start no run.
        if (request.body === undefined) admitted.get(request)?.end();
        resolve();
      });
    });
    void Promise.all([run, answered]).then(() => {
      budget.release(admitted.get(request)?.held ?? 0);
    });
    if (expect !== undefined) reply.raw.writeContinue();
  };

  app.post(
    '/evolve',
    { onRequest: [parts.authenticate, admit] },
    async (request, reply): Promise<Buffer> => {
      const entry = admitted.get(request);
      if (entry === undefined) throw new Error('Expected an admitted request.');
      try {
        const { body } = request;
        const { parameters } = entry;
        if (!(body instanceof Buffer)) throw new InputError('Expected spikes as octet-stream.');
        budget.release(entry.held - body.length * HELD_PER_BYTE);
        entry.held = body.length * HELD_PER_BYTE;
        const steps = body.length / parameters.channels;
        if (!Number.isInteger(steps) || steps === 0) {
          throw new InputError(
            `Expected at least one step of ${parameters.channels} bytes but received ${body.length} bytes.`,
          );
        }
        const currents = await run(parameters, steps, body);
        metrics.frames.inc();
        metrics.samples.inc(currents.length);
        void reply.type('application/octet-stream');
        return Buffer.from(currents.buffer, currents.byteOffset, currents.byteLength);
      } finally {
        entry.end();
      }
    },
  );

  async function run(parameters: Parameters, steps: number, spikes: Buffer): Promise<Float32Array> {
    const source = engine.open(parameters);
    try {
      return await new Promise((resolve, reject) => {
        const settle = (error: Error | undefined, result: Float32Array) =>
          error === undefined ? resolve(result.slice()) : reject(error);
        gatherer.add({ sources: [source], steps, spikes, settle });
      });
    } finally {
      source.close();
    }
  }
}
