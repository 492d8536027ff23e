import type { View } from 'vega' with { 'resolution-mode': 'import' };

import { CommandError } from '../errors/command-errors';

/** Pixels for one unit of the drawing. */
const SCALE = 2;

/** What Vega draws: marks of items, of which those of groups hold marks. */
interface Mark {
  marktype: string;
  items: (Partial<ImageItem> & { items?: Mark[] })[];
}

interface ImageItem {
  url: string;
  image: unknown;
}

/**
 * Renders a Vega view as a PNG picture, by Vega's own calls of the canvas: the canvas library can
 * draw an SVG too, but leaves out the images within it, which are the heat maps.
 *
 * @throws CommandError when the canvas library is not installed, or no font is.
 */
export async function renderPng(view: View): Promise<Buffer> {
  const { createCanvas, GlobalFonts, loadImage } = await loadCanvas();
  if (GlobalFonts.families.length === 0) {
    throw new CommandError(
      'Expected a font on this system for a .png picture but found none; install one, such as ' +
        'DejaVu Sans, or draw a .svg picture.',
    );
  }
  // Only the SVG tells the size of the whole picture.
  const [, width, height] =
    /^<svg [^>]*width="([\d.]+)" height="([\d.]+)"/.exec(await view.toSVG()) ?? [];
  const canvas = createCanvas(Number(width) * SCALE, Number(height) * SCALE);
  // Vega cannot load images in Node, but draws those that are loaded.
  const { root } = view.scenegraph() as unknown as { root: Mark };
  for (const item of imagesIn(root)) {
    const { url } = item;
    item.image = Object.assign(await loadImage(url), { url });
  }
  await view.toCanvas(SCALE, { externalContext: canvas.getContext('2d') });
  return canvas.encode('png');
}

function imagesIn({ marktype, items }: Mark): ImageItem[] {
  if (marktype === 'image') return items as ImageItem[];
  return items.flatMap((item) => (item.items ?? []).flatMap(imagesIn));
}

async function loadCanvas() {
  try {
    return await import('@napi-rs/canvas');
  } catch (cause) {
    throw new CommandError(
      "Expected the package that makes .png pictures but it could not be loaded; run 'npm install " +
        "@napi-rs/canvas', or draw a .svg picture.",
      { cause },
    );
  }
}
