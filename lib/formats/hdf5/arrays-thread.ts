/** The thread of an ArraysReader: opens the file, and answers each request in turn. */
import { workerData } from 'node:worker_threads';

import { ArraysFile, type Hdf5Array, type Hdf5Node } from './arrays-file';
import { answerRequests } from './thread-answers';

/** What the thread is given. */
export interface ArraysThreadData {
  absolute: string;
  name: string;
}

/** What to find out. */
export type ArraysRequest = { look: readonly string[] } | { read: string };

/** To the opening, or to a request. */
export type ArraysAnswer = { opened: true } | { nodes: Hdf5Node[] } | { array: Hdf5Array };

const { absolute, name } = workerData as ArraysThreadData;

answerRequests<ArraysFile, ArraysRequest, ArraysAnswer>(ArraysFile.open(absolute, name), {
  opened: () => ({ opened: true }),
  answer: (file, request) =>
    'look' in request ? { nodes: file.look(request.look) } : { array: file.read(request.read) },
});
