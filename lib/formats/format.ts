/**
 * What a format of files offers. Everything outside a format's folder works with what the format says
 * here, so a format is added by adding a folder and a line in the registry.
 */
import { sep } from 'node:path';
import type { Writable } from 'node:stream';

import type { EventOptions } from './event-options';
import type { CurrentsLayout, CurrentsSink } from './currents-sink';
import type { Elements } from './elements';
import type { AddressOptions } from './http/reader';
import type { RasterSource } from './raster-source';

export interface Format {
  /** What jobs and identities call it. */
  readonly name: string;
  /** What descriptions of files call it. */
  readonly title: string;
  /** The ends of the names of such files, in lower case. */
  readonly endings: readonly string[];
  /** Undefined if rasters cannot be read from it. */
  readonly input?: InputFormat;
  /** Undefined if currents cannot be written to it. */
  readonly output?: OutputFormat;
  /** Reads a whole array of at most three axes, such as a list of time constants. */
  readonly readArray?: (path: string) => Promise<{ data: Elements; shape: readonly number[] }>;
}

/** How an input is read. Lists of events have the options of events, files on servers have an address. */
export interface ReadingOptions extends Partial<EventOptions> {
  /** Length of the time steps in seconds. */
  dt: number;
  address?: AddressOptions;
}

/** What a user says about an input. */
export interface Given {
  /** Whether it is a list of events. */
  isEventList: boolean;
  /** Which array, or arrays, of several. */
  member?: string | undefined;
}

/** A format that rasters are read from. */
export interface InputFormat {
  /** Example and explanation for the help. The explanation may have several lines. */
  readonly usage: readonly [example: string, explanation: string];
  /** Whether it holds lists of events, which become rasters of spike counts. */
  readonly isEventList?: boolean;
  /** Whether files of this format tell the unit of their times. */
  readonly hasTimeUnit?: boolean;
  /** Whether a file has this format only if the user says that it is a list of events. */
  readonly isChosen?: boolean;
  /** Whether a raster of this format may be a list of events for which the user forgot to say so. */
  readonly mayBeEventList?: boolean;
  /** Whether it is a folder, into which a run that reads it must not write. */
  readonly isFolder?: boolean;
  /** Whether it can be read only once, as a pipe. */
  readonly isReadOnce?: boolean;
  /** What messages call the input, if not by its path. */
  readonly displayName?: string;
  /**
   * Whether an input has this format. The first format of the registry that recognises it is taken.
   */
  recognise(path: string, given: Given): boolean | Promise<boolean>;
  open(path: string, options: ReadingOptions): Promise<RasterSource>;
  /** What the file says about itself. */
  describe(path: string, options: ReadingOptions): Promise<ArrayDescription>;
  /** What a user should know about the file, in one sentence. */
  remark?(path: string, options: ReadingOptions): Promise<string | undefined>;
}

/** What a file says about itself. */
export interface ArrayDescription {
  /** As the file has it, or that of the raster made from a list of events. */
  shape: readonly number[];
  /** NumPy's name of the element type. */
  type: string;
  /** NaN if that is not known. */
  bytes: number;
  /** Details of the format by their names, such as chunks and codecs. */
  storage: Record<string, unknown>;
  /** The raster that is made from a list of events, closed. */
  raster?: RasterSource;
}

export type OutputFormat = StoredOutput | StreamOutput;

/** A format that currents are written to on a disk, in any order, and read from again. */
export interface StoredOutput {
  readonly kind: 'stored';
  /** Names of the compressions, the default first; empty if there are none. */
  readonly compressions: readonly string[];
  /** Set if the array is cut into chunks, which many processes can write at the same time. */
  readonly chunks?: {
    /** The size of the largest chunk in bytes, and in words for messages. */
    largest(compression?: string): { bytes: number; inWords: string };
  };
  /** Bytes on the disk; undefined if compression makes that unknown. */
  sizeOf(layout: CurrentsLayout, compression?: string): number | undefined;
  /**
   * Where an output is to be: what a symbolic link leads to, as an absolute path.
   *
   * @throws CommandError when something stands there that must not be replaced.
   */
  resolve(out: string): Promise<string>;
  /** Makes an array whose elements are zeros until they are written. */
  create(path: string, layout: CurrentsLayout, storage: OutputStorage): Promise<void>;
  /** @param temporaries A folder on the same disk for files that are not complete. */
  openSink(path: string, layout: CurrentsLayout, temporaries: string): Promise<CurrentsSink>;
  /** Shape and element type. */
  readLayout(
    path: string,
    address?: AddressOptions,
  ): Promise<{ shape: readonly number[]; type: string }>;
  /** Whether all parts of the array are on the disk. The content is not read. */
  isComplete(path: string): Promise<boolean>;
  /** A hash of samples of the content. A change between the samples is not seen. */
  fingerprint(path: string): Promise<string>;
  /** The file that holds the provenance of an output, which may be the output itself. */
  provenancePathOf(path: string): string;
  /** The provenance as JSON; undefined if there is none. */
  readProvenance(path: string, address?: AddressOptions): Promise<unknown>;
  /** Gives a complete array its name, together with its provenance, in place of what has that name. */
  publish(data: string, out: string, provenance: object, places: PublishPlaces): Promise<void>;
}

/** How an array is stored. */
export interface OutputStorage {
  /** Set if the format has chunks. */
  chunkShape?: [number, number, number];
  compression?: string;
}

export interface PublishPlaces {
  /** A folder on the same disk for files that are not complete. */
  temporaries: string;
  /** Where nothing is; an output that is replaced may be moved there. */
  aside: string;
}

/** A format that currents are written to in their order, and not read from again. */
export interface StreamOutput {
  readonly kind: 'stream';
  readonly compressions: readonly string[];
  /** What the user gives as the name of the output. */
  readonly outputName: string;
  openSink(stream: Writable, layout: CurrentsLayout): Promise<CurrentsSink>;
}

/** Whether a name ends as those of a format do. Folders may be written with a slash at their end. */
export function hasEnding(
  path: string,
  endings: readonly string[],
  separator: string = sep,
): boolean {
  // Windows takes both.
  const name = path.toLowerCase().replace(separator === '\\' ? /[\\/]+$/ : /\/+$/, '');
  return endings.some((ending) => name.endsWith(ending));
}
