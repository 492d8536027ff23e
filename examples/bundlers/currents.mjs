/** What the program computes: the same currents by each kind of call. */
import { once } from 'node:events';

import { ExpSyn } from 'expsyn';
import { iterate } from 'expsyn/streams';

/** Spikes of two channels in three steps. */
const raster = [
  [1, 0],
  [0, 2],
  [0, 0],
];

function makeSynapses() {
  return new ExpSyn(2, { tau: [0.01, 0.02], dt: 0.001 });
}

export function computeSync() {
  return [...makeSynapses().evolveSync(raster).output.data];
}

export async function computeAsync() {
  const { output } = await makeSynapses().evolve(raster);
  return [...output.data];
}

async function computeStream() {
  const currents = [];
  for await (const chunk of iterate(
    makeSynapses(),
    raster.map((step) => Uint8Array.from(step)),
  )) {
    currents.push(...chunk);
  }
  return currents;
}

/** Prints the currents as JSON, with those that a worker thread sends. */
export async function printCurrents(worker) {
  const [fromWorker] = await once(worker, 'message');
  const currents = {
    sync: computeSync(),
    async: await computeAsync(),
    stream: await computeStream(),
    worker: fromWorker,
  };
  console.log(JSON.stringify(currents));
}
