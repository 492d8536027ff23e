import { ExpSyn } from 'expsyn';
import { expect, test } from 'vitest';

test('a current decays', async () => {
  const synapses = new ExpSyn(1, { tau: 0.01, dt: 0.001 });
  const raster = { data: new Uint8Array([1, 0]), shape: [2, 1] };
  const { output } = await synapses.evolve(raster);
  expect(output.data[1]).toBeCloseTo(Math.exp(-0.2), 12);
});
