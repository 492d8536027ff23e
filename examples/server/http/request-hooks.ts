import type { IncomingMessage } from 'node:http';

import type { FastifyInstance } from 'fastify';

import { isBadInput, isOverload } from '../errors';
import type { Metrics } from '../metrics';
import { SECURITY_HEADERS, type BrowserRules } from './browser-rules';
import type { HttpConnections } from './http-connections';

const NOT_FOUND = { error: 'Not found.' };

/** Checks every request before its route, and completes every answer before it is written. */
export function addRequestHooks(
  app: FastifyInstance,
  rules: BrowserRules,
  metrics: Metrics,
  connections: HttpConnections,
): void {
  app.addHook('onRequest', async (request, reply) => {
    if (!connections.begin(request.raw, reply.raw)) {
      request.raw.socket.destroy();
      return reply.hijack();
    }
    const refusal = rules.whyRefused(request.raw);
    if (refusal !== undefined) {
      metrics.refusals.inc();
      return reply.code(403).send({ error: refusal });
    }
    const { url = '' } = request.routeOptions;
    // Answered here, before a body is read: fastify's own answer and its log would show the query.
    if (request.is404) return reply.code(404).send(NOT_FOUND);
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
    if (hasUnreadBody(raw) || request.ws) {
      // Node would resume the paused request, to read and drop the rest of its body.
      void reply.header('connection', 'close');
      raw.pause();
      raw.resume = () => raw;
    }
    connections.answer(raw.socket, reply.raw);
    return payload;
  });
}

/** Answers requests that fail, or that no route takes. */
export function addErrorHandlers(app: FastifyInstance, metrics: Metrics): void {
  app.setErrorHandler(async (error, request, reply) => {
    const { statusCode, message } = error as { statusCode?: number; message: string };
    metrics.refusals.inc();
    if (isOverload(error)) {
      return reply.code(503).header('retry-after', '1').send({ error: message });
    }
    // Errors of this server and of fastify have a status; the package's errors about inputs have none.
    const status = statusCode ?? (isBadInput(error) ? 400 : 500);
    if (status >= 500) request.log.error(error);
    if (status === 503) void reply.header('retry-after', '1');
    const isPublic = status < 500 || status === 503;
    return reply.code(status).send({ error: isPublic ? message : 'Failed.' });
  });
  app.setNotFoundHandler(async (_request, reply) => reply.code(404).send(NOT_FOUND));
}

/** Whether a part of a request's body has not arrived. */
function hasUnreadBody({ headers, complete }: IncomingMessage): boolean {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = headers;
  return (length !== '0' || encoding !== undefined) && !complete;
}
