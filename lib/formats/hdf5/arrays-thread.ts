/** The thread of an ArraysReader: opens the file, and answers each request in turn. */
import { workerData } from 'node:worker_threads';

import { ArraysFile, type Hdf5Array, type Hdf5Node, type Hdf5Part } from './arrays-file';
import { answerRequests } from './thread-answers';

/** What the thread is given. */
export interface ArraysThreadData {
  absolute: string;
  name: string;
}

/** What to find out. */
export type ArraysRequest =
  | { look: readonly string[] }
  | { read: string }
  | { cells: string }
  | { part: Hdf5Part }
  | { walk: true };

/** To the opening, or to a request. */
export type ArraysAnswer =
  | { opened: true }
  | { nodes: Hdf5Node[] }
  | { array: Hdf5Array }
  | { cells: Hdf5Array[] }
  | { part: Uint8Array }
  | { paths: [path: string, node: Hdf5Node][] };

const { absolute, name } = workerData as ArraysThreadData;

answerRequests<ArraysFile, ArraysRequest, ArraysAnswer>(ArraysFile.open(absolute, name), {
  opened: () => ({ opened: true }),
  answer: (file, request) => {
    if ('look' in request) return { nodes: file.look(request.look) };
    if ('read' in request) return { array: file.read(request.read) };
    if ('cells' in request) return { cells: file.cells(request.cells) };
    return 'part' in request ? { part: file.part(request.part) } : { paths: file.walk() };
  },
});
