/** The thread of a ListsReader: opens the file, and answers each request in turn. */
import { workerData } from 'node:worker_threads';

import { ListsFile, type Lists, type ListsDescription } from './lists-file';
import { answerRequests } from './thread-answers';

/** What the thread is given. */
export interface ListsThreadData {
  absolute: string;
  name: string;
  paths: readonly string[];
}

/** Which lists to read. */
export interface ListsRequest {
  begin: number;
  end: number;
}

/** To the opening, or to a request. */
export type ListsAnswer = { descriptions: ListsDescription[] } | { lists: Lists[] };

const { absolute, name, paths } = workerData as ListsThreadData;

answerRequests<ListsFile, ListsRequest, ListsAnswer>(ListsFile.open(absolute, name, paths), {
  opened: ({ descriptions }) => ({ descriptions }),
  answer: (file, { begin, end }) => ({ lists: file.read(begin, end) }),
  memoryOf: (answer) => {
    const lists = 'lists' in answer ? answer.lists : [];
    return lists.flatMap(({ lengths, numbers }) => [
      lengths.buffer,
      numbers.buffer,
    ]) as ArrayBuffer[];
  },
});
