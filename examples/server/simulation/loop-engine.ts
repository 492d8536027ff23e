import { decodeSource, encodeSource, type SavedSource } from './saved-source';
import { CurrentsMemory, type Engine, type Parameters, type Source } from './engine';

/**
 * The loop that one would write without the package, to compare with:
 * isyn <- (isyn + input) exp(-dt / tau), one sample after the other, with noise added to the output. The
 * noise has no seed.
 */
export class LoopEngine implements Engine {
  readonly #memory = new CurrentsMemory();

  open(parameters: Parameters): Source {
    return new LoopSource(parameters, new Float64Array(parameters.channels), 0);
  }

  restore(parameters: Parameters, saved: unknown): Source {
    const { isyn, step } = decodeSource(saved, Float64Array, parameters.channels);
    return new LoopSource(parameters, isyn, step);
  }

  keyOf(source: Source): unknown {
    return JSON.stringify(source.parameters);
  }

  evolve(sources: readonly LoopSource[], spikes: Uint8Array, steps: number): Float32Array {
    const currents = this.#memory.take(spikes.length);
    let i = 0;
    for (const source of sources) {
      const { isyn, parameters } = source;
      const decay = Math.exp(-parameters.dt / parameters.tau);
      const size = isyn.length;
      for (let t = 0; t < steps; t++) {
        for (let n = 0; n < size; n++, i++) {
          const current = ((isyn[n] ?? 0) + (spikes[i] ?? 0)) * decay;
          isyn[n] = current;
          currents[i] = current;
        }
      }
      source.step += steps;
    }
    const [{ parameters } = {}] = sources;
    const deviation = (parameters?.noiseStd ?? 0) * Math.sqrt(parameters?.dt ?? 0);
    if (deviation > 0) addNoise(currents, deviation);
    return currents;
  }
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
    public step: number,
  ) {}

  change(parameters: Parameters): void {
    this.parameters = parameters;
  }

  save(): SavedSource {
    return encodeSource(this.isyn, this.step, 0);
  }

  close(): void {
    // A plain array needs no release.
  }
}
