/** The same four events in files of any format, and how they are read. */
import { execFileSync } from 'node:child_process';

import { recognise } from '../../lib/formats/registry';
import { wholeRegion } from '../../lib/formats/raster-source';
import { PYTHON } from './python';

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
/** How NumPy and h5py write arrays into the files a.npy, a.npz, a.h5 and a.mat, and a folder of phy. */
export const HELPERS = `
import zipfile, warnings
warnings.simplefilter('ignore')
def save(dtype, times=T, ids=I, names=None, **more):
    a = numpy.zeros(4, dtype=dtype)
    time, unit = names or a.dtype.names[:2]
    a[time], a[unit] = times, ids
    numpy.save('a.npy', a.reshape(more.get('shape', 4)), allow_pickle=True)
CAMERA = dict(t=numpy.array([500, 10200, 10300]), x=numpy.array([1, 0, 2], 'u2'), y=numpy.array([0, 1, 1], 'u2'), p=numpy.array([True, False, True]))
def camera(dtype):
    a = numpy.zeros(3, dtype=dtype)
    for name, values in CAMERA.items(): a[name] = values
    return a
def put(place, **arrays):
    for name, array in arrays.items(): place[name] = array
def h5(**arrays):
    with h5py.File('a.h5', 'w') as f: put(f, **arrays)
def group(path, **arrays):
    with h5py.File('a.h5', 'a') as f: put(f.require_group(path), **arrays)
def mat(write):
    with h5py.File('a.mat', 'w', userblock_size=512) as f: write(f)
    with open('a.mat', 'r+b') as f: f.write(b'MATLAB 7.3 MAT-file, Platform: GLNXA64 .'.ljust(124) + b'\\x00\\x02IM')
def variable(place, name, array, kind='double'):
    d = place.create_dataset(name, data=array); d.attrs['MATLAB_class'] = numpy.bytes_(kind)
    return d
def cells(f, place, name):
    refs = numpy.zeros((1, 4), dtype=h5py.ref_dtype)
    for k, unit in enumerate((4, 9, 0, 20)):
        d = variable(f.require_group('#refs#'), 'abcd'[k], T[I == unit][None] if unit else numpy.array([0, 0], 'u8'))
        if not unit: d.attrs['MATLAB_empty'] = numpy.uint8(1)
        refs[0, k] = d.ref
    d = place.create_dataset(name, data=refs, dtype=h5py.ref_dtype); d.attrs['MATLAB_class'] = numpy.bytes_('cell')
def phy(params='sample_rate = 30000.', clusters='spike_clusters.npy', times=numpy.round(T * 30000).astype('u8')):
    os.mkdir('sorted'); numpy.save('sorted/spike_times.npy', times)
    if clusters: numpy.save('sorted/' + clusters, I.astype('i4'))
    open('sorted/params.py', 'w').write(params)
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

/** Runs each program in a folder of its own, 0, 1, ...; in one process, as starting Python takes longer. */
export function writeAll(programs: readonly string[], folder: string): void {
  const each = `
import json
for number, program in enumerate(json.load(sys.stdin)):
    os.mkdir(str(number)); os.chdir(str(number)); exec(program, dict(globals())); os.chdir('..')
`;
  execFileSync(PYTHON, ['-c', `${IN_PYTHON}${HELPERS}${each}`, folder], {
    input: JSON.stringify(programs),
  });
}
