/** The thread of an ArraysReader: opens the file, and answers each request in turn. */
import { parentPort, workerData } from 'node:worker_threads';

import { CommandError } from '../../errors/command-errors';
import type { Elements } from '../elements';
import { ArraysFile, type Hdf5Node } from './arrays-file';
import type { Refusal } from './file-thread';

/** What the thread is given. */
export interface ArraysThreadData {
  absolute: string;
  name: string;
}

/** What to find out. */
export type ArraysRequest = { look: readonly string[] } | { read: string };

/** To the opening, or to a request; an error does not keep its class on the way. */
export type ArraysAnswer =
  { opened: true } | { nodes: Hdf5Node[] } | { array: Elements | string[] };

const { absolute, name } = workerData as ArraysThreadData;
const file = ArraysFile.open(absolute, name);

async function answer(make: (file: ArraysFile) => ArraysAnswer): Promise<void> {
  let message: ArraysAnswer | Refusal;
  try {
    message = make(await file);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    message = { refusal: error.parts };
  }
  parentPort?.postMessage(message);
}

parentPort?.on('message', (request: ArraysRequest) => {
  void answer((opened) =>
    'look' in request ? { nodes: opened.look(request.look) } : { array: opened.read(request.read) },
  );
});
void answer(() => ({ opened: true }));
