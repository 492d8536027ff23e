/** The part of @echogarden/pffft-wasm that the benchmark uses; the package has no types of its own. */
declare module '@echogarden/pffft-wasm/simd' {
  /** Pointers are addresses in the module's memory. */
  interface Pffft {
    readonly HEAPF32: Float32Array;
    /** isComplex is 0 or 1. */
    _pffft_new_setup(length: number, isComplex: number): number;
    _pffft_aligned_malloc(bytes: number): number;
    /** isInverse is 0 or 1. The order of the spectrum is the library's own. */
    _pffft_transform(
      setup: number,
      input: number,
      output: number,
      work: number,
      isInverse: number,
    ): void;
    /** sum += scale * a * b, for spectra in the library's own order. */
    _pffft_zconvolve_accumulate(
      setup: number,
      a: number,
      b: number,
      sum: number,
      scale: number,
    ): void;
  }
  const load: () => Promise<Pffft>;
  export default load;
}
