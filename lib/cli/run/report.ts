/** Reports on a complete run: draws a picture, and describes the input and the currents in words. */
import { basename } from 'node:path';

import { longestTimeConstants } from '../../runs/settings';
import { unfinishedFolderOf } from '../../runs/unfinished-run';
import { CommandError } from '../../errors/command-errors';
import { wholeRegion, type RasterSource } from '../../formats/raster-source';
import { inputFormatOf } from '../../formats/registry';
import { outputShapeOf } from '../../runs/kept-steps';
import { openOutput } from '../../runs/open-source';
import { describeEvents, measureEvents } from '../notes/event-notes';
import { headerOf } from '../notes/give-notes';
import { noteOnRate } from '../notes/notes';
import { formatCount } from '../options/numbers';
import { formatShape } from '../../errors/checks';
import { noteOnOverflow } from '../notes/overflow';
import { drawToFile, loadRecording, MOST_SAMPLES } from '../../figure/recording';
import type { Outcome } from './compute';
import { describeSource, type Prepared } from './prepare';
import { describeSpikes, summarizeInput, type InputSummary } from '../../figure/input-summary';
import type { RunRequest } from '../options/run-options';
import type { CommandContext } from '../context/command-context';
import { inWords } from '../options/wording';
import { describeKernel } from '../options/synapse-options';
import { counted, formatTime } from '../../figure/words';

/** Draws the currents, and describes the run. */
export async function report(
  request: RunRequest,
  { source, inputPath, job, stimuli }: Prepared,
  outcome: Outcome,
  out: string,
  { stdout, stderr }: CommandContext,
): Promise<void> {
  const [batches, timesteps] = job.shape;
  const files: [path: string, content: string][] = [];
  if (stimuli !== undefined) files.push([inputPath, `the spikes, ${describeSource(source)}`]);
  files.push([
    request.out,
    `the currents, ${formatShape(outputShapeOf(job))} ${job.settings.dtype}`,
  ]);
  const { isReadOnce = false } = inputFormatOf(job.input.format);
  const isSmall = batches * timesteps * source.shape[2] <= MOST_SAMPLES;
  const path = isReadOnce ? undefined : request.plotPath;
  if (path !== undefined) {
    files.push([path, await draw(path, request, { source, inputPath, job, stimuli }, out)]);
  }
  const events = measureEvents(source, { input: job.input, dt: job.settings.dt });
  const { dt, noiseStd, noise, seed, method } = job.settings;
  let input = '';
  if (!isReadOnce && isSmall && events === undefined) {
    const { summary, nElements } = await summarizeSource(source);
    input = `, ${describeContent(summary, nElements, dt)}`;
    const note = noteOnRate(headerOf(source, inputPath), summary, nElements, dt);
    if (note !== undefined && !outcome.isNoted) stderr.write(`${note}\n`);
    const overflow = await noteOnOverflow(job, out, summary);
    if (overflow !== undefined) stderr.write(`${overflow}\n`);
  }
  const window =
    job.windowLength === 'Infinity'
      ? 'window not cut'
      : `window of ${counted(job.windowLength, 'step')}`;
  const width = Math.max(...files.map(([name]) => name.length));
  const { seconds, samples } = outcome;
  const lines: [string, string][] = [
    ['raster', `${describeSource(source)}${input}`],
    ...(events === undefined ? [] : [['events', describeEvents(events)] as [string, string]]),
    ['synapses', `${describeKernel(job)}, dt ${formatTime(dt)}, ${window}`],
    ...(noiseStd > 0
      ? [['noise', `${noiseStd} after 1 s, on the ${noise}, seed ${seed}`] as [string, string]]
      : []),
    [
      'computed',
      `by method ${job.method}${method === 'auto' ? ' (chosen by auto)' : ''}` +
        (samples > 0
          ? ` in ${formatTime(seconds, 3)}, ${formatCount(samples / seconds)} samples/s`
          : job.shape.includes(0)
            ? ''
            : ', complete already'),
    ],
    ...files.map(([name, content], index): [string, string] => [
      index === 0 ? 'files' : '',
      `${name.padEnd(width)}  ${content}`,
    ]),
  ];
  stdout.write(lines.map(([name, text]) => `${name.padEnd(10)}${text}\n`).join(''));
}

/** Draws the picture. Returns in words what was drawn, or why nothing was. */
async function draw(
  path: string,
  request: RunRequest,
  { source, inputPath, job, stimuli }: Omit<Prepared, 'waiting'>,
  out: string,
): Promise<string> {
  const output = await openOutput(job, out);
  try {
    const recording = await loadRecording({
      input: source,
      output,
      tau: longestTimeConstants(job.settings),
      dt: job.settings.dt,
      name: stimuli === undefined ? basename(inputPath) : 'An example of synaptic currents',
      stimuli,
      job,
    });
    // If this process is killed here, the next run removes what it has left.
    await drawToFile(path, recording, unfinishedFolderOf(out));
    return recording.isWhole
      ? 'the picture'
      : `the picture, of the first ${formatTime(
          (recording.output?.timesteps ?? 0) * job.settings.dt,
        )}; 'expsyn plot' draws others`;
  } catch (error) {
    if (request.isPlotWanted || !(error instanceof CommandError)) throw error;
    return `not drawn: ${inWords(error.parts)}`;
  } finally {
    await output.close();
  }
}

async function summarizeSource(
  source: RasterSource,
): Promise<{ summary: InputSummary; nElements: number }> {
  const [batches, timesteps, columns] = source.shape;
  const data = batches * timesteps === 0 ? [] : await source.read(wholeRegion(source.shape));
  const series = { data, timesteps: batches * timesteps, columns };
  return { summary: summarizeInput(series), nElements: data.length };
}

/** What the elements of the input are, in words. */
function describeContent(summary: InputSummary, nElements: number, dt: number): string {
  const { isSpikes, nonZeros, nonFinite, total } = summary;
  if (isSpikes) return describeSpikes(total, nElements, dt).join(', ');
  const ofThem = nonFinite > 0 ? `, of which ${nonFinite.toLocaleString('en')} not finite` : '';
  return `${counted(nonZeros, 'value')} other than 0${ofThem}`;
}
