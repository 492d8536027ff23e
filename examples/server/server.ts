/** Puts the server together: its services, its routes, its timers, and its end without loss. */
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';

import websocket from '@fastify/websocket';
import fastify, { type FastifyInstance } from 'fastify';

import { ByteBudget } from './byte-budget';
import { authentication } from './http/authentication';
import { BrowserRules } from './http/browser-rules';
import { addEvolveRoute } from './http/evolve-route';
import { HttpConnections } from './http/http-connections';
import { addPageRoutes } from './http/page-routes';
import { addErrorHandlers, addRequestHooks } from './http/request-hooks';
import { Metrics } from './metrics';
import type { Services } from './services';
import { SessionStore } from './sessions/session-store';
import { Sessions } from './sessions/sessions';
import type { Settings } from './settings';
import { Batcher } from './simulation/batcher';
import { ExpSynEngine } from './simulation/expsyn-engine';
import { LoopEngine } from './simulation/loop-engine';
import { CLOSE_CODES } from './stream/close-codes';
import { StreamRoute } from './stream/stream-route';

/** The longest time between two searches for clients that stall, in milliseconds. */
const STALL_CHECK_MS = 1000;

export interface Server {
  app: FastifyInstance;
  /** Answers every accepted frame, saves every session, and ends. Rejects if a session could not be saved. */
  shutDown: () => Promise<void>;
}

export async function createServer(settings: Settings): Promise<Server> {
  const httpConnections = new HttpConnections(settings);
  const app = fastify({
    bodyLimit: settings.maxFrameBytes,
    serverFactory: (handler) => httpServer(settings, httpConnections, handler),
    forceCloseConnections: 'idle',
    logger: {
      level: settings.logLevel,
      serializers: {
        // Without the query, which may contain the token.
        req: ({ method, url, id }) => ({ method, url: url.split('?')[0] ?? '', id }),
      },
    },
  });
  const engine = settings.engine === 'loop' ? new LoopEngine() : new ExpSynEngine();
  const metrics = new Metrics();
  const budget = new ByteBudget(settings.maxTotalBytes);
  const store: SessionStore = new SessionStore(settings, (id) => stream.isOpen(id));
  let isShuttingDown = false;
  const services: Services = {
    ...{ settings, engine, metrics, budget, httpConnections },
    batcher: new Batcher(engine, (nFrames) => metrics.batchFrames.observe(nFrames)),
    sessions: new Sessions(engine, store, settings),
    authenticate: authentication(settings.token, metrics, httpConnections),
    isShuttingDown: () => isShuttingDown,
  };
  const stream: StreamRoute = new StreamRoute(services);
  metrics.watch(
    'held_bytes',
    'Frames, bodies and unread answers of all clients',
    () => budget.used,
  );
  metrics.watch(
    'http_connections',
    'Connections that are not WebSockets',
    () => httpConnections.size,
  );
  metrics.watch('saved_sessions', 'Saved sessions', () => store.saved.sessions);
  metrics.watch('saved_bytes', 'Bytes of the saved sessions', () => store.saved.bytes);

  await app.register(websocket, {
    // Pings are answered in Connection, which counts their answers.
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
  addRequestHooks(app, new BrowserRules(settings), metrics, httpConnections);
  addErrorHandlers(app, metrics);
  addPageRoutes(app);
  app.get('/healthz', async (_request, reply) =>
    reply.code(isShuttingDown ? 503 : 200).send({ status: isShuttingDown ? 'draining' : 'ok' }),
  );
  app.get('/metrics', async (_request, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );
  addEvolveRoute(app, services);
  stream.addTo(app);

  const saving = setInterval(() => {
    stream.connections.save().catch((error: unknown) => {
      app.log.error(error);
    });
  }, settings.saveSeconds * 1000).unref();
  const removing = setInterval(() => void store.removeOld(), 3600_000).unref();
  const stallLimit = Math.min(settings.answerSeconds, settings.bodySeconds);
  const cutting = setInterval(
    () => stream.connections.cutStalled(),
    Math.min(STALL_CHECK_MS, Math.max(10, stallLimit * 250)),
  ).unref();
  await store.prepare();

  return {
    app,
    shutDown: async () => {
      isShuttingDown = true;
      for (const timer of [saving, removing]) clearInterval(timer);
      const nLost = await stream.shutDown();
      // Requests that are half sent have as much time as clients that have to read.
      await Promise.race([
        app.close(),
        wait(settings.drainSeconds * 1000, undefined, { ref: false }),
      ]);
      clearInterval(cutting);
      httpConnections.close();
      if (nLost > 0) throw new Error(`Expected to save every session but ${nLost} could not be.`);
    },
  };
}

/** Creates the HTTP server; fastify asks for one for each address at which it listens. */
function httpServer(
  settings: Settings,
  httpConnections: HttpConnections,
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
  // With 'checkContinue', a client is asked for its body only after the token is checked.
  for (const event of ['request', 'checkContinue']) server.on(event, handler);
  // WebSockets, other connections, and as many again that are about to be closed.
  server.maxConnections = maxConnections + 2 * maxHttpConnections;
  httpConnections.attach(server);
  return server;
}
