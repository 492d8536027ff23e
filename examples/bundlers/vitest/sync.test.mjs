import { ExpSyn } from 'expsyn';
import { expect, test } from 'vitest';

test('a current decays', () => {
  const synapses = new ExpSyn(1, { tau: 0.01, dt: 0.001 });
  const { output } = synapses.evolveSync([[1], [0]]);
  expect(output.data[1]).toBeCloseTo(Math.exp(-0.2), 12);
});
