/**
 * A program: currents of synapses without a recursion, whose windows are so long that transforms are faster,
 * in two modules and in a worker. Argument: the folder of a package whose addon is expsyn_faults.node. Prints
 * a Report as JSON.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

import type * as Package from '../../lib/index';
import { makeTriangleSyn } from './kernels/triangle-syn';
import { randomNumbers } from './oracle';

export interface Report {
  method: string;
  /** Of a call so short that the sum over the window is the fastest. */
  shortMethod: string;
  currents: number[];
  /** Codes and messages of the process's warnings. */
  warnings: [code: string, message: string][];
}

const [SIZE, STEPS, WIDTH] = [2, 6000, 2000];

async function main(folder: string): Promise<void> {
  const warnings: Report['warnings'] = [];
  process.on('warning', (warning: Error & { code?: string }) => {
    warnings.push([warning.code ?? '', warning.message]);
  });
  const library = createRequire(__filename)(join(folder, 'dist/index.js')) as typeof Package;
  const Triangle = makeTriangleSyn(library);
  const data = new Float64Array(STEPS * SIZE).map(randomNumbers(7));
  const input = { data, shape: [STEPS, SIZE] };
  const short = new Triangle(SIZE, { width: 3 });
  const shortMethod = short.plan(STEPS).method;
  const module = new Triangle(SIZE, { width: WIDTH });
  const planned = module.plan(STEPS).method;
  const { output, record } = await module.evolve(input);
  new Triangle(SIZE, { width: WIDTH + 1 }).session().evolveSync(input);
  if (planned !== record.method) throw new Error(`planned ${planned}, took ${record.method}`);
  if (isMainThread) {
    await new Promise((resolve, reject) => {
      const source = `require('tsx/cjs'); require(${JSON.stringify(__filename)});`;
      const worker = new Worker(source, { eval: true, argv: [folder], execArgv: [] });
      worker.once('message', (found: Report) => {
        warnings.push(...found.warnings);
      });
      worker.once('error', reject);
      worker.once('exit', resolve);
    });
  }
  await new Promise(setImmediate);
  const report: Report = {
    method: record.method,
    shortMethod,
    currents: [...output.data],
    warnings,
  };
  if (parentPort === null) console.log(JSON.stringify(report));
  else parentPort.postMessage(report);
}

void main(process.argv[2] ?? '');
