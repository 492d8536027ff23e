/** The thread of a ListsReader: opens the file, and answers each request in turn. */
import { parentPort, workerData } from 'node:worker_threads';

import { CommandError } from '../../errors/command-errors';
import type { Message } from '../../errors/message';
import { ListsFile, type Lists, type ListsDescription } from './lists-file';

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

/** To the opening, or to a request; an error does not keep its class on the way. */
export type ListsAnswer =
  { descriptions: ListsDescription[] } | { lists: Lists[] } | { refusal: Message };

const { absolute, name, paths } = workerData as ListsThreadData;
const file = ListsFile.open(absolute, name, paths);

async function answer(make: (file: ListsFile) => ListsAnswer): Promise<void> {
  let message: ListsAnswer;
  try {
    message = make(await file);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    message = { refusal: error.parts };
  }
  const lists = 'lists' in message ? message.lists : [];
  const memory = lists.flatMap(({ lengths, numbers }) => [lengths.buffer, numbers.buffer]);
  parentPort?.postMessage(message, memory as ArrayBuffer[]);
}

parentPort?.on('message', ({ begin, end }: ListsRequest) => {
  void answer((opened) => ({ lists: opened.read(begin, end) }));
});
void answer(({ descriptions }) => ({ descriptions }));
