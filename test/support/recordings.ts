/** The same four events in files of any format, and how they are read. */
import { recognise } from '../../lib/formats/registry';
import { wholeRegion } from '../../lib/formats/raster-source';

/** When they happen, in seconds, and what they are of. */
export const TIMES = [0.0005, 0.0031, 0.0101, 0.0102];
export const IDS = [4, 9, 4, 20];
/** The same for NumPy. */
export const IN_PYTHON = `
import sys, os, h5py, numpy
os.chdir(sys.argv[1])
T = numpy.array([${TIMES.join(', ')}]); I = numpy.array([${IDS.join(', ')}])
US = numpy.round(T * 1e6).astype('i8')
`;
/** How they are read with steps of 1 ms: the step and the id of each. */
export const EVENTS = '0:4 3:9 10:4 10:20';

/** The format of a file, and the step and the id of each event. */
export async function readEventsOf(
  path: string,
  { isEventList = false, ...options }: { isEventList?: boolean; [option: string]: unknown } = {},
): Promise<{ format: string; events: string; shape: readonly number[] }> {
  const member = options['member'] as string | undefined;
  const { name: format, input } = await recognise(path, { isEventList, member });
  const source = await input.open(path, { dt: 1e-3, ...options });
  const { shape, unitIds } = source;
  const counts = await source.read(wholeRegion(shape));
  await source.close();
  const events: string[] = [];
  counts.forEach((count: number | bigint, index: number) => {
    const channel = index % shape[2];
    const event = `${Math.floor(index / shape[2])}:${unitIds?.[channel] ?? channel}`;
    for (let copy = 0; copy < count; copy++) events.push(event);
  });
  return { format, events: events.join(' '), shape };
}
