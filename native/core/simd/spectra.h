#ifndef EXPSYN_CORE_SIMD_SPECTRA_H_
#define EXPSYN_CORE_SIMD_SPECTRA_H_

#include <cstdint>

namespace expsyn::simd {

// Spectra: arrays of complex numbers.
template <typename Real>
struct SpectrumOps {
  // spectrum[i] *= kernel[i] for `size` complex numbers, real and imaginary parts interleaved.
  void (*multiply_spectra)(Real* spectrum, const Real* kernel, std::int64_t size);
  // sum[i] += spectrum[i] * kernel[i], of the same form.
  void (*add_product_of_spectra)(Real* sum, const Real* spectrum, const Real* kernel,
                                 std::int64_t size);
  // The same for the spectrum of a pair of signals, whose real and imaginary parts are arrays of
  // their own, and the spectrum of a real kernel, which has length / 2 + 1 numbers, because
  // kernel[length - i] is the complex conjugate of kernel[i]. The length is even.
  void (*multiply_pair)(Real* real, Real* imaginary, const Real* kernel_real,
                        const Real* kernel_imaginary, std::int64_t length);
};

}  // namespace expsyn::simd

#endif  // EXPSYN_CORE_SIMD_SPECTRA_H_
