/** Folders of phy and Kilosort: the samples at which sorted clusters have fired. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { CommandError } from '../../errors/command-errors';
import { message, option } from '../../errors/message';
import { fileError } from '../../errors/system-errors';
import { openEventTable, type EventTable } from '../events/event-table';
import { toNumbers } from '../events/event-files';
import { readingEvents } from '../events/reading';
import type { Elements } from '../elements';
import { isRegularFile } from '../files/read-bytes';
import type { Format } from '../format';
import { isAddress } from '../http/address';
import { readNpyFile } from '../npy/npy';

const TIMES = 'spike_times.npy';
/** What a person has made of the sorter's result; and what the sorter found. */
const CLUSTERS = ['spike_clusters.npy', 'spike_templates.npy'] as const;
/** Tables with the label of each cluster, the more recent first. */
const LABELS = ['cluster_info.tsv', 'cluster_group.tsv', 'cluster_KSLabel.tsv'] as const;
const LABEL_COLUMNS = ['group', 'KSLabel'] as const;

async function isPhy(path: string): Promise<boolean> {
  return !isAddress(path) && (await isRegularFile(join(path, TIMES)));
}

/** A column of a file: shape (E,) or (E, 1). */
async function readColumn(path: string): Promise<Elements> {
  const { data, shape } = await readNpyFile(path);
  if (shape.length === 1 || (shape.length === 2 && shape[1] === 1)) return data;
  throw new CommandError(
    `Expected shape (E,) or (E, 1) in ${path} but received (${shape.join(', ')}).`,
  );
}

/** Seconds per sample, as params.py has it: `sample_rate = 30000.` */
async function readSamplingPeriod(folder: string): Promise<number | undefined> {
  const text = await readFile(join(folder, 'params.py'), 'utf8').catch(() => undefined);
  const [, rate] = /^\s*sample_rate\s*=\s*([0-9.eE+_-]+)/m.exec(text ?? '') ?? [];
  const perSecond = Number(rate?.replaceAll('_', ''));
  return perSecond > 0 && perSecond < Infinity ? 1 / perSecond : undefined;
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
    const period = await readSamplingPeriod(folder);
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
    const isKept = Array.from(ids, (id) => wanted.has(id));
    return {
      times: times.filter(
        (_: number | bigint, event: number) => isKept[event] === true,
      ) as Elements,
      ids: Array.from(ids).filter((_, event) => isKept[event] === true),
      timeUnit,
      units: [...wanted].sort((a, b) => a - b),
    };
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
    ...readingEvents(async (path, options) => {
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
