/** Booleans in .npy files: any byte but 0 is true, and counts as 1. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';

import { ROOT } from '../support/processes';
import { decodeNpy, readNpyFile } from '../../lib/formats/npy/npy';
import { openNpySource } from '../../lib/formats/npy/npy-file';
import { openPipeSource } from '../../lib/formats/pipe/source';
import type { RasterSource, Region } from '../../lib/formats/raster-source';

import { Command, expsyn, succeed } from '../support/command-line';
import { emptyFolders } from '../support/folders';
import { headerOf, npyOf } from '../support/npy-bytes';
import { randomNumbers } from '../support/oracle';

/** A raster whose true values NumPy wrote as 254, and the same with 1. */
const CASE = join(ROOT, 'test', 'cases', 'bool-254.npy');
const RIGHT = join(ROOT, 'test', 'cases', 'bool-254.right.npy');

/** Bytes of which half are 0, and the booleans that they are. */
function randomBooleans(length: number, seed: number): { bytes: Uint8Array; right: Uint8Array } {
  const random = randomNumbers(seed);
  const bytes = Uint8Array.from({ length }, () => (random() < 0.5 ? 0 : 256 * random()));
  return { bytes, right: bytes.map((byte) => (byte === 0 ? 0 : 1)) };
}

function regionOf(...ranges: readonly [begin: number, end: number][]): Region {
  const [batches, steps, channels] = ranges.map(([begin, end]) => ({ begin, end }));
  assert.ok(batches && steps && channels);
  return { batches, steps, channels };
}

/** The elements of a region of an array of shape (B, T, N) in C order. */
function cut(data: Uint8Array, [, nSteps, width]: readonly number[], region: Region): Uint8Array {
  const { batches, steps, channels } = region;
  const elements: number[] = [];
  for (let b = batches.begin; b < batches.end; b++) {
    for (let t = steps.begin; t < steps.end; t++) {
      for (let n = channels.begin; n < channels.end; n++) {
        elements.push(data[(b * (nSteps ?? 0) + t) * (width ?? 0) + n] ?? NaN);
      }
    }
  }
  return Uint8Array.from(elements);
}

/** Element (b, t, n) at b + B (t + T n). */
function toFortranOrder(data: Uint8Array, [B = 1, T = 1, N = 1]: readonly number[]): Uint8Array {
  return Uint8Array.from(data, (_, index) => {
    const [b, t, n] = [index % B, Math.floor(index / B) % T, Math.floor(index / (B * T))];
    assert.ok(n < N);
    return data[(b * T + t) * N + n] ?? 0;
  });
}

describe('booleans in .npy', () => {
  emptyFolders();

  it('are 0 and 1 at every length, wherever they begin', () => {
    for (const byte of [2, 127, 128, 254, 255]) {
      for (let length = 1; length < 14; length++) {
        for (let place = 0; place < length; place++) {
          for (let offset = 0; offset < 4; offset++) {
            const elements = new Uint8Array(length);
            elements[place] = byte;
            const file = npyOf(headerOf('|b1', `(${length},)`), elements);
            const bytes = new Uint8Array(file.length + offset).subarray(offset);
            bytes.set(file);
            const { data } = decodeNpy(bytes);
            assert.deepEqual([...data], [...elements].map(Math.sign));
            assert.deepEqual(Buffer.from(bytes), file, 'what is given stays as it is');
          }
        }
      }
    }
  });

  it('are a view where they are 0 and 1 already, as other types are', () => {
    const bytes = Uint8Array.from(npyOf(headerOf('|b1', '(4,)'), Uint8Array.of(1, 0, 0, 1)));
    assert.equal(decodeNpy(bytes).data.buffer, bytes.buffer);
  });

  it('leaves other types of one byte alone', () => {
    for (const [descr, last] of [
      ['|u1', 254],
      ['|i1', -2],
    ] as const) {
      const { data } = decodeNpy(npyOf(headerOf(descr, '(5,)'), Uint8Array.of(0, 1, 2, 3, 254)));
      assert.deepEqual([...data], [0, 1, 2, 3, last]);
    }
  });

  for (const isFortranOrder of [false, true]) {
    it(`are 0 and 1 in ${isFortranOrder ? 'Fortran' : 'C'} order, whole and in regions`, async () => {
      const shape = [3, 37, 11] as const;
      const { bytes, right } = randomBooleans(3 * 37 * 11, 1);
      const elements = isFortranOrder ? toFortranOrder(bytes, shape) : bytes;
      await writeFile(
        'b.npy',
        npyOf(headerOf('|b1', `(${shape.join(', ')})`, isFortranOrder), elements),
      );
      assert.deepEqual((await readNpyFile('b.npy')).data, right);
      const source = await openNpySource('b.npy');
      for (const region of [
        regionOf([0, 3], [0, 37], [0, 11]),
        regionOf([1, 2], [5, 30], [0, 11]),
        regionOf([0, 3], [3, 37], [2, 5]),
        regionOf([2, 3], [36, 37], [10, 11]),
      ]) {
        assert.deepEqual(await source.read(region), cut(right, shape, region));
      }
      await source.close();
    });
  }

  it('are 0 and 1 from a pipe, also where a region begins within the one before', async () => {
    const { bytes, right } = randomBooleans(40 * 5, 2);
    const file = npyOf(headerOf('|b1', '(40, 5)'), bytes);
    const source: RasterSource = await openPipeSource(Readable.from([file]), 'the pipe');
    for (const [begin, end] of [
      [0, 17],
      [7, 31],
      [25, 40],
    ] as const) {
      const region = regionOf([0, 1], [begin, end], [0, 5]);
      assert.deepEqual(await source.read(region), cut(right, [1, 40, 5], region));
    }
    await source.close();
  });

  it('count as 1 in runs, their summaries and pictures', async () => {
    for (const [name, path] of [
      ['case', CASE],
      ['right', RIGHT],
    ] as const) {
      // A picture names the type.
      const file = (await readFile(path, 'latin1')).replace('|u1', '|b1');
      await writeFile('raster.npy', file, 'latin1');
      const out = await succeed('raster.npy', '--out', `${name}.npy`, '--plot', `${name}.svg`);
      assert.match(out, /\(64, 5\) bool, 24 spikes, /);
      await succeed('plot', 'raster.npy', '--out', `${name}-raster.svg`);
    }
    // Vega numbers what it draws through all pictures of a process.
    const contentOf = async (path: string): Promise<string> =>
      (await readFile(path, 'latin1')).replaceAll(/(gradient_|clip)\d+/g, '$1');
    for (const ending of ['.npy', '.svg', '-raster.svg']) {
      const isRight = (await contentOf(`case${ending}`)) === (await contentOf(`right${ending}`));
      assert.ok(isRight, ending);
    }
  });

  it('count as 1 from a pipe into one', async () => {
    const outputs: Buffer[] = [];
    for (const path of [CASE, RIGHT]) {
      const command = new Command(['run', '-', '--out', '-'], { cwd: '.' });
      command.child.stdin?.end(await readFile(path));
      const { code } = await command.ended;
      assert.equal(code, 0, command.err);
      outputs.push(command.out);
    }
    assert.equal(Buffer.compare(...(outputs as [Buffer, Buffer])), 0);
  });

  it('are refused as a list of events', async () => {
    await writeFile('e.npy', npyOf(headerOf('|b1', '(2, 2)'), Uint8Array.of(0, 1, 2, 254)));
    const { code, err } = await expsyn('e.npy', '--events', '--out', 'o.npy', '--no-plot');
    assert.equal(code, 1);
    assert.match(err, /^Expected times and channels of events in e\.npy but received booleans;/);
  });
});
