/** Folders of phy and Kilosort: the samples at which sorted clusters have fired. */
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { CommandError } from '../../errors/command-errors';
import { message, option } from '../../errors/message';
import { fileError } from '../../errors/system-errors';
import { openEventTable, type EventTable } from '../events/event-table';
import { toNumbers } from '../events/event-files';
import { readingEvents } from '../events/reading';
import { asList, type Elements } from '../elements';
import { isRegularFile } from '../files/read-bytes';
import type { Format, Given } from '../format';
import { isAddress } from '../http/address';
import { readNpyFile } from '../npy/npy';
import { openNpyLayout } from '../npy/npy-file';
import { keepEvents } from './populations';

const TIMES = 'spike_times.npy';
/** What a person has made of the sorter's result; and what the sorter found. */
const CLUSTERS = ['spike_clusters.npy', 'spike_templates.npy'] as const;
/** Tables with the label of each cluster, the more recent first. */
const LABELS = [
  'cluster_info.tsv',
  'cluster_group.tsv',
  'cluster_groups.csv',
  'cluster_KSLabel.tsv',
] as const;
const LABEL_COLUMNS = ['group', 'KSLabel'] as const;

/** The folder that a path is of: also of its file of times, which alone does not tell the clusters. */
function folderOf(path: string): string {
  return basename(path) === TIMES ? dirname(path) : path;
}

async function isPhy(path: string, { isEventList }: Given): Promise<boolean> {
  if (isAddress(path)) return false;
  if (basename(path) !== TIMES) return isRegularFile(join(path, TIMES));
  if (isEventList) return false;
  const { layout } = await openNpyLayout(path).catch(() => ({ layout: undefined }));
  return layout?.shape.filter((size) => size !== 1).length === 1;
}

/** A column of a file: shape (E,), (E, 1) or (1, E). */
async function readColumn(path: string): Promise<Elements> {
  return asList(await readNpyFile(path), path);
}

/** Seconds per sample, as params.py has it: `sample_rate = 30000.` */
async function readSamplingPeriod(folder: string): Promise<number | undefined> {
  const path = join(folder, 'params.py');
  const text = await readFile(path, 'utf8').catch(() => '');
  // Python takes the last one.
  const last = [...text.matchAll(/^[ \t]*sample_rate\s*(?::[^=\n]*)?=([^#;\r\n]*)/gm)].at(-1);
  if (last === undefined) return undefined;
  const rate = (last[1] ?? '').trim();
  const perSecond = rate === '' ? NaN : Number(rate.replaceAll('_', ''));
  if (perSecond > 0 && perSecond < Infinity) return 1 / perSecond;
  throw new CommandError(
    message`Expected a number for sample_rate in ${path} but received '${rate}'; give ${option('timeUnit')}, such as \
30kHz.`,
  );
}

/** The ids of the clusters with a label, such as 'good'. */
async function readLabelled(folder: string, label: string): Promise<Set<number>> {
  for (const name of LABELS) {
    const path = join(folder, name);
    const text = await readFile(path, 'utf8').catch(() => undefined);
    if (text === undefined) continue;
    const [head = [], ...rows] = text
      .split(/\r?\n/)
      .filter((line) => line !== '')
      .map((line) => line.split('\t'));
    const id = Math.max(head.indexOf('cluster_id'), head.indexOf('id'));
    // phy leaves its column empty until a person gives labels.
    const at = LABEL_COLUMNS.map((column) => head.indexOf(column)).find(
      (index) => index >= 0 && rows.some((row) => (row[index] ?? '') !== ''),
    );
    if (id < 0 || at === undefined) continue;
    const labels = new Set(rows.map((row) => row[at] ?? '').filter((each) => each !== ''));
    if (!labels.has(label)) {
      const received = `'${label}'`;
      throw new CommandError(
        message`Expected one of the labels ${[...labels].map((each) => `'${each}'`).join(', ')} of ${path} for \
${option('units')} but received ${received}.`,
      );
    }
    return new Set(rows.filter((row) => row[at] === label).map((row) => Number(row[id])));
  }
  throw new CommandError(
    message`Expected ${LABELS.join(' or ')} with the labels of clusters in ${folder} for ${option('units')} but \
there is none.`,
  );
}

async function readSpikes(
  folder: string,
  files: readonly string[],
  hasTimeUnit: boolean,
  label: string | undefined,
): Promise<EventTable> {
  try {
    const [times, clusters] = await Promise.all(files.map(readColumn));
    if (times === undefined || clusters === undefined) {
      throw new CommandError(`Expected ${CLUSTERS.join(' or ')} in ${folder} but there is none.`);
    }
    // Some save numbers of samples as floats.
    const isInteger =
      !(times instanceof Float64Array || times instanceof Float32Array) ||
      (times.length > 0 && times.every(Number.isInteger));
    const period = hasTimeUnit ? undefined : await readSamplingPeriod(folder);
    if (isInteger && period === undefined && !hasTimeUnit) {
      throw new CommandError(
        message`Expected the sampling rate of ${folder} in its params.py but there is none; give \
${option('timeUnit')}, such as 30kHz.`,
      );
    }
    const ids = toNumbers(clusters);
    const timeUnit = isInteger ? period : 1;
    if (label === undefined) return { times, ids, timeUnit };
    const wanted = await readLabelled(folder, label);
    const table = keepEvents({ times, ids, timeUnit }, (event) => wanted.has(ids[event] ?? NaN));
    return { ...table, units: [...wanted].sort((a, b) => a - b) };
  } catch (error) {
    throw fileError('read', folder, error);
  }
}

export const phy: Format = {
  name: 'phy',
  title: 'a folder of phy or Kilosort',
  endings: [],
  input: {
    usage: ['sorted/', 'phy and Kilosort: spike_times.npy, spike_clusters.npy and params.py'],
    isFolder: true,
    recognise: isPhy,
    hasTimeUnit: true,
    ...readingEvents(async (given, options) => {
      const path = folderOf(given);
      const files = [join(path, TIMES)];
      for (const name of CLUSTERS) {
        if (files.length === 1 && (await isRegularFile(join(path, name))))
          files.push(join(path, name));
      }
      const hasTimeUnit = options.timeUnit !== undefined;
      return openEventTable(path, options, {
        format: 'phy',
        files,
        read: async () => readSpikes(path, files, hasTimeUnit, options.units),
      });
    }),
  },
};
