/** What the routes of the server share. */
import type { FastifyReply, FastifyRequest } from 'fastify';

import type { Budget } from './budget';
import type { Engine } from './engine';
import type { Gatherer } from './gatherer';
import type { Metrics } from './metrics';
import type { Settings } from './settings';
import type { Sockets } from './sockets';

export interface ServerParts {
  settings: Settings;
  engine: Engine;
  gatherer: Gatherer;
  metrics: Metrics;
  budget: Budget;
  sockets: Sockets;
  authenticate: (request: FastifyRequest, reply: FastifyReply) => Promise<void>;
  isDraining: () => boolean;
}
