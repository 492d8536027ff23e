/** Recognises files of other formats, to say what they are and how to convert them to .npy. */
import { open } from 'node:fs/promises';

import { message, type Message } from '../../errors/message';
import { isHdf5Head } from '../hdf5/signature';
import { HEAD_BYTES, headOf, python, type Head } from './head';
import { describeText } from './text';

interface Format {
  is: (head: Head) => boolean;
  /** With its article. */
  what: string;
  /** What to do, as a clause. */
  advice?: (head: Head) => string | Message;
}

/**
 * What a file that cannot be read looks like, as the end of a sentence that begins with its name:
 * "looks like a zip archive; unpack it first". Undefined where nothing tells.
 *
 * @param bytes The file, or its beginning.
 */
export function describeForeign(bytes: Uint8Array, name: string): string | Message | undefined {
  const head = headOf(bytes, name);
  if (bytes.length === 0) return 'is empty';
  const format = FORMATS.find(({ is }) => is(head));
  if (format === undefined) return describeText(head);
  const { what, advice } = format;
  return advice === undefined ? `looks like ${what}` : message`looks like ${what}; ${advice(head)}`;
}

/** The same for a file on the disk. */
export async function describeForeignFile(
  path: string,
  name: string,
): Promise<string | Message | undefined> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return describeForeign(buffer.subarray(0, bytesRead), name);
  } finally {
    await file.close();
  }
}

const begins =
  (...starts: string[]) =>
  ({ latin1 }: Head): boolean =>
    starts.some((start) => latin1.startsWith(start));

/** The name of the first file of a zip archive. */
function firstEntry({ bytes, latin1 }: Head): string {
  const length = (bytes[26] ?? 0) + 256 * (bytes[27] ?? 0);
  return latin1.slice(30, 30 + length);
}

const isZip = begins('PK\x03\x04', 'PK\x05\x06');
const zipWith =
  (name: RegExp) =>
  (head: Head): boolean =>
    isZip(head) && name.test(firstEntry(head));

const isHdf5 = ({ bytes }: Head): boolean => isHdf5Head(bytes);

/** A packed file that a program of its own unpacks. */
function packed(what: string, program: string, ...starts: string[]): Format {
  return {
    is: begins(...starts),
    what: `a file packed by ${what}`,
    advice: ({ source }) => `${program} ${source} unpacks it`,
  };
}

const NAMED = (noun: string): string => `, where NAME is the ${noun}`;

function convertHdf5(head: Head): string {
  return python(head, 'h5py', `h5py.File('${head.source}')['NAME'][()]`) + NAMED('dataset');
}

/** How to convert an HDF5 file that holds no lists of events as they are read here. */
export function adviseHdf5(name: string): string {
  return convertHdf5(headOf(new Uint8Array(0), name));
}

/** How to convert an array of Python objects, by its shape. */
export function adviseObjects(shape: readonly number[], name: string): string {
  const { source, target } = headOf(new Uint8Array(0), name);
  const load = `a = numpy.load('${source}', allow_pickle=True)`;
  const archive = target.replace(/npy$/, 'npz');
  const save =
    shape.length === 0
      ? `numpy.savez('${archive}', **a.item())`
      : shape.length === 1
        ? `numpy.savez('${archive}', times=numpy.concatenate(a), units=numpy.repeat(range(len(a)), [len(t) for t in a]))`
        : `numpy.save('${target}', a.astype(float))`;
  const what = ['a dictionary of arrays', 'a list of times for each unit'][shape.length];
  return `python3 -c "import numpy; ${load}; ${save}" converts ${what ?? 'numbers'}`;
}

/** The first entry that matches counts. */
const FORMATS: readonly Format[] = [
  {
    is: begins('\x93NUMPY'),
    what: 'a .npy file',
    advice: () => 'give it a name that ends in .npy',
  },
  {
    is: begins('MATLAB 5.0 MAT'),
    what: 'a MATLAB file of version 5',
    advice: (head) =>
      python(head, 'scipy.io', `scipy.io.loadmat('${head.source}')['NAME']`) + NAMED('variable'),
  },
  {
    is: (head) => begins('MATLAB 7.3 MAT')(head) || (isHdf5(head) && head.ending === 'mat'),
    what: 'a MATLAB file of version 7.3',
    // MATLAB stores the axes in reverse.
    advice: (head) =>
      python(head, 'h5py', `h5py.File('${head.source}')['NAME'][()].T`) + NAMED('variable'),
  },
  {
    is: (head) => isHdf5(head) && head.ending === 'nwb',
    what: 'an NWB file without the spikes of units',
  },
  {
    is: isHdf5,
    what: 'an HDF5 file',
    advice: (head) =>
      (/^(h5|hdf5|hdf)$/.test(head.ending)
        ? ''
        : 'with spikes/times and spikes/units it needs a name that ends in .h5, and else ') +
      convertHdf5(head),
  },
  {
    is: zipWith(/\.npy$/),
    what: 'a NumPy .npz archive',
    advice: (head) => {
      if (/^(indices|row|offsets)\.npy$/.test(firstEntry(head))) {
        const load = `scipy.sparse.load_npz('${head.source}').toarray()`;
        return python(head, 'scipy.sparse', load);
      }
      const [, name = 'NAME'] = /^([\w.-]+)\.npy$/.exec(firstEntry(head)) ?? [];
      const save = python(head, '', `numpy.load('${head.source}')['${name}']`);
      return name === 'NAME'
        ? save + NAMED('array')
        : `${save}, of which ${name} is the first array`;
    },
  },
  {
    is: zipWith(/(^|\/)(data\.pkl|version|byteorder|\.format_version)$/),
    what: 'a PyTorch file',
    advice: (head) => python(head, 'torch', `torch.load('${head.source}').numpy()`),
  },
  {
    is: (head) => zipWith(/^(\[Content_Types\]\.xml|_rels\/|xl\/|docProps\/)/)(head),
    what: 'an Excel workbook',
    advice: (head) =>
      python(head, 'pandas', `pandas.read_excel('${head.source}', header=None).to_numpy()`),
  },
  {
    is: zipWith(/(^|\/)(zarr\.json|\.zarray|\.zgroup|\.zattrs|\.zmetadata)$/),
    what: 'a Zarr array in a zip archive',
    advice: ({ source, target }) =>
      `unzip ${source} -d ${target.replace(/(\.zarr)?\.npy$/, '-unpacked.zarr')} unpacks it`,
  },
  {
    is: isZip,
    what: 'a zip archive',
    advice: ({ source }) => `unzip ${source} unpacks it`,
  },
  packed('gzip', 'gunzip', '\x1f\x8b'),
  packed('bzip2', 'bunzip2', 'BZh'),
  packed('xz', 'unxz', '\xfd7zXZ\0'),
  packed('zstd', 'unzstd', '\x28\xb5\x2f\xfd'),
  packed('lz4', 'unlz4', '\x04\x22\x4d\x18'),
  packed('7-Zip', '7z x', '7z\xbc\xaf\x27\x1c'),
  packed('RAR', 'unrar x', 'Rar!\x1a\x07'),
  {
    is: ({ latin1 }) => latin1.startsWith('ustar', 257),
    what: 'a tar archive',
    advice: ({ source }) => `tar -xf ${source} unpacks it`,
  },
  {
    is: ({ bytes }) => bytes[0] === 0x80 && (bytes[1] ?? 0) >= 2 && (bytes[1] ?? 0) <= 5,
    what: 'a Python pickle',
    advice: (head) =>
      `${python(head, 'pickle', `numpy.asarray(pickle.load(open('${head.source}', 'rb')))`)}, but runs ` +
      'what is in it, so do that only if you trust its origin',
  },
  {
    is: begins('PAR1'),
    what: 'a Parquet file',
    advice: (head) => python(head, 'pandas', `pandas.read_parquet('${head.source}').to_numpy()`),
  },
  {
    is: begins('ARROW1', 'FEA1'),
    what: 'an Arrow or Feather file',
    advice: (head) => python(head, 'pandas', `pandas.read_feather('${head.source}').to_numpy()`),
  },
  {
    is: ({ latin1, ending }) => ending === 'safetensors' && latin1.startsWith('{"', 8),
    what: 'a safetensors file',
    advice: (head) =>
      python(head, 'safetensors.numpy', `safetensors.numpy.load_file('${head.source}')['NAME']`) +
      NAMED('tensor'),
  },
  {
    is: begins('\x89PNG\r\n\x1a\n', '\xff\xd8\xff', 'GIF87a', 'GIF89a', 'II*\0', 'MM\0*'),
    what: 'a picture',
    advice: (head) =>
      python(head, 'PIL.Image', `numpy.asarray(PIL.Image.open('${head.source}').convert('L'))`),
  },
  {
    is: begins('CDF\x01', 'CDF\x02', 'CDF\x05'),
    what: 'a NetCDF file',
    advice: (head) =>
      python(
        head,
        'scipy.io',
        `scipy.io.netcdf_file('${head.source}', mmap=False).variables['NAME'][:]`,
      ) + NAMED('variable'),
  },
  {
    is: begins('SIMPLE  ='),
    what: 'a FITS file',
    advice: (head) => python(head, 'astropy.io.fits', `astropy.io.fits.getdata('${head.source}')`),
  },
  {
    is: ({ latin1 }) => latin1.startsWith('RIFF') && latin1.startsWith('WAVE', 8),
    what: 'a sound file',
    advice: (head) =>
      python(head, 'scipy.io.wavfile', `scipy.io.wavfile.read('${head.source}')[1]`),
  },
  {
    is: (head) => head.ending === 'edf' && begins('0       ')(head),
    what: 'a recording in EDF',
  },
  { is: begins('#!AER-DAT'), what: 'a recording in AEDAT' },
  { is: begins('SQLite format 3\0'), what: 'an SQLite database' },
  { is: begins('%PDF-'), what: 'a PDF document' },
  {
    is: begins('\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1'),
    what: 'an old Excel workbook or another document of Microsoft Office',
    advice: (head) =>
      python(head, 'pandas', `pandas.read_excel('${head.source}', header=None).to_numpy()`),
  },
  {
    is: ({ ending, bytes }) => ending === 'mat' && bytes.includes(0),
    what: 'a MATLAB file of version 4',
    advice: (head) =>
      python(head, 'scipy.io', `scipy.io.loadmat('${head.source}')['NAME']`) + NAMED('variable'),
  },
  {
    is: ({ ending, bytes }) => /^(bin|raw|dat|buf)$/.test(ending) && bytes.includes(0),
    what: 'bare numbers',
    advice: (head) =>
      `${python(
        head,
        '',
        `numpy.fromfile('${head.source}', dtype='uint8').reshape(-1, N)`,
      )}, with their dtype, where N is the number of channels`,
  },
];
