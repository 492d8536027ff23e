import { createHash, timingSafeEqual } from 'node:crypto';

import type { FastifyReply, FastifyRequest } from 'fastify';

import type { Metrics } from '../metrics';
import type { HttpConnections } from './http-connections';

/** Returns a hook that answers requests without the token with 401. */
export function authentication(token: string, metrics: Metrics, connections: HttpConnections) {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const expected = digest(token);
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const { authorization = '' } = request.headers;
    const [, bearer] = /^bearer (.*)$/i.exec(authorization) ?? [];
    // Not always a string: a query may repeat a name.
    const given: unknown = bearer ?? (request.query as Record<string, unknown>)['token'];
    if (typeof given === 'string' && timingSafeEqual(digest(given), expected)) {
      connections.authorise(request.raw.socket);
      return;
    }
    metrics.refusals.inc();
    void reply.header('www-authenticate', 'Bearer');
    await reply.code(401).send({ error: 'Expected the token, as a bearer or in the query.' });
  };
}
