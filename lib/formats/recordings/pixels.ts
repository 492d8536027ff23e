/** Events of cameras: the channel of a pixel. */
import { CommandError } from '../../errors/command-errors';
import { message, option } from '../../errors/message';
import type { Elements } from '../elements';
import type { EventOptions } from '../event-options';
import { toNumbers } from '../events/event-files';
import type { EventTable } from '../events/event-table';

/** Where each event was, as far as the file tells. */
interface Pixels {
  x: Elements;
  y: Elements | undefined;
  /** Its polarity. */
  p: Elements | undefined;
}

/**
 * The channel of each pixel: (p H + y) W + x, for W columns and H rows.
 *
 * @param place What to call the list.
 * @param sensor W and H; without it, they are those of the largest pixel.
 */
export function pixelsOf(
  { x, y, p }: Pixels,
  place: string,
  sensor: EventOptions['sensor'],
): Pick<EventTable, 'ids' | 'nChannels' | 'isOfPixels'> {
  const [columns, rows, polarities] = [x, y, p].map((list) => list && toNumbers(list));
  const sizeOf = (list: ArrayLike<number> | undefined, most: number): number => {
    let size = 1;
    for (let event = 0; event < (list?.length ?? 0); event++) {
      const at = list?.[event] ?? NaN;
      if (!Number.isInteger(at) || at < 0 || at >= most) throw outside(event);
      size = Math.max(size, at + 1);
    }
    return size;
  };
  const outside = (event: number): CommandError => {
    const found = [columns, rows].flatMap((list) => (list ? String(list[event]) : []));
    const [width, height] = sensor ?? [];
    const expected = sensor ? `pixels of a camera of ${width} x ${height}` : 'pixels';
    return new CommandError(
      message`Expected ${expected}, whole numbers from 0 on, in ${place} but event ${event} is at (${found.join(', ')})\
${sensor ? message`; check ${option('sensor')}` : ''}.`,
    );
  };
  // Of a camera without rows, the size of a sensor says nothing.
  const isOfPixels = rows !== undefined;
  const [most, mostRows] = (isOfPixels ? sensor : undefined) ?? [Infinity, Infinity];
  const largest = [sizeOf(columns, most), sizeOf(rows, mostRows)] as const;
  const [width, height] = (isOfPixels ? sensor : undefined) ?? largest;
  const ids = Float64Array.from({ length: x.length }, (_, event) => {
    // Some cameras tell -1 and 1.
    const polarity = (polarities?.[event] ?? 0) > 0 ? 1 : 0;
    return (polarity * height + (rows?.[event] ?? 0)) * width + (columns?.[event] ?? NaN);
  });
  const nChannels = width * height * (polarities === undefined ? 1 : 2);
  return { ids, nChannels, isOfPixels };
}
