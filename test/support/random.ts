/** Random numbers that are the same in every run. */

/** Numbers from 0 up to 1, from a seed: a linear congruential generator, good enough for inputs of tests. */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return state / 0x80000000;
  };
}
