import { CommandError } from '../errors';

/** Pixels for one unit of the drawing. */
const SCALE = 2;

/**
 * Turns an SVG drawing into a PNG picture.
 *
 * @throws CommandError when the package that does so is not installed, or no font is.
 */
export async function rasterise(svg: string): Promise<Buffer> {
  const { createCanvas, GlobalFonts, loadImage } = await loadCanvas();
  if (GlobalFonts.families.length === 0) {
    throw new CommandError(
      'Expected a font on this system for a .png picture but found none; install one, such as ' +
        'DejaVu Sans, or draw a .svg picture.',
    );
  }
  const image = await loadImage(Buffer.from(svg));
  const canvas = createCanvas(image.width * SCALE, image.height * SCALE);
  const drawing = canvas.getContext('2d');
  drawing.fillStyle = 'white';
  drawing.fillRect(0, 0, canvas.width, canvas.height);
  drawing.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas.encode('png');
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
