/**
 * What many calls have in common: the addon's kernel and synapses, made again only if an attribute
 * changes.
 */
import type { NdArray } from '../arrays/arrays';
import type { Dtype } from '../arrays/element-types';
import { methodOf } from './fftw';
import {
  native,
  type ComputedBy,
  type Kernel,
  type KernelDescription,
  type Normalisation,
  type Synapses,
  type SynapsesSettings,
} from '../native/native';

/** The arguments from which the addon makes a kernel; `parameters` are in the kernel's order. */
export interface KernelArguments {
  readonly name: string;
  readonly size: number;
  readonly parameters: readonly Float64Array[];
  readonly dt: number;
  readonly windowTaus: number;
  readonly maxWindowLength: number;
  readonly normalise: Normalisation;
  /** Of a kernel that is given by its samples, (W,) or (W, N). */
  readonly samples: NdArray<Float64Array> | undefined;
}

/** The addon's kernel. Its memory is freed when it is retired and no call holds it. */
export class PreparedKernel {
  readonly native: Kernel;
  /** Length of a step in seconds. */
  readonly dt: number;
  readonly description: KernelDescription;
  #nHolders = 0;
  #isRetired = false;

  constructor(kernel: KernelArguments) {
    const { name, size, parameters, dt, windowTaus, maxWindowLength, normalise, samples } = kernel;
    this.native = new native.Kernel(
      name,
      size,
      parameters,
      dt,
      windowTaus,
      maxWindowLength,
      normalise,
      samples?.data,
      samples?.shape[1] ?? 1,
    );
    this.dt = dt;
    this.description = native.describeKernel(this.native);
  }

  /** Keeps the kernel for a call that may not have been handed to the addon yet. */
  hold(): void {
    this.#nHolders++;
  }

  /** The end of such a call. */
  drop(): void {
    this.#nHolders--;
    this.#releaseIfUnused();
  }

  /** No further call will be made with it. */
  retire(): void {
    this.#isRetired = true;
    this.#releaseIfUnused();
  }

  #releaseIfUnused(): void {
    if (this.#isRetired && this.#nHolders === 0) native.releaseKernel(this.native);
  }
}

/** A kernel and the settings of calls. */
export class PreparedSynapses {
  readonly native: Synapses;
  readonly dtype: Dtype;
  /** Length of the window in steps, or Infinity. */
  readonly windowLength: number;
  /** Numbers of state for each synapse. */
  readonly stateSize: number;
  #choice: { timesteps: number; isSession: boolean; method: ComputedBy } | undefined;

  constructor(
    readonly kernel: PreparedKernel,
    readonly size: number,
    settings: SynapsesSettings,
  ) {
    this.native = new native.Synapses(kernel.native, settings);
    this.dtype = settings.dtype;
    this.windowLength = kernel.description.windowLength;
    this.stateSize = kernel.description.stateSize;
  }

  /**
   * The method that computes a call of so many steps, of a module or of sessions. Throws an error if that
   * needs FFTW in vain.
   */
  methodFor(timesteps: number, isSession = false): ComputedBy {
    if (this.#choice?.timesteps !== timesteps || this.#choice.isSession !== isSession) {
      const method = methodOf(this.native, this.dtype, timesteps, isSession);
      this.#choice = { timesteps, isSession, method };
    }
    return this.#choice.method;
  }
}
