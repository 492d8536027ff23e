/** Files of other formats: what they are is said, and how to convert them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';

import { inWords } from '../../lib/cli/options/wording';
import { describeForeign } from '../../lib/formats/foreign/formats';
import { encodeNpy, readNpyFile } from '../../lib/formats/npy/npy';
import { openPipeSource } from '../../lib/formats/pipe/source';
import { expsyn } from '../support/command-line';
import { isCommandError } from '../support/command-errors';
import { emptyFolders } from '../support/folders';
import { PYTHON } from '../support/python';

/** The header of the first file of a zip archive. */
function zipOf(name: string): Buffer {
  const header = Buffer.alloc(30);
  header.write('PK\x03\x04', 'latin1');
  header.writeUInt16LE(name.length, 26);
  return Buffer.concat([header, Buffer.from(name), Buffer.from('content')]);
}

function at(offset: number, text: string): Buffer {
  return Buffer.concat([Buffer.alloc(offset), Buffer.from(text, 'latin1')]);
}

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const HDF5 = '\x89HDF\r\n\x1a\n';

describe('files of other formats', () => {
  emptyFolders();

  const known: [name: string, content: Buffer, description: RegExp][] = [
    [
      'a.mat',
      bytes('MATLAB 5.0 MAT-file, Platform: GLNXA64'),
      /MATLAB file of version 5; .*loadmat/,
    ],
    [
      'a.mat',
      bytes('MATLAB 7.3 MAT-file, Platform'),
      /MATLAB file of version 7\.3; .*h5py.*\.T\)"/,
    ],
    ['a.mat', at(512, HDF5), /MATLAB file of version 7\.3/],
    ['a.mat', bytes('\0\0\0\0\x03\0\0\0'), /MATLAB file of version 4; .*loadmat/],
    ['a.nwb', bytes(HDF5), /an NWB file without the spikes of units$/],
    ['a.hdf5x', bytes(HDF5), /an HDF5 file; with spikes\/times .* ends in \.h5, and else .*h5py/],
    ['a', at(2048, HDF5), /an HDF5 file/],
    ['a.npz', zipOf('raster.npy'), /NumPy \.npz archive; .*load\('a\.npz'\)\['raster'\]/],
    ['a.npz', zipOf('a b.npy'), /\['NAME'\].*where NAME is the array/],
    ['a.npz', zipOf('indices.npy'), /load_npz\('a\.npz'\)\.toarray\(\)/],
    ['a.pt', zipOf('archive/data.pkl'), /PyTorch file; .*torch\.load/],
    ['a.xlsx', zipOf('[Content_Types].xml'), /Excel workbook; .*read_excel/],
    [
      'a.zarr.zip',
      zipOf('.zarray'),
      /Zarr array in a zip archive; unzip a\.zarr\.zip -d a-unpacked\.zarr /,
    ],
    ['a.zip', zipOf('a.csv'), /zip archive; unzip a\.zip unpacks it/],
    ['a.npy.gz', gzipSync('x'), /packed by gzip; gunzip a\.npy\.gz unpacks it/],
    ['a.npy.bz2', bytes('BZh91AY&SY'), /packed by bzip2; bunzip2/],
    ['a.npy.xz', bytes('\xfd7zXZ\0\0'), /packed by xz; unxz/],
    ['a.npy.zst', bytes('\x28\xb5\x2f\xfd\0'), /packed by zstd; unzstd/],
    ['a.tar', at(257, 'ustar\x0000'), /tar archive; tar -xf a\.tar/],
    ['a.pkl', bytes('\x80\x04\x95\0'), /Python pickle; .*pickle\.load.* trust its origin/],
    ['a.parquet', bytes('PAR1\x15'), /Parquet file; .*read_parquet/],
    ['a.feather', bytes('ARROW1\0\0'), /Arrow or Feather file; .*read_feather/],
    ['a.png', bytes('\x89PNG\r\n\x1a\n\0'), /a picture; .*PIL\.Image/],
    ['a.tif', bytes('II*\0'), /a picture/],
    ['a.nc', bytes('CDF\x01'), /NetCDF file; .*netcdf_file/],
    ['a.fits', bytes('SIMPLE  =    T'), /FITS file; .*getdata/],
    ['a.wav', bytes('RIFF\0\0\0\0WAVEfmt '), /sound file; .*wavfile/],
    ['a.edf', bytes('0       patient'), /recording in EDF/],
    ['a.aedat', bytes('#!AER-DAT2.0\r\n'), /recording in AEDAT/],
    ['a.bin', Buffer.alloc(100), /bare numbers; .*fromfile.*where N is the number of channels/],
    [
      'a.h5',
      Buffer.from(encodeNpy({ data: Uint8Array.of(1), shape: [1] })),
      /a \.npy file; give it/,
    ],
    ['a.npy', bytes(''), /^is empty$/],
    ['a.npy', bytes('version https://git-lfs.github.com/spec/v1\noid'), /Git LFS .*'git lfs pull'/],
    ['a.npy', bytes('<!DOCTYPE html><html>'), /web page/],
    ['a.npy', bytes('\n<html>404</html>'), /web page/],
    [
      'a.json',
      bytes('[[0, 1], [1, 0]]'),
      /looks like JSON; .*json\.load\(open\('a\.json'\)\)\)\)"/,
    ],
    ['a.json', bytes('{"spikes": [1]}'), /looks like JSON; .*\['NAME'\].*where NAME is the member/],
    ['a.mtx', bytes('%%MatrixMarket matrix coordinate'), /Matrix Market file/],
    [
      'a.csv',
      bytes('0,1,0\n1,0,0\n'),
      /numbers between commas; .*loadtxt\('a\.csv', delimiter=','\)/,
    ],
    ['a.csv', bytes('time,channel\r\n0.1,3\r\n'), /delimiter=',', skiprows=1\)/],
    ['a.csv', bytes('0.1,3\n0.2,4\n'), /converts it, and --events reads it as a list of times/],
    ['a.csv', bytes('when,who\n0.1,3\n'), /and --member TIMES,CHANNELS with the names of two/],
    ['a.csv', bytes('when,who\n0.1,A\n'), /words, and --member TIMES,CHANNELS with the names/],
    ['a.csv', bytes('# a header\n"a","b"\n0,1\n'), /delimiter=',', skiprows=2\)/],
    ['a.csv', bytes('0;1\n1;0\n'), /between semicolons; .*delimiter=';'/],
    ['a.tsv', bytes('0\t1\n1\t0\n'), /between tabs; .*delimiter='\\t'/],
    ['a.txt', bytes('0.0 1.0e+00\n1 0\n'), /between spaces; .*loadtxt\('a\.txt'\)/],
    ['a.txt', bytes('# tau\n1\n2\n'), /a number in each line/],
    ['a.csv', Buffer.from('\ufeff0,1\n', 'utf8'), /encoding='utf-8-sig'/],
    ['a.csv', Buffer.from('\ufeff0,1\r\n', 'utf16le'), /encoding='utf-16'/],
    [
      'a.csv',
      bytes('0,5;1\n1,25;0\n'),
      /semicolons, with decimal commas; .*r\.replace\(',', '\.'\)/,
    ],
    ['a.txt', bytes('x y\n0,5 1\n'), /spaces, with decimal commas; .*skiprows=1\)/],
    ['a.csv', bytes('neuron,time\nA,0.5\n'), /words between commas; .*skiprows=1, usecols=\(1,\)/],
    ['a.csv', bytes('# x\nA;0.5;7\nB;1;8\n'), /between semicolons; .*';', usecols=\(1, 2\)/],
    [
      'a.csv',
      bytes('timestamps population node_ids\n308.93 LGN 0\n376.68 LGN 4\n'),
      /spikes of SONATA as text; .*usecols=\(0, 2\).*--events --time-unit 1ms$/,
    ],
    [
      'a.csv',
      bytes('node_ids population timestamps\n0 LGN 308.93\n'),
      /SONATA as text; .*usecols=\(2, 0\)/,
    ],
    ['a.csv', bytes('a,b\nc,d\n'), /looks like text; .*genfromtxt\('a\.csv', delimiter=','\).*NaN/],
    ['a.tsv', bytes('words'), /looks like text; .*genfromtxt\('a\.tsv'\)/],
    ['a.csv', Buffer.from('\ufeffa;b\n', 'utf16le'), /genfromtxt\(.*encoding='utf-16'/],
    ['a.csv', Buffer.from('\ufeff0,1\n', 'utf16le').swap16(), /loadtxt\(.*encoding='utf-16'/],
    ['a.csv', bytes('\xb5s,n\n0,1\n'), /skiprows=1, encoding='latin1'/],
    ['a.npy', bytes('0,1\n'), /numpy\.save\('a-converted\.npy', /],
  ];
  for (const [name, content, description] of known) {
    it(`are recognised: ${name} as ${String(description).slice(0, 50)}`, () => {
      const text = inWords(describeForeign(content, name) ?? '');
      assert.match(text, description);
      assert.match(text, /^(is empty|looks like [^\n]*[^.\n])$/, 'an end of a sentence');
    });
  }

  it('are not guessed where nothing tells', () => {
    for (const content of [
      'no array',
      'a,b\nc,d\n',
      '\x01\x02\x03',
      'Some words.\n1 2 3 words\n',
    ]) {
      assert.equal(describeForeign(bytes(content), 'a.npy'), undefined, content);
    }
  });

  it('get no command that a shell would read in another way', () => {
    for (const name of ["it's.csv", 'a b.csv', '$(ls).csv', '`ls`.csv', 'a;b.csv', 'a"b.csv']) {
      const text = inWords(describeForeign(bytes('0,1\n1,0\n'), name) ?? '');
      assert.match(text, /numpy\.save\('raster\.npy', numpy\.loadtxt\('FILE', delimiter=','\)\)/);
    }
  });

  it('are told of in every command that reads', async () => {
    await writeFile('a.csv', '0,1\n1,0\n');
    await writeFile('a.h5', '0,1\n1,0\n');
    for (const args of [['a.csv'], ['info', 'a.csv'], ['plot', 'a.csv']]) {
      const { code, err } = await expsyn(...args);
      assert.equal(code, 1);
      assert.match(err, /^Expected a \.npy file, [^\n]* a\.csv looks like text with [^\n]*\.\n$/);
    }
    const { code, err } = await expsyn('a.h5');
    assert.equal(code, 1);
    assert.match(err, /^Expected an HDF5 file but a\.h5 looks like text with [^\n]*\.\n$/);
  });

  it('are told of where the folder of a Zarr array should be', async () => {
    await writeFile('a.zarr', zipOf('.zarray'));
    const { code, err } = await expsyn('a.zarr');
    assert.equal(code, 1);
    assert.equal(
      err,
      'Expected the folder of a Zarr array but a.zarr is a file that looks like a Zarr array in a zip ' +
        'archive; unzip a.zarr -d a-unpacked.zarr unpacks it.\n',
    );
  });

  it('are told of when they come through a pipe', async () => {
    for (const content of [gzipSync(Buffer.alloc(1e5)), bytes('0,1\n1,0\n'), bytes('PK')]) {
      const source = openPipeSource(Readable.from([content]), 'the standard input');
      const what = content.length > 1e5 ? /gzip/ : /(looks like|does not begin)/;
      await assert.rejects(source, isCommandError(what));
    }
  });

  const conversions: [name: string, make: string][] = [
    ['a.csv', "numpy.savetxt('a.csv', a, delimiter=',')"],
    ['b.csv', "numpy.savetxt('b.csv', a, delimiter=';', header='x;y;z', comments='', fmt='%d')"],
    ['c.csv', "open('c.csv', 'w', encoding='utf-16').write('1,0\\n' * 7)"],
    ['a.tsv', "numpy.savetxt('a.tsv', a, delimiter='\\t', header='x\\ty\\tz')"],
    ['a.txt', "numpy.savetxt('a.txt', a)"],
    ['d.csv', "numpy.savetxt('d.csv', a, '%d,0', delimiter=';')"],
    ['e.csv', "numpy.savetxt('e.csv', a, 'word %d %d %d', header='w x y z', comments='')"],
    ['a.json', "import json; json.dump(a.tolist(), open('a.json', 'w'))"],
    ['a.pkl', "import pickle; pickle.dump(a, open('a.pkl', 'wb'))"],
  ];
  for (const [name, make] of conversions) {
    it(`are converted by the command: ${name}`, async () => {
      const array = 'import numpy; a = (numpy.arange(60) % 7 == 0).reshape(20, 3).astype(int)';
      execFileSync(PYTHON, ['-c', `${array}; ${make}`]);
      const { err } = await expsyn(name);
      const [, code = ''] = /; python3 -c "(.*)" converts it/.exec(err) ?? [];
      execFileSync('sh', ['-c', `${PYTHON} -c "${code}"`]);
      const converted = name.replace(/\.\w+$/, '.npy');
      const { data, shape } = await readNpyFile(converted);
      if (name === 'c.csv') assert.deepEqual([shape, data[0], data[1]], [[7, 2], 1, 0]);
      else {
        assert.deepEqual(shape, [20, 3]);
        assert.deepEqual(
          Array.from(data, Number),
          Array.from({ length: 60 }, (_, index) => (index % 7 === 0 ? 1 : 0)),
        );
      }
      await rm(converted);
      assert.ok((await readFile(name)).length > 0, 'the file is left as it was');
    });
  }
});
