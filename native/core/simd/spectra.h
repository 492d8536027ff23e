#ifndef EXPSYN_CORE_SIMD_SPECTRA_H_
#define EXPSYN_CORE_SIMD_SPECTRA_H_

#include <cstdint>

namespace expsyn::simd {

// Spectra: arrays of complex numbers, real and imaginary parts interleaved.
template <typename Real>
struct SpectrumOps {
  // spectrum[i] *= kernel[i] for `size` complex numbers.
  void (*multiply_spectra)(Real* spectrum, const Real* kernel, std::int64_t size);
};

}  // namespace expsyn::simd

#endif  // EXPSYN_CORE_SIMD_SPECTRA_H_
