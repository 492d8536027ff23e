/** All formats. */
import { CommandError } from '../errors/command-errors';
import { hdf5Events, npyEvents } from './events/formats';
import {
  hasEnding,
  type Format,
  type Given,
  type InputFormat,
  type OutputFormat,
  type StoredOutput,
} from './format';
import { npy } from './npy/format';
import { pipe } from './pipe/format';
import { hdf5Table } from './recordings/hdf5-table';
import { matlab } from './recordings/matlab';
import { npz, npzEvents } from './recordings/npz';
import { nwb } from './recordings/nwb';
import { pairs } from './recordings/pairs-format';
import { phy } from './recordings/phy';
import { pynapple } from './recordings/pynapple';
import { sonata } from './recordings/sonata';
import { spikeinterface } from './recordings/spikeinterface';
import { structured } from './recordings/structured';
import { textEvents } from './recordings/text';
import { zarr } from './zarr/format';

/** In the order in which they are asked whether they recognise an input. The last one takes any file. */
const formats: Format[] = [
  pipe,
  zarr,
  phy,
  nwb,
  sonata,
  pairs,
  hdf5Table,
  hdf5Events,
  matlab,
  spikeinterface,
  pynapple,
  npzEvents,
  npz,
  structured,
  textEvents,
  npyEvents,
  npy,
];

/** Adds a format, which is asked before the others. Returns what removes it again. */
export function registerFormat(format: Format): () => void {
  formats.unshift(format);
  return () => {
    formats.splice(formats.indexOf(format), 1);
  };
}

/** The formats that inputs are read from, in the order of the help: the usual one first. */
export function inputFormats(): InputFormat[] {
  return formats.flatMap(({ input }) => input ?? []).reverse();
}

/** The endings of names of outputs whose formats have a property. */
export function outputEndings(has: (output: OutputFormat) => boolean = () => true): string[] {
  const found = formats.filter(({ output }) => output !== undefined && has(output));
  return found.flatMap(({ endings }) => endings).sort();
}

/** All compressions of outputs. */
export function compressions(): string[] {
  return [...new Set(formats.flatMap(({ output }) => output?.compressions ?? []))];
}

/** The formats of files that hold arrays of any meaning. */
export function arrayFormats(): (Format & Required<Pick<Format, 'readArray'>>)[] {
  return formats.flatMap(({ readArray, ...format }) => (readArray ? { ...format, readArray } : []));
}

function formatNamed(name: string): Format {
  const format = formats.find((each) => each.name === name);
  if (format !== undefined) return format;
  const names = formats.map((each) => each.name).join(', ');
  throw new CommandError(`Expected a format among ${names} but received '${name}'.`);
}

/** The format of an input by its name in jobs. */
export function inputFormatOf(name: string): InputFormat {
  const { input } = formatNamed(name);
  if (input !== undefined) return input;
  throw new CommandError(`Expected a format that can be read but received '${name}'.`);
}

/** The format of an output by its name in jobs. */
export function outputFormatOf(name: string): OutputFormat {
  const { output } = formatNamed(name);
  if (output !== undefined) return output;
  throw new CommandError(`Expected a format that can be written but received '${name}'.`);
}

/** The format of an output on a disk by its name in jobs. */
export function storedFormatOf(name: string): StoredOutput {
  const output = outputFormatOf(name);
  if (output.kind === 'stored') return output;
  throw new CommandError(`Expected a format that is stored on a disk but received '${name}'.`);
}

/** The format in which the array at a path may be an output of a run; undefined if there is none. */
export async function storedFormatAt(path: string): Promise<StoredOutput | undefined> {
  const { output } = await recognise(path);
  return output?.kind === 'stored' ? output : undefined;
}

/** The format of an input by its name, or by what is there. */
export async function recognise(
  path: string,
  given: Given = { isEventList: false },
): Promise<Format & { input: InputFormat }> {
  for (const format of formats) {
    const { input } = format;
    if (input !== undefined && (await input.recognise(path, given))) {
      return { ...format, input };
    }
  }
  throw new CommandError(`Expected a file of a known format but received ${path}.`);
}

/** The format in which currents are written to a name; undefined if no format has such names. */
export function outputFormatFor(out: string): (Format & { output: OutputFormat }) | undefined {
  for (const format of formats) {
    const { output, endings } = format;
    if (output === undefined) continue;
    const isNamed = output.kind === 'stream' ? out === output.outputName : hasEnding(out, endings);
    if (isNamed) return { ...format, output };
  }
  return undefined;
}
