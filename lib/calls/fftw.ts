/** FFTW, which the addon loads when it first needs it: what was found, and what to do without it. */
import { DTYPES, type Dtype } from '../arrays/element-types';
import { fftwMissing, fftwWarning, type MissingFftw } from '../errors/fftw-missing';
import { native, type ComputedBy, type Synapses } from '../native/native';

/** A library of FFTW that is in use. */
export interface FftwLibrary {
  /** Its file. */
  readonly path: string;
  /** As FFTW names it: 'fftw-3.3.10-sse2-avx'. The last digits of method 'fft' depend on it. */
  readonly version: string;
}

/**
 * The libraries of FFTW that method 'fft' uses; null where there is none. Calls in float64 need that of
 * float64, calls in float32 need both. They are loaded, once for the process, if they have not been yet:
 * from where the environment variable EXPSYN_FFTW says, or from where the system keeps its libraries.
 */
export function fftw(): Record<Dtype, FftwLibrary | null> {
  const found = DTYPES.map((dtype) => {
    const library = native.fftw(dtype);
    return [dtype, 'reason' in library ? null : library];
  });
  return Object.fromEntries(found) as Record<Dtype, FftwLibrary | null>;
}

/** Why a library is missing; undefined if it is there. */
function reasonOf(dtype: Dtype): string | undefined {
  const library = native.fftw(dtype);
  return 'reason' in library ? library.reason : undefined;
}

/** Which library is missing for calls of a dtype, and why. */
function missingFor(dtype: Dtype): MissingFftw {
  const single = dtype === 'float32' ? reasonOf('float32') : undefined;
  const [precision, reason] =
    single === undefined ? ['double', reasonOf('float64') ?? ''] : ['single', single];
  return { expected: `FFTW in ${precision} precision`, received: `none (${reason})` };
}

/**
 * The method that computes a call of so many steps. If FFTW is missing, a kernel without a recursion is
 * summed directly, with one warning in the process.
 *
 * @throws An error of code ERR_EXPSYN_FFTW_MISSING if the method must be 'fft'.
 */
export function methodOf(
  synapses: Synapses,
  dtype: Dtype,
  timesteps: number,
  isSession: boolean,
): ComputedBy {
  const method = synapses.methodFor(timesteps, isSession);
  // The recursion is no substitute: it is about as fast.
  if (method === 'recursive' || !synapses.lacksFftw(timesteps, isSession)) return method;
  if (method === 'fft') throw fftwMissing(missingFor(dtype));
  if (native.takeFftwWarning()) {
    process.emitWarning(fftwWarning(missingFor(dtype)), {
      type: 'ExpSynWarning',
      code: 'WARN_EXPSYN_FFTW_MISSING',
    });
  }
  return method;
}
