/** POST /evolve: computes one run from silence. The body has its spikes, the answer its currents. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

import { InputError } from '../errors';
import type { Services } from '../services';
import type { Parameters } from '../simulation/engine';
import { queryParameters } from '../simulation/parameters';

/** Bytes in memory for each byte of the body: itself, and a float32 of the answer. */
const BYTES_PER_SPIKE = 1 + Float32Array.BYTES_PER_ELEMENT;

/** A request for which there was room, and the bytes that it holds of the budget. */
interface Accepted {
  parameters: Parameters;
  held: number;
  /** To be called when the run is over. */
  end: () => void;
}

export function addEvolveRoute(app: FastifyInstance, services: Services): void {
  const { settings, engine, batcher, metrics, budget, httpConnections } = services;
  const accepted = new WeakMap<FastifyRequest, Accepted>();

  /** Reserves room for the body and the answer, before the body is read. */
  const accept = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const parameters = queryParameters(
      request.query as Record<string, unknown>,
      settings.maxChannels,
    );
    // A body of unknown length may be as long as the limit.
    const { 'content-length': length = Infinity, expect } = request.headers;
    const held = Math.min(Number(length), settings.maxFrameBytes) * BYTES_PER_SPIKE;
    if (services.isShuttingDown() || !budget.tryAdd(held)) {
      metrics.refusals.inc();
      const error = 'Expected room for the body and its answer; try again later.';
      await reply.code(503).header('retry-after', '1').send({ error });
      return;
    }
    const run = new Promise<void>((resolve) => {
      accepted.set(request, { parameters, held, end: resolve });
    });
    // The bytes are held until neither the run nor the client needs them.
    const answered = new Promise<void>((resolve) => {
      httpConnections.whenAnswered(request.raw.socket, reply.raw, () => {
        // Without a body, no run begins.
        if (request.body === undefined) accepted.get(request)?.end();
        resolve();
      });
    });
    void Promise.all([run, answered]).then(() => {
      budget.release(accepted.get(request)?.held ?? 0);
    });
    if (expect !== undefined) reply.raw.writeContinue();
  };

  app.post(
    '/evolve',
    { onRequest: [services.authenticate, accept] },
    async (request, reply): Promise<Buffer> => {
      const entry = accepted.get(request);
      if (entry === undefined) throw new Error('Expected a request that was accepted.');
      try {
        const { body } = request;
        const { parameters } = entry;
        if (!(body instanceof Buffer)) throw new InputError('Expected spikes as octet-stream.');
        budget.release(entry.held - body.length * BYTES_PER_SPIKE);
        entry.held = body.length * BYTES_PER_SPIKE;
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
        batcher.add({ sources: [source], steps, spikes, settle });
      });
    } finally {
      source.close();
    }
  }
}
