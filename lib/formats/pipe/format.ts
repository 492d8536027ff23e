/** .npy data through the standard input and output. */
import { UsageError } from '../../errors/command-errors';
import type { Format } from '../format';
import { openPipeSink } from './sink';
import { openPipeSource } from './source';

const NAME = '-';
const DISPLAY_NAME = 'the standard input';

export const pipe: Format = {
  name: 'pipe',
  title: 'pipe',
  endings: [],
  input: {
    usage: [NAME, `a .npy file from ${DISPLAY_NAME}`],
    isReadOnce: true,
    displayName: DISPLAY_NAME,
    recognise: (path) => path === NAME,
    open: async () => openPipeSource(process.stdin, DISPLAY_NAME),
    describe: () => {
      throw new UsageError('Expected the name of a file but received a pipe.');
    },
  },
  output: { kind: 'stream', compressions: [], outputName: NAME, openSink: openPipeSink },
};
