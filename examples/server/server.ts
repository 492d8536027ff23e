/** The server: routes, authentication, limits, and the end without loss. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import websocket from '@fastify/websocket';
import { OverloadError } from 'expsyn';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';

import { CLOSE_CODES, Connection } from './connection';
import { ExpSynEngine, LoopEngine, type Source } from './engine';
import { Gatherer } from './gatherer';
import { Metrics } from './metrics';
import { queryParameters, querySources, restoreParameters } from './parameters';
import type { Settings } from './settings';
import { DamagedSessionError, Store } from './store';

const PUBLIC = join(__dirname, 'public');
const PAGES = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/page.js': ['page.js', 'text/javascript; charset=utf-8'],
} as const;

/** For health, metrics and refusals while all WebSockets are taken. */
const SPARE_CONNECTIONS = 256;

export interface Server {
  app: FastifyInstance;
  /** Answers what has been accepted, saves every session, and ends; rejects where one is not saved. */
  shutDown: () => Promise<void>;
}

type Query = Record<string, string | undefined>;

export async function createServer(settings: Settings): Promise<Server> {
  const app = fastify({
    bodyLimit: settings.maxFrameBytes,
    // Whoever sends a request by the byte does not hold its memory for ever.
    requestTimeout: Math.max(1000, settings.idleSeconds * 1000),
    forceCloseConnections: 'idle',
    logger: {
      level: settings.logLevel,
      serializers: {
        // Without the query, which may hold the token.
        req: ({ method, url, id }) => ({ method, url: url.split('?')[0] ?? '', id }),
      },
    },
  });
  const engine = settings.engine === 'loop' ? new LoopEngine() : new ExpSynEngine();
  const metrics = new Metrics();
  const gatherer = new Gatherer(engine, (nFrames) => metrics.gathered.observe(nFrames));
  const store = new Store(settings.folder, settings.keepSeconds);
  // Those that show no token are counted nowhere else.
  app.server.maxConnections = settings.maxConnections + SPARE_CONNECTIONS;
  const connections = new Map<string, Connection>();
  /** Connections that are being opened, or are open, or are being saved. */
  let nConnections = 0;
  let isDraining = false;

  const digest = (text: string) => createHash('sha256').update(text).digest();
  const expected = digest(settings.token);
  const authenticate = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const { authorization = '' } = request.headers;
    const [, bearer] = /^bearer (.*)$/i.exec(authorization) ?? [];
    // A query may give a name twice.
    const shown: unknown = bearer ?? (request.query as Query)['token'];
    if (typeof shown === 'string' && timingSafeEqual(digest(shown), expected)) return;
    metrics.refusals.inc();
    await reply.code(401).send({ error: 'Expected the token, as a bearer or in the query.' });
  };

  await app.register(websocket, {
    options: { maxPayload: settings.maxFrameBytes, perMessageDeflate: false },
    errorHandler: (error, socket, request) => {
      request.log.error(error);
      socket.close(CLOSE_CODES.failure);
    },
  });
  app.addContentTypeParser(
    'application/octet-stream',
    { parseAs: 'buffer' },
    (_request, body, done) => done(null, body),
  );
  app.setErrorHandler(async (error, request, reply) => {
    const { statusCode, message } = error as { statusCode?: number; message: string };
    metrics.refusals.inc();
    if (error instanceof OverloadError) {
      return reply.code(503).header('retry-after', '1').send({ error: message });
    }
    // Ours for what a client has sent have no status, fastify's have.
    const status = statusCode ?? (error instanceof RangeError ? 400 : 500);
    if (status >= 500) request.log.error(error);
    return reply.code(status).send({ error: status < 500 ? message : 'Failed.' });
  });

  // fastify's own answer, and its line in the log, would show the query.
  app.setNotFoundHandler(async (_request, reply) => reply.code(404).send({ error: 'Not found.' }));

  for (const [path, [file, type]] of Object.entries(PAGES)) {
    const content = readFileSync(join(PUBLIC, file));
    app.get(path, async (_request, reply) =>
      reply
        .header(
          'content-security-policy',
          "default-src 'self'; style-src 'unsafe-inline'; img-src data:; connect-src 'self' ws: wss:",
        )
        .type(type)
        .send(content),
    );
  }
  app.get('/healthz', async (_request, reply) =>
    reply.code(isDraining ? 503 : 200).send({ status: isDraining ? 'draining' : 'ok' }),
  );
  app.get('/metrics', async (_request, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );

  /** One run from silence: T * N bytes in the body, T * N float32 in the answer. */
  app.post('/evolve', { onRequest: authenticate }, async (request, reply) => {
    const { body } = request;
    if (!(body instanceof Buffer)) throw new RangeError('Expected spikes as octet-stream.');
    const parameters = queryParameters(request.query as Query, settings.maxChannels);
    const steps = body.length / parameters.channels;
    if (!Number.isInteger(steps) || steps === 0) {
      throw new RangeError(
        `Expected at least one step of ${parameters.channels} bytes but received ${body.length} bytes.`,
      );
    }
    const source = engine.open(parameters);
    try {
      const currents = await new Promise<Float32Array>((resolve, reject) => {
        const settle = (error: Error | undefined, result: Float32Array) =>
          error === undefined ? resolve(result.slice()) : reject(error);
        gatherer.add({ sources: [source], steps, spikes: body, settle });
      });
      metrics.frames.inc();
      metrics.samples.inc(currents.length);
      return await reply.type('application/octet-stream').send(Buffer.from(currents.buffer));
    } finally {
      source.close();
    }
  });

  /** As many sources of so many channels as a connection may have. */
  const mostSources = (channels: number): number =>
    Math.min(settings.maxSources, Math.floor(settings.maxChannels / channels));
  const restore = (saved: { parameters?: unknown; sources?: unknown }): Source[] => {
    const parameters = restoreParameters(saved.parameters, settings.maxChannels);
    const most = mostSources(parameters.channels);
    const { sources } = saved;
    if (!Array.isArray(sources) || sources.length === 0 || sources.length > most) {
      throw new RangeError(`Expected 1 to ${most} sources in a saved session.`);
    }
    return openAll(sources as unknown[], (source) => engine.restore(parameters, source));
  };

  const openSources = async (query: Query): Promise<{ id: string; sources: readonly Source[] }> => {
    const { session } = query;
    if (session === undefined) {
      const parameters = queryParameters(query, settings.maxChannels);
      const nSources = querySources(query, mostSources(parameters.channels));
      const all = new Array<undefined>(nSources).fill(undefined);
      return { id: Store.newId(), sources: openAll(all, () => engine.open(parameters)) };
    }
    if (!Store.isId(session)) throw new RangeError('Expected the id of a session.');
    // A client that comes back before it was missed.
    const handedOver = await connections.get(session)?.handOver();
    if (handedOver !== undefined) return { id: session, sources: handedOver };
    try {
      const saved = await store.load(session);
      if (saved !== undefined) return { id: session, sources: restore(saved) };
    } catch (error) {
      app.log.error(error, 'session not restored');
      const isDamaged = error instanceof DamagedSessionError || error instanceof RangeError;
      const message = isDamaged
        ? 'Expected a session that can be restored but what was saved is damaged.'
        : 'Expected to read the saved session but that failed; try again later.';
      throw Object.assign(new Error(message, { cause: error }), {
        statusCode: isDamaged ? 410 : 503,
      });
    }
    throw new RangeError('Expected the id of a session that was saved.');
  };

  interface Opened {
    id: string;
    sources: readonly Source[];
    /** Whether a connection has it. */
    isTaken: boolean;
  }
  const opened = new WeakMap<FastifyRequest, Opened>();
  /** Sessions that somebody is coming back to at this moment. */
  const opening = new Map<string, FastifyRequest>();
  /** Another request may be coming back to it by now. */
  const leaveOpening = (session: string, request: FastifyRequest): void => {
    if (opening.get(session) === request) opening.delete(session);
  };
  const open = async (request: FastifyRequest): Promise<void> => {
    const query = request.query as Query;
    const { session = '' } = query;
    if (opening.has(session)) {
      throw new RangeError('Expected a session that nobody else is coming back to.');
    }
    nConnections++;
    if (session !== '') opening.set(session, request);
    try {
      const found: Opened = { ...(await openSources(query)), isTaken: false };
      opened.set(request, found);
      const release = () => {
        leaveOpening(session, request);
        if (found.isTaken) return;
        // The client has gone before it was a WebSocket.
        nConnections--;
        for (const source of found.sources) source.close();
      };
      if (request.raw.socket.destroyed) release();
      else request.raw.socket.once('close', release);
    } catch (error) {
      nConnections--;
      leaveOpening(session, request);
      throw error;
    }
  };
  app.get(
    '/stream',
    {
      websocket: true,
      onRequest: authenticate,
      preValidation: [
        async (request, reply) => {
          if (!request.ws) {
            await reply.code(426).send({ error: 'Expected a WebSocket.' });
            return;
          }
          // Whoever comes back to an open session takes its place.
          const { session = '' } = request.query as Query;
          const isFull = nConnections >= settings.maxConnections && !connections.has(session);
          if (isDraining || isFull) {
            metrics.refusals.inc();
            await reply
              .code(503)
              .header('retry-after', '1')
              .send({ error: 'Expected room for a connection; try again later.' });
            return;
          }
          await open(request);
        },
      ],
    },
    (socket, request) => {
      const found = opened.get(request);
      if (found === undefined) throw new Error('Expected an opened session.');
      const { id, sources } = found;
      found.isTaken = true;
      leaveOpening(id, request);
      const log = request.log.child({ session: id });
      const connection = new Connection({
        ...{ id, socket, sources, settings, gatherer, store, metrics, log },
        countBytes: () => request.raw.socket.bytesRead,
      });
      connections.set(id, connection);
      metrics.connections.inc();
      void connection.ended.then(() => {
        nConnections--;
        metrics.connections.dec();
        if (connections.get(id) === connection) connections.delete(id);
      });
      connection.welcome();
      if (isDraining) void connection.close(CLOSE_CODES.shutdown, 'shutdown');
    },
  );

  const saving = setInterval(() => {
    void (async () => {
      // One after the other: saving is no hurry, and frames are.
      for (const connection of connections.values()) await connection.save();
    })().catch((error: unknown) => {
      app.log.error(error);
    });
  }, settings.saveSeconds * 1000).unref();
  const removing = setInterval(() => void store.removeOld(), 3600_000).unref();
  await store.prepare();

  return {
    app,
    shutDown: async () => {
      isDraining = true;
      clearInterval(saving);
      clearInterval(removing);
      const areSaved = await Promise.all(
        [...connections.values()].map((open) => open.close(CLOSE_CODES.shutdown, 'shutdown')),
      );
      // What is half sent by HTTP is not waited for any longer than a client's reading.
      await Promise.race([
        app.close(),
        wait(settings.drainSeconds * 1000, undefined, { ref: false }),
      ]);
      const nLost = areSaved.filter((isSaved) => !isSaved).length;
      if (nLost > 0) throw new Error(`Expected to save every session but ${nLost} could not be.`);
    },
  };
}

/** A source for each item; none stays open when one of them cannot be opened. */
function openAll<Item>(items: readonly Item[], open: (item: Item) => Source): Source[] {
  const sources: Source[] = [];
  try {
    for (const item of items) sources.push(open(item));
    return sources;
  } catch (error) {
    for (const source of sources) source.close();
    throw error;
  }
}
