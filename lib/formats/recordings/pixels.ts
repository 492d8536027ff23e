/** Events of cameras: the channel of a pixel. */
import type { Elements } from '../elements';
import { toNumbers } from '../events/event-files';
import type { EventTable } from '../events/event-table';

/** The channel of a pixel: (p H + y) W + x, for W columns and H rows of pixels. */
export function pixelsOf(
  x: Elements,
  y: Elements | undefined,
  p: Elements | undefined,
): Pick<EventTable, 'ids' | 'nChannels'> {
  const columns = toNumbers(x);
  const [rows, polarities] = [y, p].map((list) => list && toNumbers(list));
  const sizeOf = (list: ArrayLike<number> | undefined): number => {
    let most = 0;
    for (let event = 0; event < (list?.length ?? 0); event++) {
      most = Math.max(most, list?.[event] ?? 0);
    }
    return most + 1;
  };
  const [width, height] = [sizeOf(columns), sizeOf(rows)];
  const ids = Float64Array.from({ length: columns.length }, (_, event) => {
    const row = rows?.[event] ?? 0;
    // Some cameras tell -1 and 1.
    const polarity = (polarities?.[event] ?? 0) > 0 ? 1 : 0;
    return (polarity * height + row) * width + (columns[event] ?? NaN);
  });
  return { ids, nChannels: width * height * (polarities === undefined ? 1 : 2) };
}
