/** The program that is bundled. It runs itself once more in a worker thread. */
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

import { computeSync, printCurrents } from './currents.mjs';

if (isMainThread) {
  printCurrents(new Worker(process.argv[1]));
} else {
  parentPort.postMessage(computeSync());
}
