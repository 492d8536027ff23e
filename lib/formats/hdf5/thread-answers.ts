/** The side of a FileThread that is in the thread: it answers each request in turn. */
import { parentPort } from 'node:worker_threads';

import { CommandError } from '../../errors/command-errors';
import type { Refusal } from './file-thread';

/** How a thread answers. */
export interface Answers<File, Request, Answer extends object> {
  /** To the opening of the file. */
  opened: (file: File) => Answer;
  /** To a request. */
  answer: (file: File, request: Request) => Answer;
  /** The memory of an answer, which the thread gives away with it. */
  memoryOf?: (answer: Answer) => ArrayBuffer[];
}

/**
 * Answers the opening of a file and then every request. An error does not keep its class on the way to the
 * other thread, so a CommandError goes there as a refusal; any other one ends the thread.
 */
export function answerRequests<File, Request, Answer extends object>(
  opening: Promise<File>,
  { opened, answer, memoryOf = () => [] }: Answers<File, Request, Answer>,
): void {
  const reply = async (make: (file: File) => Answer): Promise<void> => {
    let made: Answer;
    try {
      made = make(await opening);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      parentPort?.postMessage({ refusal: error.parts } satisfies Refusal);
      return;
    }
    parentPort?.postMessage(made, memoryOf(made));
  };
  parentPort?.on('message', (request: Request) => {
    void reply((file) => answer(file, request));
  });
  void reply(opened);
}
