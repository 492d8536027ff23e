/** The program as a single executable: its worker thread is an asset, because there is no file to run. */
import { getAsset } from 'node:sea';
import { Worker } from 'node:worker_threads';

import { printCurrents } from '../currents.mjs';

printCurrents(new Worker(getAsset('worker.js', 'utf8'), { eval: true }));
