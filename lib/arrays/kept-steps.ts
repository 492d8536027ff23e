/** Which steps of an output are kept, and what stands for the others. */

/** What stands for a group of steps. */
export type Reduce = 'last' | 'mean' | 'peak';

/** The default first. The addon knows them by their places here. */
export const REDUCTIONS: readonly Reduce[] = ['last', 'mean', 'peak'];

/**
 * The places, among all kept steps, of those that lie in a range of steps.
 *
 * @param begin The absolute number of the range's first step.
 * @param end That of the step after its last one.
 * @param every A step is kept if its absolute number + 1 is a multiple of this. Infinity keeps none.
 */
export function keptSteps(
  begin: number,
  end: number,
  every: number,
): { begin: number; end: number } {
  return { begin: Math.floor(begin / every), end: Math.floor(end / every) };
}
