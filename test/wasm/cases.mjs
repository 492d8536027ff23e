/** Computations whose results must have the same bits in every build of the package. Runs in browsers, too. */

/** Random numbers in [0, 1), the same everywhere. */
function makeRandom(seed) {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

const INPUTS = {
  uint8: (size, random) => Uint8Array.from({ length: size }, () => (random() < 0.02 ? 1 : 0)),
  int16: (size, random) => Int16Array.from({ length: size }, () => (random() - 0.5) * 100),
  float32: (size, random) => Float32Array.from({ length: size }, () => random() - 0.5),
  float64: (size, random) =>
    Float64Array.from({ length: size }, () => (random() < 0.05 ? random() * 1e-30 : 0)),
};

const DTYPES = ['float64', 'float32'];
const SIZES = [1, 3, 37];
const WINDOWS = [10, Infinity];
const NOISE = [
  { seed: 5 },
  { noiseStd: 0.3, seed: 5 },
  { noiseStd: 0.3, seed: 5, noise: 'state' },
  { noiseStd: 0.3, seed: 5, noise: 'input' },
];

/** The time constants of some synapses, from less than a step to thousands of steps. */
function timeConstants(size) {
  const constants = [0.0004];
  // Not by powers, which engines round differently.
  while (constants.length < size) constants.push(constants.at(-1) * 1.4);
  return constants;
}

function hexOf(array) {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  let hash = 0xcbf29ce484222325n;
  // FNV-1a over words, because browsers have other hashes on secure pages only.
  const words = new BigUint64Array(Math.ceil(bytes.length / 8));
  new Uint8Array(words.buffer).set(bytes);
  for (const word of words) hash = BigInt.asUintN(64, (hash ^ word) * 0x100000001b3n);
  return `${array.length}:${hash.toString(16)}`;
}

async function evolveAll({ ExpSyn }, add) {
  const random = makeRandom(1);
  for (const dtype of DTYPES) {
    for (const size of SIZES) {
      for (const windowTaus of WINDOWS) {
        for (const [i, noise] of NOISE.entries()) {
          for (const [type, makeInput] of Object.entries(INPUTS)) {
            const settings = { dtype, windowTaus, method: 'recursive', ...noise };
            const options = { tau: timeConstants(size), dt: 0.001, ...settings };
            const synapses = new ExpSyn(size, options);
            const shape = [2, 400, size];
            const data = makeInput(2 * 400 * size, random);
            const name = `${dtype} ${size} ${windowTaus} noise ${i} ${type}`;
            const { output, state } = await synapses.evolve({ data, shape });
            add(`${name} output`, hexOf(output.data));
            add(`${name} state`, hexOf(state.isyn.data));
            const next = data.subarray(0, 10 * size);
            const again = synapses.evolveSync({ data: next, shape: [2, 5, size] });
            add(`${name} next`, hexOf(again.output.data));
            add(`${name} saved`, JSON.stringify(synapses));
          }
        }
      }
    }
  }
}

/** A current that decays until it is too small for a normal number, and stays 0. */
function decayAway({ ExpSyn }, add) {
  for (const dtype of DTYPES) {
    const synapses = new ExpSyn(5, { tau: 0.001, dt: 0.001, dtype, windowTaus: Infinity });
    const data = new Float64Array(800 * 5).fill(1, 0, 3).fill(-1, 3, 5);
    const { output } = synapses.evolveSync({ data, shape: [800, 5] });
    add(`${dtype} ends at 0`, String([...output.data.subarray(-5)]));
    // In double precision, the parts of a sum become subnormal before the sum does: see
    // docs/webassembly.md.
    const isSmall = (value) => Math.abs(value) < (dtype === 'float64' ? 1e-270 : 0);
    add(`${dtype} decays away`, hexOf(output.data.filter((value) => !isSmall(value))));
  }
}

/** Kernels that are given by their samples, which the module copies in. */
async function evolveSamples({ FirSyn }, add) {
  const random = makeRandom(4);
  for (const dtype of DTYPES) {
    for (const columns of [1, 6]) {
      const data = Float64Array.from({ length: 90 * columns }, () => random() - 0.4);
      const kernel = { data, shape: columns === 1 ? [90] : [90, columns] };
      const synapses = new FirSyn(6, {
        kernel,
        dtype,
        method: 'direct',
        normalise: 'area',
        seed: 6,
      });
      const session = synapses.session({ seed: 1 });
      const input = { data: INPUTS.float32(200 * 6, random), shape: [200, 6] };
      add(`${dtype} ${columns} samples`, hexOf((await synapses.evolve(input)).output.data));
      add(`${dtype} ${columns} session`, hexOf(session.evolveSync(input).output.data));
      synapses.kernel = data.subarray(0, 7);
      add(`${dtype} ${columns} replaced`, hexOf(synapses.evolveSync(input).output.data));
      add(`${dtype} ${columns} moved`, hexOf(session.evolveSync(input).output.data));
      add(`${dtype} ${columns} saved`, JSON.stringify([synapses, session]));
    }
  }
}

async function runSessions({ ExpSyn }, add) {
  const random = makeRandom(2);
  for (const dtype of DTYPES) {
    const synapses = new ExpSyn(20, { tau: 0.02, dtype, noiseStd: 0.1, seed: 3 });
    const sessions = Array.from({ length: 7 }, (_, k) => synapses.session({ seed: k }));
    const shape = [7, 11, 20];
    const data = INPUTS.float32(7 * 11 * 20, random);
    const first = synapses.evolveSessionsSync(sessions, { data, shape });
    add(`${dtype} sessions`, hexOf(first.output.data));
    data[3 * 11 * 20] = NaN;
    const second = await synapses.evolveSessions(sessions, { data, shape });
    add(
      `${dtype} failures`,
      JSON.stringify(second.failures.map(({ index, error }) => [index, error.message])),
    );
    const good = [0, 1, 2, 4, 5, 6].map((k) =>
      hexOf(second.output.data.subarray(k * 11 * 20, (k + 1) * 11 * 20)),
    );
    add(`${dtype} other sessions`, good.join());
    for (const session of sessions) add(`${dtype} session`, JSON.stringify(session));
    const restored = synapses.restoreSession(JSON.stringify(sessions[2]));
    const { output } = restored.evolveSync({ data: data.subarray(0, 20), shape: [1, 20] });
    add(`${dtype} restored session`, hexOf(output.data));
  }
}

/** Arrays of the caller's own: the input's memory as the output, parts of buffers, transferred ones. */
async function useOwnArrays({ ExpSyn }, add) {
  const random = makeRandom(3);
  const make = () => new ExpSyn(6, { tau: 0.01, windowTaus: 5 });
  const data = INPUTS.float64(100 * 6, random);
  const inPlace = Float64Array.from(data);
  make().evolveSync({ data: inPlace, shape: [100, 6] }, { out: inPlace });
  add('in place', hexOf(inPlace));
  const buffer = new Float64Array(3 * 600).fill(7);
  await make().evolve({ data, shape: [100, 6] }, { out: buffer.subarray(600, 1200) });
  add('a part of a buffer', hexOf(buffer));
  const out = new Float64Array(600);
  const input = Float64Array.from(data);
  const { output } = await make().evolve({ data: input, shape: [100, 6] }, { out, transfer: true });
  add('transferred', `${input.length} ${out.length} ${hexOf(output.data)}`);
  const bad = Float64Array.from(data);
  bad[77] = Infinity;
  add(
    'refused in place',
    await messageOf(() => make().evolveSync({ data: bad, shape: [100, 6] }, { out: bad })),
  );
  add('refused input is complete', hexOf(bad));
}

async function messageOf(call) {
  try {
    await call();
    return 'no error';
  } catch (error) {
    return `${error.name} ${error.code} ${error.message}`;
  }
}

async function findErrors({ ExpSyn, FirSyn }, add) {
  const synapses = new ExpSyn(2);
  const wrong = [
    () => new ExpSyn(0),
    () => new ExpSyn(2, { tau: -0 }),
    () => new ExpSyn(2, { tau: 'a "word" isn\'t a number' }),
    () => new ExpSyn(2, { colour: 1 }),
    () => new ExpSyn(2, new Map()),
    () => new FirSyn(2, { kernel: [1, -1], normalise: 'area' }),
    () => new FirSyn(2, { kernel: [1, NaN] }),
    () => synapses.evolveSync([[1, 2, 3]]),
    () => synapses.evolve([[1, NaN]]),
    () => synapses.evolve([[1, 2]], { signal: AbortSignal.abort(new Error('the reason')) }),
  ];
  for (const [i, call] of wrong.entries()) add(`error ${i}`, await messageOf(call));
}

/** All results, as pairs of a name and a text. */
export async function computeAll(expsyn) {
  const results = [];
  const add = (name, text) => results.push([name, text]);
  await evolveAll(expsyn, add);
  decayAway(expsyn, add);
  await evolveSamples(expsyn, add);
  await runSessions(expsyn, add);
  await useOwnArrays(expsyn, add);
  await findErrors(expsyn, add);
  return results;
}
