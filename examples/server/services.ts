/** What the routes share. */
import type { FastifyReply, FastifyRequest } from 'fastify';

import type { ByteBudget } from './byte-budget';
import type { HttpConnections } from './http/http-connections';
import type { Metrics } from './metrics';
import type { Sessions } from './sessions/sessions';
import type { Settings } from './settings';
import type { Batcher } from './simulation/batcher';
import type { Engine } from './simulation/engine';

export interface Services {
  settings: Settings;
  engine: Engine;
  batcher: Batcher;
  metrics: Metrics;
  budget: ByteBudget;
  httpConnections: HttpConnections;
  sessions: Sessions;
  /** Answers a request with 401 if it does not have the token. */
  authenticate: (request: FastifyRequest, reply: FastifyReply) => Promise<void>;
  isShuttingDown: () => boolean;
}
