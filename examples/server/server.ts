/** The server: routes, authentication, limits, and the end without loss. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import websocket from '@fastify/websocket';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';

import { Budget } from './budget';
import { CLOSE_CODES } from './connection';
import { ExpSynEngine, LoopEngine } from './engine';
import { isBadInput, isOverload } from './errors';
import { addEvolve } from './evolve';
import { Gatherer } from './gatherer';
import { Guard, pagePolicy, SECURITY_HEADERS } from './guard';
import { Metrics } from './metrics';
import type { Settings } from './settings';
import { Sockets } from './sockets';
import { Store } from './store';
import { Streams } from './stream';

const PUBLIC = join(__dirname, 'public');
const SCRIPT = 'text/javascript; charset=utf-8';
const PAGES = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/page.css': ['page.css', 'text/css; charset=utf-8'],
  '/page.js': ['page.js', SCRIPT],
  '/client.js': ['client.js', SCRIPT],
  '/history.js': ['history.js', SCRIPT],
  '/pictures.js': ['pictures.js', SCRIPT],
} as const;

/** How often clients are looked for that stall, in milliseconds, at most. */
const CUT_MS = 1000;

export interface Server {
  app: FastifyInstance;
  /** Answers what has been accepted, saves every session, and ends; rejects where one is not saved. */
  shutDown: () => Promise<void>;
}

export async function createServer(settings: Settings): Promise<Server> {
  const sockets = new Sockets(settings);
  const app = fastify({
    bodyLimit: settings.maxFrameBytes,
    serverFactory: (handler) => httpServer(settings, sockets, handler),
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
  const budget = new Budget(settings.maxTotalBytes);
  const store: Store = new Store(settings, (id) => streams.isOpen(id));
  let isDraining = false;
  const authenticate = authentication(settings.token, metrics, sockets);
  const parts = {
    ...{ settings, engine, gatherer, metrics, budget, sockets, store, authenticate },
    isDraining: () => isDraining,
  };
  const streams: Streams = new Streams(parts);
  metrics.watch(
    'held_bytes',
    'Frames, bodies and unread answers of all clients',
    () => budget.used,
  );
  metrics.watch('http_connections', 'Connections that are no WebSockets', () => sockets.size);
  metrics.watch('saved_sessions', 'Sessions that are saved', () => store.saved.sessions);
  metrics.watch('saved_bytes', 'Bytes of the saved sessions', () => store.saved.bytes);

  await app.register(websocket, {
    // Connection answers pings.
    options: { maxPayload: settings.maxFrameBytes, perMessageDeflate: false, autoPong: false },
    errorHandler: (error, socket, request) => {
      request.log.error(error);
      socket.close(CLOSE_CODES.failure);
    },
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/octet-stream',
    { parseAs: 'buffer' },
    (_request, body, done) => done(null, body),
  );
  addChecks(app, new Guard(settings), metrics, sockets);
  addErrors(app, metrics);
  addPages(app);
  app.get('/healthz', async (_request, reply) =>
    reply.code(isDraining ? 503 : 200).send({ status: isDraining ? 'draining' : 'ok' }),
  );
  app.get('/metrics', async (_request, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );
  addEvolve(app, parts);
  streams.add(app);

  const saving = setInterval(() => {
    streams.save().catch((error: unknown) => {
      app.log.error(error);
    });
  }, settings.saveSeconds * 1000).unref();
  const removing = setInterval(() => void store.removeOld(), 3600_000).unref();
  const cutting = setInterval(
    () => streams.cutStalled(),
    Math.min(CUT_MS, Math.max(10, Math.min(settings.answerSeconds, settings.bodySeconds) * 250)),
  ).unref();
  await store.prepare();

  return {
    app,
    shutDown: async () => {
      isDraining = true;
      for (const timer of [saving, removing]) clearInterval(timer);
      const nLost = await streams.shutDown();
      // What is half sent by HTTP is not waited for any longer than a client's reading.
      await Promise.race([
        app.close(),
        wait(settings.drainSeconds * 1000, undefined, { ref: false }),
      ]);
      clearInterval(cutting);
      sockets.close();
      if (nLost > 0) throw new Error(`Expected to save every session but ${nLost} could not be.`);
    },
  };
}

/** A server for each address that is listened at. */
function httpServer(
  settings: Settings,
  sockets: Sockets,
  handler: (request: IncomingMessage, response: ServerResponse) => void,
) {
  const { headerSeconds, bodySeconds, maxConnections, maxHttpConnections } = settings;
  const requestTimeout = bodySeconds * 1000;
  const keepAliveTimeout = headerSeconds * 1000;
  const headersTimeout = Math.min(keepAliveTimeout, requestTimeout);
  const server = createHttpServer({
    ...{ headersTimeout, requestTimeout, keepAliveTimeout },
    connectionsCheckingInterval: Math.max(10, Math.min(1000, headersTimeout / 4)),
  });
  // Nothing is promised to a client before its token is known.
  for (const event of ['request', 'checkContinue']) server.on(event, handler);
  // WebSockets, the others, and as many that are about to be closed.
  server.maxConnections = maxConnections + 2 * maxHttpConnections;
  sockets.attach(server);
  return server;
}

/** Lets a request through that shows the token; answers 401 otherwise. */
function authentication(token: string, metrics: Metrics, sockets: Sockets) {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const expected = digest(token);
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const { authorization = '' } = request.headers;
    const [, bearer] = /^bearer (.*)$/i.exec(authorization) ?? [];
    // A query may give a name twice.
    const shown: unknown = bearer ?? (request.query as Record<string, unknown>)['token'];
    if (typeof shown === 'string' && timingSafeEqual(digest(shown), expected)) {
      sockets.authorise(request.raw.socket);
      return;
    }
    metrics.refusals.inc();
    void reply.header('www-authenticate', 'Bearer');
    await reply.code(401).send({ error: 'Expected the token, as a bearer or in the query.' });
  };
}

/** What every request goes through before its route, and every answer before it is written. */
function addChecks(app: FastifyInstance, guard: Guard, metrics: Metrics, sockets: Sockets): void {
  app.addHook('onRequest', async (request, reply) => {
    if (!sockets.begin(request.raw, reply.raw)) {
      request.raw.socket.destroy();
      return reply.hijack();
    }
    const refusal = guard.refuse(request.raw);
    if (refusal !== undefined) {
      metrics.refusals.inc();
      return reply.code(403).send({ error: refusal });
    }
    const { url = '' } = request.routeOptions;
    // Before a body is read. fastify's own answer, and its line in the log, would show the query.
    if (request.is404) return reply.code(404).send({ error: 'Not found.' });
    if (request.ws && url !== '/stream') {
      return reply.code(400).send({ error: `Expected no WebSocket at ${url}.` });
    }
    return undefined;
  });
  app.addHook('onSend', async (request, reply, payload) => {
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) {
      if (!reply.hasHeader(name)) void reply.header(name, value);
    }
    const { raw } = request;
    if (hasMore(raw) || request.ws) {
      // Node would resume what is paused, to read and drop the rest of the body.
      void reply.header('connection', 'close');
      raw.pause();
      raw.resume = () => raw;
    }
    sockets.answer(raw.socket, reply.raw);
    return payload;
  });
}

/** Whether a request has a body that has not come whole. */
function hasMore({ headers, complete }: IncomingMessage): boolean {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = headers;
  return (length !== '0' || encoding !== undefined) && !complete;
}

function addErrors(app: FastifyInstance, metrics: Metrics): void {
  app.setErrorHandler(async (error, request, reply) => {
    const { statusCode, message } = error as { statusCode?: number; message: string };
    metrics.refusals.inc();
    if (isOverload(error)) {
      return reply.code(503).header('retry-after', '1').send({ error: message });
    }
    // What clients have sent is refused by the package's errors, or by ours and fastify's with a status.
    const status = statusCode ?? (isBadInput(error) ? 400 : 500);
    if (status >= 500) request.log.error(error);
    if (status === 503) void reply.header('retry-after', '1');
    const isTold = status < 500 || status === 503;
    return reply.code(status).send({ error: isTold ? message : 'Failed.' });
  });
  app.setNotFoundHandler(async (_request, reply) => reply.code(404).send({ error: 'Not found.' }));
}

function addPages(app: FastifyInstance): void {
  for (const [path, [file, type]] of Object.entries(PAGES)) {
    const content = readFileSync(join(PUBLIC, file));
    app.get(path, async (request, reply) =>
      reply
        .header('content-security-policy', pagePolicy(request.headers.host ?? ''))
        .type(type)
        .send(content),
    );
  }
}
