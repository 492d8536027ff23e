/** Pictures in .png files: they show what the .svg pictures show, the images within them too. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';

import { createCanvas, loadImage } from '@napi-rs/canvas';

import { drawFigure, drawFigureAsPng, type Recording } from '../../lib/figure/figure';
import { writeNpyFile } from '../../lib/formats/npy/npy';
import { succeed } from '../support/command-line';
import { emptyFolders } from '../support/folders';

/** Pixels of a .png picture for one unit of the .svg picture. */
const SCALE = 2;

/** Red, green, blue and opacity of every pixel. */
interface Pixels {
  data: Uint8ClampedArray;
  width: number;
  height: number;
}

/** An image within an SVG picture, and where it is, in the units of the picture. */
interface Placed {
  image: Pixels;
  x: number;
  y: number;
  width: number;
  height: number;
}

async function decode(png: Buffer): Promise<Pixels> {
  const image = await loadImage(png);
  const { width, height } = image;
  const drawing = createCanvas(width, height).getContext('2d');
  drawing.drawImage(image, 0, 0);
  return drawing.getImageData(0, 0, width, height);
}

function colourAt({ data, width }: Pixels, x: number, y: number): number[] {
  const at = 4 * (y * width + x);
  return [...data.subarray(at, at + 4)];
}

/** The images of an SVG picture; groups move what is in them. */
async function imagesOf(svg: string): Promise<Placed[]> {
  const offsets: [x: number, y: number][] = [[0, 0]];
  const images: Placed[] = [];
  for (const [, end, name = '', attributes = '', isEmpty] of svg.matchAll(
    /<(\/?)(\w+)([^>]*?)(\/?)>/g,
  )) {
    if (end === '/') {
      offsets.pop();
      continue;
    }
    const valueOf = (key: string): string =>
      new RegExp(`\\b${key}="([^"]*)"`).exec(attributes)?.[1] ?? '';
    const [, dx = 0, dy = 0] = /translate\(([-\d.]+),([-\d.]+)\)/.exec(valueOf('transform')) ?? [];
    const [x, y] = offsets.at(-1) ?? [0, 0];
    const own: [number, number] = [x + Number(dx), y + Number(dy)];
    if (isEmpty !== '/') offsets.push(own);
    if (name !== 'image') continue;
    const [, base64 = ''] = /^data:image\/png;base64,(.*)$/.exec(valueOf('xlink:href')) ?? [];
    images.push({
      image: await decode(Buffer.from(base64, 'base64')),
      x: own[0],
      y: own[1],
      width: Number(valueOf('width')),
      height: Number(valueOf('height')),
    });
  }
  return images;
}

/** Every pixel of the .png picture that lies within one pixel of an image has its colour. */
function checkShown(picture: Pixels, { image, x, y, width, height }: Placed, right: number): void {
  // What reaches beyond the panel is clipped.
  const end = Math.floor(Math.min(x + width, right) * SCALE);
  const columnAt = (at: number): number => Math.floor(((at / SCALE - x) / width) * image.width);
  const rowAt = (at: number): number => Math.floor(((at / SCALE - y) / height) * image.height);
  const colours = new Set<string>();
  let checked = 0;
  for (let py = Math.ceil(y * SCALE) + 1; py < Math.floor((y + height) * SCALE) - 1; py += 5) {
    for (let px = Math.ceil(x * SCALE) + 1; px < end - 1; px += 2) {
      const expected = colourAt(image, columnAt(px + 0.5), rowAt(py + 0.5));
      const isEdge = [0.1, 0.9].some((part) =>
        [0.1, 0.9].some(
          (other) =>
            colourAt(image, columnAt(px + part), rowAt(py + other)).join() !== expected.join(),
        ),
      );
      if (isEdge) continue;
      assert.deepEqual(colourAt(picture, px, py), expected, `at ${px}, ${py}`);
      colours.add(expected.join());
      checked++;
    }
  }
  assert.ok(colours.size > 1, 'more than one colour');
  assert.ok(checked > 0.01 * width * height, `${checked} pixels`);
}

/** Whether the pixels just outside of the panel's right end are the background's. */
function checkClipped(picture: Pixels, { y, height }: Placed, right: number): void {
  const middle = Math.round((y + height / 2) * SCALE);
  assert.deepEqual(colourAt(picture, right * SCALE + 1, middle), [255, 255, 255, 255]);
}

const PANEL_WIDTH = 760;

async function check(svg: string, png: Buffer, nImages: number): Promise<void> {
  const picture = await decode(png);
  const [, width, height] = /width="(\d+)" height="(\d+)"/.exec(svg) ?? [];
  assert.deepEqual(
    [picture.width, picture.height],
    [Number(width) * SCALE, Number(height) * SCALE],
  );
  const images = await imagesOf(svg);
  assert.equal(images.length, nImages);
  for (const placed of images) {
    checkShown(picture, placed, placed.x + PANEL_WIDTH);
    checkClipped(picture, placed, placed.x + PANEL_WIDTH);
  }
}

describe('.png pictures', () => {
  emptyFolders();

  function partOf(
    timesteps: number,
    columns: number,
    valueAt: (step: number, channel: number) => number,
  ) {
    const data = Float64Array.from({ length: timesteps * columns }, (_, index) =>
      valueAt(Math.floor(index / columns), index % columns),
    );
    return { data, timesteps, columns, type: 'float64' };
  }

  const whole = {
    input: undefined,
    output: undefined,
    tau: undefined,
    dt: 1e-3,
    name: 'a recording',
    item: 0,
    batches: 1,
    firstStep: 0,
    firstChannel: 0,
    isWhole: true,
  };
  const currents = partOf(900, 24, (step, channel) => (step * channel) % 101);
  const signed = partOf(90, 3, (step, channel) => Math.sin(step / 7 + channel));
  const dense = partOf(1600, 600, (step, channel) => ((step * 600 + channel) % 97 === 0 ? 2 : 0));
  const cases: [name: string, recording: Recording, nImages: number][] = [
    ['currents', { ...whole, output: currents }, 1],
    [
      'currents of both signs, and an input that is no raster',
      { ...whole, input: signed, output: signed },
      2,
    ],
    ['a raster with too many spikes for ticks', { ...whole, input: dense }, 1],
    ['a dense raster and its currents', { ...whole, input: dense, output: dense }, 2],
    [
      'a part of an item of a batch',
      { ...whole, output: currents, item: 2, batches: 5, firstStep: 700, firstChannel: 30 },
      1,
    ],
    [
      'values that are not finite',
      { ...whole, output: partOf(50, 4, (step) => (step % 5 === 0 ? NaN : step)) },
      1,
    ],
    ['one channel', { ...whole, output: partOf(40, 1, (step) => step) }, 1],
    [
      'fewer steps than channels',
      { ...whole, output: partOf(2, 300, (step, channel) => step + channel) },
      1,
    ],
  ];
  for (const [name, recording, nImages] of cases) {
    it(`shows ${name} as the .svg picture does`, async () => {
      await check(await drawFigure(recording), await drawFigureAsPng(recording), nImages);
    });
  }

  it('are what run and plot draw into a file whose name ends in .png', async () => {
    const data = Uint8Array.from({ length: 4800 }, (_, index) => (index % 13 === 0 ? 1 : 0));
    await writeNpyFile('raster.npy', { data, shape: [2, 400, 6] });
    for (const ending of ['svg', 'png']) {
      await succeed('raster.npy', '--out', 'isyn.npy', '--plot', `run.${ending}`);
      await succeed('plot', 'isyn.npy', '--item', '1', '--out', `plot.${ending}`);
    }
    for (const name of ['run', 'plot']) {
      await check(await readFile(`${name}.svg`, 'utf8'), await readFile(`${name}.png`), 1);
    }
  });
});
