/**
 * A program that uses the package, for installations of it: main.cjs and main.mjs load it and call this.
 * Compares results with numbers that are known. It needs no FFTW.
 */
const assert = require('node:assert/strict');

/** The currents of a spike, after 1 to 100 steps, for these time constants. */
async function checkResponse({ ExpSyn }) {
  const taus = [0.01, 0.05, 0.1, 0.2];
  const dt = 0.001;
  const steps = 100;
  const raster = new Uint8Array(steps * taus.length).fill(1, 0, taus.length);
  const input = { data: raster, shape: [steps, taus.length] };
  const synapses = new ExpSyn(taus.length, { tau: taus, dt, method: 'recursive' });
  const { output, record } = await synapses.evolve(input);
  assert.deepEqual(output.shape, [1, steps, taus.length]);
  assert.equal(record.method, 'recursive');
  for (let step = 0; step < steps; step++) {
    taus.forEach((tau, synapse) => {
      const expected = Math.exp((-(step + 1) * dt) / tau);
      const actual = output.data[step * taus.length + synapse];
      assert.ok(Math.abs(actual - expected) <= 1e-12, `${actual} in place of ${expected}`);
    });
  }
}

/** Noise has the same bits on every system. */
function checkNoise({ ExpSyn }) {
  const synapses = new ExpSyn(2, {
    tau: [0.01, 0.02],
    noiseStd: 0.1,
    seed: 7,
    method: 'recursive',
  });
  const { output } = synapses.evolveSync([
    [1, 0],
    [0, 1],
    [0, 0],
  ]);
  assert.deepEqual([...output.data], KNOWN_NOISE);
}

const KNOWN_NOISE = [
  0.9057726768194, 0.0002336850582600058, 0.8151897423958183, 0.9488966083822663, 0.74601578114844,
  0.9135009280972571,
];

async function checkStreams({ ExpSyn }, { iterate }) {
  let total = 0;
  for await (const currents of iterate(new ExpSyn(2, { dtype: 'float32' }), [new Uint8Array(8)])) {
    assert.ok(currents instanceof Float32Array);
    total += currents.length;
  }
  assert.equal(total, 8);
}

/** Resolves to a line that says what has passed; rejects if a result is wrong. */
module.exports = async function check(expsyn, streams) {
  await checkResponse(expsyn);
  checkNoise(expsyn);
  await checkStreams(expsyn, streams);
  return `expsyn computes the known numbers on ${process.platform}-${process.arch}`;
};
