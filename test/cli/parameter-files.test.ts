/** Files of time constants, as people and programs write them. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';

import { readParameter } from '../../lib/cli/options/parameter-files';
import { EXPONENTIAL } from '../../lib/modules/kernels';
import { writeNpyFile } from '../../lib/formats/npy/npy';
import { expsyn } from '../support/command-line';
import { isCommandError } from '../support/command-errors';
import { emptyFolders } from '../support/folders';

const [TAU] = EXPONENTIAL.parameters;
assert.ok(TAU !== undefined);
const readTaus = async (text: string) => readParameter(text, TAU);

describe('files of taus', () => {
  emptyFolders();

  const expected = [0.005, 0.02, 0.1];

  const texts: [name: string, text: string][] = [
    ['a time in each line', '5ms\n20ms\n0.1\n'],
    ['without a last line end', '0.005\n0.02\n0.1'],
    ['commas', '5ms,20ms,0.1 s'],
    ['commas and spaces', ' 5 ms , 20 ms,\t0.1'],
    ['semicolons', '5ms;20ms;0.1\n'],
    ['tabs', '0.005\t0.02\t0.1\n'],
    ['spaces', '0.005 0.02 0.1\n'],
    ['spaces before the units', '5 ms 20 ms 0.1 s\n'],
    ['a column of units', '5\tms\n20\tms\n0.1\ts\n'],
    ['CRLF', '5ms\r\n20ms\r\n0.1\r\n'],
    ['CR', '5ms\r20ms\r0.1\r'],
    ['blank lines', '\n\n5ms\n\n  \n20ms\n\t\n0.1\n\n'],
    ['a header, as NumPy writes one', '# tau (s)\n5.000e-03\n2.000e-02\n1.000e-01\n'],
    ['a header of several lines', '# taus, in seconds\n#\n#a,b,c\n0.005,0.02,0.1\n'],
    ['comments behind the times', '5ms # AMPA\n20ms# GABA, slow\n0.1 #\n'],
    ['a capital E', '5E-3\n2.0E-02\n1E-1\n'],
    ['a byte-order mark', '\ufeff5ms\n20ms\n0.1\n'],
    ['a byte-order mark before a header', '\ufeff# tau\r\n5ms\r\n20ms\r\n0.1\r\n'],
    ['the letter mu', '5000\u00b5s\n20000 \u03bcs\n0.1\n'],
  ];
  for (const [name, text] of texts) {
    it(`are read with ${name}`, async () => {
      for (const ending of ['txt', 'csv', 'tsv', 'TXT']) {
        await writeFile(`taus.${ending}`, text);
        assert.deepEqual(await readTaus(`taus.${ending}`), expected);
      }
    });
  }

  it('are read in UTF-16, as PowerShell writes them', async () => {
    await writeFile('taus.txt', Buffer.from('\ufeff# tau\r\n5ms\r\n20ms\r\n0.1\r\n', 'utf16le'));
    assert.deepEqual(await readTaus('taus.txt'), expected);
  });

  const refused: [name: string, text: string, message: RegExp][] = [
    ['nothing', '', /at least one time in taus\.txt for --tau but received none/],
    ['comments alone', '# 5ms\n\n#\n', /at least one time in taus\.txt/],
    ['a name of a column', 'tau\n5ms\n', /for --tau in line 1 of taus\.txt but received 'tau'/],
    ['a time of 0', '5ms\r\n\r\n0\r\n', /for --tau in line 3 of taus\.txt but received '0'/],
    ['a time below 0', '5ms\n-5ms\n', /line 2 of taus\.txt but received '-5ms'/],
    ['NaN', 'nan\n', /received 'nan'/],
    ['a unit alone', '5ms\nms\n', /line 2 of taus\.txt but received 'ms'/],
    ['an unknown unit', '5 min\n', /line 1 of taus\.txt but received 'min'|received '5min'/],
  ];
  for (const [name, text, message] of refused) {
    it(`are refused with ${name}, and the line is named`, async () => {
      await writeFile('taus.txt', text);
      await assert.rejects(readTaus('taus.txt'), isCommandError(message));
    });
  }

  it('are refused when they are empty arrays', async () => {
    await writeNpyFile('taus.npy', { data: new Float64Array(0), shape: [0] });
    await assert.rejects(readTaus('taus.npy'), isCommandError(/at least one time in taus\.npy/));
  });

  it('need an ending that tells what they are', async () => {
    await writeFile('taus.dat', '5ms\n');
    await assert.rejects(
      readTaus('taus.dat'),
      isCommandError(/file of times whose name ends in \.npy, \.txt, \.csv or \.tsv.*'taus\.dat'/),
    );
    await assert.rejects(readTaus('other.dat'), isCommandError(/^Expected a time above zero/));
  });

  it('give the taus of a run', async () => {
    await writeNpyFile('raster.npy', { data: new Uint8Array(1200), shape: [400, 3] });
    await writeFile('taus.csv', '# tau\r\n5E-3\r\n2E-2\r\n1E-1\r\n');
    const { code, out } = await expsyn(
      'raster.npy',
      '--tau',
      'taus.csv',
      '--dt',
      '1E-3',
      '--no-plot',
    );
    assert.equal(code, 0);
    assert.match(out, /tau 5 ms to 100 ms, dt 1 ms/);
  });
});
