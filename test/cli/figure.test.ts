/** The picture of a run, from the raster of the example to the pixels. */
import assert from 'node:assert/strict';
import { inflateSync } from 'node:zlib';

import { makeExampleRaster } from '../../lib/cli/run/example-raster';
import { drawFigure, type Recording } from '../../lib/figure/figure';
import { loadRecording } from '../../lib/figure/recording';
import { encodePng } from '../../lib/figure/encode-png';
import { reduceToGrid, traceOf } from '../../lib/figure/reduction';
import { describeSpikes } from '../../lib/figure/input-summary';
import type { RasterSource } from '../../lib/formats/raster-source';
import { isCommandError } from '../support/command-errors';

describe('example raster', () => {
  const { data, shape, dt, tau, stimuli } = makeExampleRaster();
  const [timesteps, channels] = shape;
  const countSpikes = (begin: number, end: number): number[] =>
    Array.from({ length: channels }, (_, channel) => {
      let count = 0;
      for (let step = Math.round(begin / dt); step < Math.round(end / dt); step++) {
        count += data[step * channels + channel] ?? 0;
      }
      return count;
    });
  const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0);

  it('has 48 channels, 10 s, and zeros and ones', () => {
    assert.deepEqual(shape, [10_000, 48]);
    assert.equal(dt, 1e-3);
    assert.equal(data.length, 480_000);
    assert.ok(data.every((value) => value <= 1));
  });

  it('is the same every time', () => {
    assert.deepEqual(makeExampleRaster().data, data);
  });

  it('spreads the taus evenly on a logarithmic scale, from 5 to 100 ms', () => {
    assert.equal(tau.length, 48);
    assert.equal(tau[0], 0.005);
    assert.ok(Math.abs((tau[47] ?? 0) - 0.1) < 1e-12);
    const ratios = Array.from(tau.subarray(1), (value, index) => value / (tau[index] ?? NaN));
    for (const ratio of ratios) assert.ok(Math.abs(ratio - 20 ** (1 / 47)) < 1e-12);
  });

  it('has rates that differ widely, with nearly silent channels', () => {
    const rates = countSpikes(0, 10).map((count) => count / 10);
    const mean = sum(rates) / channels;
    assert.ok(mean > 3 && mean < 12, `mean rate ${mean}`);
    assert.ok(Math.max(...rates) > 2 * mean);
    const nearlySilent = rates.filter((rate) => rate < 0.5).length;
    assert.ok(nearlySilent >= 2 && nearlySilent <= 12, `${nearlySilent} nearly silent channels`);
  });

  it('is refractory for 2 ms', () => {
    for (let index = 0; index + channels < data.length; index++) {
      assert.ok(!(data[index] === 1 && data[index + channels] === 1), `spikes at ${index}`);
    }
  });

  it('is silent for a second', () => {
    assert.equal(sum(countSpikes(6.1, 7.1)), 0);
    assert.ok(sum(countSpikes(5.6, 6.1)) > 0);
  });

  it('responds to the stimuli, most to the strongest, in tuned channels', () => {
    const rest = sum(countSpikes(3.6, 3.75)) / 0.15;
    const responses = stimuli.map(({ start, end, strength }) => ({
      strength,
      counts: countSpikes(start, end),
    }));
    for (const { counts } of responses) assert.ok(sum(counts) > 1.1 * rest);
    responses.sort((a, b) => a.strength - b.strength);
    const totals = responses.map(({ counts }) => sum(counts));
    assert.deepEqual(
      totals,
      [...totals].sort((a, b) => a - b),
    );
    const strongest = responses.at(-1)?.counts ?? [];
    const half = [...strongest].sort((a, b) => b - a).slice(0, channels / 2);
    assert.ok(sum(half) > 0.75 * sum(strongest), 'half of the channels carry the response');
  });

  it('has bursts of the population', () => {
    const perStep = Array.from({ length: timesteps / 50 }, (_, bin) =>
      sum(countSpikes(bin * 0.05, (bin + 1) * 0.05)),
    );
    const median = [...perStep].sort((a, b) => a - b)[perStep.length / 2] ?? NaN;
    const burst = sum(countSpikes(0.4, 0.45));
    assert.ok(burst > 3 * median, `${burst} against ${median}`);
  });

  it('can be made with other steps', () => {
    const coarse = makeExampleRaster(0.01);
    assert.deepEqual(coarse.shape, [1000, 48]);
    assert.equal(coarse.dt, 0.01);
    assert.deepEqual(makeExampleRaster(60).shape, [1, 48]);
  });
});

describe('reduction', () => {
  it('keeps the value of largest magnitude of each bin, with its sign', () => {
    const series = { data: [1, 5, -3, 2, 0, 0, 2, 7, 0, -9], timesteps: 5, columns: 2 };
    assert.deepEqual(reduceToGrid(series, 'peak', 2, 3), {
      values: Float64Array.of(-3, 2, 0, 5, 7, -9),
      rows: 2,
      bins: 3,
      stepsPerBin: 2,
      channelsPerRow: 1,
    });
    assert.deepEqual(reduceToGrid(series, 'peak', 1, 1).values, Float64Array.of(-9));
    assert.deepEqual(reduceToGrid(series, 'sum', 1, 5).values, Float64Array.of(6, -1, 0, 9, -9));
  });

  it('says how many spikes there are, and their rate where it is a number', () => {
    assert.deepEqual(describeSpikes(1, 100, 1e-3), ['1 spike', 'mean rate 10 spikes/s']);
    assert.deepEqual(describeSpikes(0, 0, 1e-3), ['0 spikes', 'mean rate 0 spikes/s']);
    assert.deepEqual(describeSpikes(12_345, 1e6, 1e-3), [
      '12,345 spikes',
      'mean rate 12.3 spikes/s',
    ]);
    assert.deepEqual(describeSpikes(3 * 2 ** 53, 10, 1), [
      'about 2.70e+16 spikes',
      'mean rate 2700000000000000 spikes/s',
    ]);
    assert.deepEqual(describeSpikes(5, 1, 1e-320), ['5 spikes']);
    // The duration overflows, the rate does not.
    assert.deepEqual(describeSpikes(5, 10, 1e308), ['5 spikes', 'mean rate 5e-309 spikes/s']);
  });

  it('marks bins with values that are not finite', () => {
    const series = { data: [1, NaN, 3, 4, Infinity, 6], timesteps: 6, columns: 1 };
    assert.deepEqual(reduceToGrid(series, 'peak', 1, 3).values, Float64Array.of(NaN, 4, NaN));
  });

  it('thins traces without losing an extreme', () => {
    const data = [0, 1, 5, -2, 3, 3, 3, NaN, NaN];
    const series = { data, timesteps: data.length, columns: 1 };
    const points = traceOf(series, 0, { begin: 0, end: 9 }, 3);
    assert.deepEqual(points, [
      { step: 0, value: 0 },
      { step: 2, value: 5 },
      { step: 3, value: -2 },
      { step: 4, value: 3 },
      { step: 6, value: 3 },
    ]);
  });
});

describe('png', () => {
  it('holds the pixels and the palette', () => {
    const pixels = Uint8Array.of(0, 1, 2, 0, 1, 2, 2, 2, 2);
    const palette = [
      [0, 0, 0],
      [255, 0, 0],
      [1, 2, 3],
    ] as const;
    const png = encodePng(pixels, 3, 3, palette);
    assert.equal(png.toString('latin1', 1, 4), 'PNG');
    assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [3, 3]);
    const begin = png.indexOf('PLTE') + 4;
    assert.deepEqual([...png.subarray(begin, begin + 9)], palette.flat());
    const data = png.indexOf('IDAT');
    const rows = inflateSync(png.subarray(data + 4, data + 4 + png.readUInt32BE(data - 4)));
    // The second row is equal to the first, so it is written as its difference.
    assert.deepEqual([...rows], [0, 0, 1, 2, 2, 0, 0, 0, 0, 2, 2, 2]);
  });
});

describe('figure', () => {
  function recordingOf(shape: number[], valueAt: (index: number) => number): Recording {
    const [columns = 1, timesteps = 1, batches = 1] =
      shape.length === 1 ? [1, ...shape] : [...shape].reverse();
    const data = Float64Array.from({ length: timesteps * columns }, (_, index) => valueAt(index));
    const part = { data, timesteps, columns, type: 'float64' };
    return {
      input: part,
      output: part,
      tau: Float64Array.from({ length: columns }, (_, channel) => 0.01 * (channel + 1)),
      dt: 1e-3,
      name: 'a <recording> & more',
      item: 0,
      batches,
      firstStep: 0,
      firstChannel: 0,
      isWhole: true,
    };
  }

  function checkSvg(svg: string): void {
    assert.match(svg, /^<svg [^>]*viewBox="0 0 \d+ \d+"[^]*<\/svg>$/);
    assert.ok(!/NaN|undefined|Infinity/.test(svg.replace(/base64,[^"]*/g, '')), 'only numbers');
    assert.ok(svg.length < 2e6, `${svg.length} characters`);
    const opened = svg.match(/<[a-z][^>]*[^/]>|<[a-z]>/gi)?.length;
    assert.equal(opened, svg.match(/<\/[a-z]+>/gi)?.length, 'every element is closed');
  }

  it('shows the example with all its panels', async () => {
    const { data, shape, tau, dt, stimuli } = makeExampleRaster();
    const [timesteps, columns] = shape;
    const svg = await drawFigure({
      ...recordingOf([timesteps, columns], (index) => data[index] ?? NaN),
      input: { data, timesteps, columns, type: 'uint8' },
      tau,
      dt,
      name: 'an example',
      stimuli,
    });
    checkSvg(svg);
    for (const text of [
      'an example',
      '48 channels',
      'τ 5 ms to 100 ms',
      'Firing rate, mean of all channels in bins of 50 ms',
      'stimulus 0.25',
      'Spike raster',
      'Mean rate (spikes/s)',
      'Synaptic currents, peak of each 14 ms',
      'Time constant τ (ms)',
      'Synaptic currents of the channels marked above',
      'Close-up of',
      'time (s)',
    ]) {
      assert.ok(svg.includes(text), text);
    }
    // The raster is one path with a stroke for each spike.
    const spikes = data.reduce((a, b) => a + b, 0);
    const strokes = Array.from(
      svg.matchAll(/ d="([^"]*)"/g),
      ([, path = '']) => path.split('M').length,
    );
    assert.ok(strokes.includes(spikes + 1), 'a stroke for each spike');
    assert.equal(svg.match(/data:image\/png;base64/g)?.length, 1);
  });

  it('escapes the name', async () => {
    const svg = await drawFigure(recordingOf([100, 2], (index) => index % 3));
    assert.ok(svg.includes('a &lt;recording&gt; &amp; more'));
  });

  const cases: [name: string, shape: number[], valueAt: (index: number) => number][] = [
    ['one step', [1, 3], (index) => index],
    ['one channel', [700, 1], (index) => (index % 50 === 0 ? 1 : 0)],
    ['one axis', [700], (index) => (index % 50 === 0 ? 1 : 0)],
    ['nothing but zeros', [300, 5], () => 0],
    ['nothing but NaN', [300, 5], () => NaN],
    ['some values that are not finite', [300, 5], (index) => (index % 7 === 0 ? Infinity : 1)],
    ['huge values', [300, 5], (index) => index * 1e300],
    ['tiny values', [300, 5], (index) => index * 1e-310],
    ['the smallest numbers', [300, 5], (index) => (index % 3) * 5e-324],
    ['the largest numbers', [300, 5], (index) => (index % 3) * 8e307],
    ['the largest numbers of both signs', [300, 5], (index) => ((index % 3) - 1) * 1.7e308],
    ['counts whose sum is not exact', [300, 5], () => 2 ** 53 - 1],
  ];
  for (const [name, shape, valueAt] of cases) {
    it(`draws ${name}`, async () => {
      checkSvg(await drawFigure(recordingOf(shape, valueAt)));
    });
  }

  it('draws rates beyond the largest number, and leaves them out of the title', async () => {
    const spikes = recordingOf([300, 5], () => 1);
    const svg = await drawFigure({ ...spikes, dt: 1e-310, tau: undefined });
    checkSvg(svg);
    assert.ok(svg.includes('1,500 spikes') && !svg.includes('mean rate'));
  });

  it('draws what lasts longer than the largest number of seconds', async () => {
    const svg = await drawFigure({ ...recordingOf([300, 5], () => 1), dt: 1e307 });
    checkSvg(svg);
    assert.ok(svg.includes('more than 1e308 s in steps of 1e+307 s'));
  });

  it('takes no number for a count of spikes that is none', async () => {
    for (const value of [1e300, 2 ** 53, 0.5, -1, Infinity, NaN]) {
      const svg = await drawFigure(recordingOf([300, 5], (index) => (index === 7 ? value : 1)));
      assert.ok(!svg.includes('spikes'), String(value));
      assert.ok(svg.includes('>Input'), String(value));
    }
  });

  it('draws an input with signs as a heat map', async () => {
    const svg = await drawFigure(recordingOf([300, 5], (index) => Math.sin(index)));
    checkSvg(svg);
    assert.ok(svg.includes('>Input<'));
    assert.ok(!svg.includes('Spike raster'));
    assert.equal(svg.match(/data:image\/png;base64/g)?.length, 2);
  });

  it('draws item 0 of a batch, and says so', async () => {
    const svg = await drawFigure(recordingOf([3, 200, 2], (index) => (index < 400 ? 1 : 5)));
    checkSvg(svg);
    assert.ok(svg.includes('item 0 of a batch of 3'));
    assert.ok(svg.includes('400 spikes'));
  });

  it('draws a thousand channels as pixels, and says what a pixel is', async () => {
    const svg = await drawFigure(recordingOf([1600, 1000], (index) => (index % 97 === 0 ? 1 : 0)));
    checkSvg(svg);
    assert.ok(svg.includes('darker where more spikes share 4 channels × 3 ms'));
    assert.ok(svg.includes('peak of each 4 channels × 3 ms'));
  });

  it('draws a part with the steps and channels that it has in the whole', async () => {
    const whole = recordingOf([500, 3], (index) => (index % 40 === 0 ? 1 : 0));
    const svg = await drawFigure({
      ...whole,
      firstStep: 2500,
      firstChannel: 70,
      item: 4,
      batches: 9,
    });
    checkSvg(svg);
    for (const text of [
      '500 ms from 2.5 s',
      'channels 70 to 72',
      'item 4 of a batch of 9',
      'channel 71',
    ]) {
      assert.ok(svg.includes(text), text);
    }
    assert.ok(/>2\.7?</.test(svg) || svg.includes('>2.7<'), 'the time axis begins there');
  });

  it('draws a raster without currents, and currents without a raster', async () => {
    const whole = recordingOf([500, 3], (index) => (index % 40 === 0 ? 1 : 0));
    const raster = await drawFigure({ ...whole, output: undefined, tau: undefined });
    checkSvg(raster);
    assert.ok(raster.includes('Spike raster') && !raster.includes('Synaptic current'));
    const currents = await drawFigure({ ...whole, input: undefined, traces: [2] });
    checkSvg(currents);
    assert.ok(!currents.includes('Spike raster') && currents.includes('Synaptic current'));
    assert.ok(currents.includes('>channel 2<') && !currents.includes('>channel 1<'));
  });

  it('refuses a part that might not fit the memory', async () => {
    const source: RasterSource = {
      identity: { path: '/a.npy', format: 'npy', bytes: 0, modified: '', fingerprint: '' },
      identify: () => Promise.reject(new Error('nobody asks')),
      shape: [1, 1e6, 1000],
      nAxes: 2,
      type: 'uint8',
      itemBytes: 1,
      isInterleaved: false,
      read: () => Promise.reject(new Error('it is not read')),
      close: () => Promise.resolve(),
    };
    const request = { input: source, output: undefined, tau: undefined, dt: 1e-3, name: 'a.npy' };
    await assert.rejects(
      loadRecording({ ...request, steps: { begin: 0, end: 200_000 } }),
      isCommandError(
        /^Expected at most 100000000 samples .* received 200000000 in a\.npy; draw less/,
      ),
    );
  });

  it('refuses to draw nothing', async () => {
    const nothing = recordingOf([0, 5], () => 0);
    await assert.rejects(drawFigure(nothing), isCommandError(/at least one time step/));
  });
});
