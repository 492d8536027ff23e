import { decodeSource, encodeSource, type SavedSource } from './saved-source';
import { CurrentsMemory, type Engine, type Parameters, type Source } from './engine';

/**
 * The loop that one would write without the package, to compare with, one sample after the other:
 * isyn <- (isyn + input) exp(-dt / tau) or, for kernels that rise,
 * isyn <- isyn a + first (rising + input), rising <- (rising + input) b. Noise is added to the output; it has
 * no seed.
 */
export class LoopEngine implements Engine {
  readonly #memory = new CurrentsMemory();

  open(parameters: Parameters): Source {
    return new LoopSource(
      parameters,
      new Float64Array(parameters.channels),
      new Float64Array(parameters.channels),
      0,
    );
  }

  restore(parameters: Parameters, saved: unknown): Source {
    const { channels, kernel } = parameters;
    const { isyn, rising, step } = decodeSource(saved, Float64Array, channels, kernel !== 'exp');
    const own = rising?.data ?? new Float64Array(channels);
    return new LoopSource(parameters, isyn.data, own, step);
  }

  keyOf(source: Source): unknown {
    return JSON.stringify(source.parameters);
  }

  evolve(sources: readonly LoopSource[], spikes: Uint8Array, steps: number): Float32Array {
    const currents = this.#memory.take(spikes.length);
    let i = 0;
    for (const source of sources) {
      const { parameters } = source;
      const own = currents.subarray(i, i + steps * parameters.channels);
      if (parameters.kernel === 'exp') decayOnly(source, spikes.subarray(i), own);
      else riseAndDecay(source, spikes.subarray(i), own);
      i += own.length;
      source.step += steps;
    }
    const [{ parameters } = {}] = sources;
    const deviation = (parameters?.noiseStd ?? 0) * Math.sqrt(parameters?.dt ?? 0);
    if (deviation > 0) addNoise(currents, deviation);
    return currents;
  }
}

function decayOnly({ isyn, parameters }: LoopSource, spikes: Uint8Array, out: Float32Array): void {
  const decay = Math.exp(-parameters.dt / parameters.tau);
  const size = isyn.length;
  for (let i = 0; i < out.length;) {
    for (let n = 0; n < size; n++, i++) {
      const current = ((isyn[n] ?? 0) + (spikes[i] ?? 0)) * decay;
      isyn[n] = current;
      out[i] = current;
    }
  }
}

function riseAndDecay(source: LoopSource, spikes: Uint8Array, out: Float32Array): void {
  const { isyn, rising, parameters } = source;
  const { a, b, first } = coefficientsOf(parameters);
  const size = isyn.length;
  for (let i = 0; i < out.length;) {
    for (let n = 0; n < size; n++, i++) {
      const arriving = (rising[n] ?? 0) + (spikes[i] ?? 0);
      const current = (isyn[n] ?? 0) * a + first * arriving;
      isyn[n] = current;
      rising[n] = arriving * b;
      out[i] = current;
    }
  }
}

/** With time constants that are this similar, the difference of the exponentials is mostly rounding. */
const SIMILAR = 1e-5;

/** The decay in a step, that of what is rising, and the kernel's first sample. */
function coefficientsOf({ kernel, tau, tauRise, dt }: Parameters) {
  const a = Math.exp(-dt / tau);
  if (kernel === 'alpha' || tau - tauRise < SIMILAR * tau) {
    return { a, b: a, first: Math.E * (dt / tau) * a };
  }
  const b = Math.exp(-dt / tauRise);
  const peakTime = ((tau * tauRise) / (tau - tauRise)) * Math.log(tau / tauRise);
  const peak = Math.exp(-peakTime / tau) - Math.exp(-peakTime / tauRise);
  return { a, b, first: (a - b) / peak };
}

/** Adds normal noise, two numbers at a time, by the Box-Muller transform. */
function addNoise(currents: Float32Array, deviation: number): void {
  for (let i = 0; i < currents.length; i += 2) {
    const radius = deviation * Math.sqrt(-2 * Math.log(1 - Math.random()));
    const angle = 2 * Math.PI * Math.random();
    currents[i] = (currents[i] ?? 0) + radius * Math.cos(angle);
    if (i + 1 < currents.length) {
      currents[i + 1] = (currents[i + 1] ?? 0) + radius * Math.sin(angle);
    }
  }
}

class LoopSource implements Source {
  constructor(
    public parameters: Parameters,
    readonly isyn: Float64Array,
    readonly rising: Float64Array,
    public step: number,
  ) {}

  change(parameters: Parameters): void {
    if (parameters.kernel === 'exp') this.rising.fill(0);
    this.parameters = parameters;
  }

  save(): SavedSource {
    const { isyn, rising, step, parameters } = this;
    const isRising = parameters.kernel !== 'exp';
    return encodeSource({
      isyn: { data: isyn },
      rising: isRising ? { data: rising } : undefined,
      step,
      seed: 0,
    });
  }

  close(): void {
    // A plain array needs no release.
  }
}
