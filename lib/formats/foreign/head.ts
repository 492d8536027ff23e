/** The beginning of a file of another format, and how to convert the file. */

import { message, option } from '../../errors/message';

/** A format is recognised by at most so many bytes. */
export const HEAD_BYTES = 4096;

/** The beginning of a file. */
export interface Head {
  bytes: Uint8Array;
  /** The same, a character for each byte. */
  latin1: string;
  /** What the file is called in commands, and what the converted one is. */
  source: string;
  target: string;
  /** In lower case, without the dot. */
  ending: string;
}

export function headOf(bytes: Uint8Array, name: string): Head {
  const start = bytes.subarray(0, HEAD_BYTES);
  // Any other name would have to be quoted, by the rules of Python within those of the shell.
  const isPlain = /^[\w./@%+=:,-]+$/.test(name);
  const [, stem = '', ending = ''] = /^(.*?)(?:\.([a-z0-9]+))?$/is.exec(name) ?? [];
  const isNpy = ending.toLowerCase() === 'npy';
  return {
    bytes: start,
    latin1: Buffer.from(start).toString('latin1'),
    source: isPlain ? name : 'FILE',
    target: isPlain ? `${stem}${isNpy ? '-converted' : ''}.npy` : 'raster.npy',
    ending: ending.toLowerCase(),
  };
}

/** The command that saves what a Python expression gives. */
export function python(head: Head, modules: string, expression: string): string {
  const imports = modules === '' ? 'numpy' : `numpy, ${modules}`;
  return `python3 -c "import ${imports}; numpy.save('${head.target}', ${expression})" converts it`;
}

/** The options that read a list of events whose times are in milliseconds. */
export const IN_MILLISECONDS = message`${option('events')} ${option('timeUnit', '1ms')}`;
