import { parentPort } from 'node:worker_threads';

import { computeSync } from '../currents.mjs';

parentPort.postMessage(computeSync());
