/**
 * Prints hashes of results that must have the same bits on every system: by the recursion, with noise and
 * without, in both precisions. Its argument is the package's folder.
 */
const { createHash } = require('node:crypto');

const [folder] = process.argv.slice(2);

function hashOf({ buffer, byteOffset, byteLength }) {
  return createHash('sha256')
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest('hex');
}

async function main() {
  const { ExpSyn } = require(folder);
  const [steps, channels] = [3000, 37];
  // A generator of 31-bit numbers; one spike in fifty elements.
  let random = 1;
  const data = Float64Array.from({ length: steps * channels }, () => {
    random = (random * 16807) % (2 ** 31 - 1);
    return random % 50 === 0 ? 1 : 0;
  });
  const tau = Float64Array.from({ length: channels }, (_, index) => 0.002 * (index + 1));
  for (const dtype of ['float64', 'float32']) {
    for (const noiseStd of [0, 0.1]) {
      const synapses = new ExpSyn(channels, {
        ...{ tau, dt: 0.001, dtype, noiseStd, seed: 7, method: 'recursive' },
      });
      const { output, state } = await synapses.evolve({ data, shape: [steps, channels] });
      console.log(`${dtype} ${noiseStd} ${hashOf(output.data)} ${hashOf(state.isyn.data)}`);
    }
  }
}

void main();
