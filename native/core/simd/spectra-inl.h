#ifndef EXPSYN_CORE_SIMD_SPECTRA_INL_H_
#define EXPSYN_CORE_SIMD_SPECTRA_INL_H_

#include <utility>

#include "simd/spectra.h"
#include "simd/vectors-inl.h"

namespace expsyn::simd::EXPSYN_SIMD_SET {

// spectrum *= kernel for n / 2 complex numbers, with shuffles, a product with alternating signs and
// a sum. If products were subtracted and added in alternating lanes, GCC would use the fused
// instruction for it where the processor has one, even with -ffp-contract=off, and that rounds
// differently.
#if defined(EXPSYN_HAS_SHUFFLE)
template <int n, typename Real, int... lane>
EXPSYN_INLINE Vector<Real, n> ProductOfComplex(const Real* spectrum, const Real* kernel,
                                               std::integer_sequence<int, lane...>) {
  using V = Vector<Real, n>;
  constexpr V kSigns{(lane % 2 == 0 ? Real{-1} : Real{1})...};
  V value, factor;
  Load(spectrum, value);
  Load(kernel, factor);
  const V swapped = __builtin_shufflevector(value, value, (lane ^ 1)...);
  const V real = __builtin_shufflevector(factor, factor, (lane & ~1)...);
  const V imaginary = __builtin_shufflevector(factor, factor, (lane | 1)...);
  return value * real + swapped * (imaginary * kSigns);
}

template <int n, typename Real>
EXPSYN_INLINE void MultiplyComplex(Real* spectrum, const Real* kernel) {
  Store(ProductOfComplex<n>(spectrum, kernel, std::make_integer_sequence<int, n>()), spectrum);
}

template <int n, typename Real>
EXPSYN_INLINE void AddProductOfComplex(Real* sum, const Real* spectrum, const Real* kernel) {
  Vector<Real, n> total;
  Load(sum, total);
  total += ProductOfComplex<n>(spectrum, kernel, std::make_integer_sequence<int, n>());
  Store(total, sum);
}
#endif

template <typename Real>
void MultiplySpectra(Real* __restrict spectrum, const Real* __restrict kernel, std::int64_t size) {
#if defined(EXPSYN_HAS_SHUFFLE)
  constexpr int kN = kFull<Real>;
  std::int64_t i = 0;
  for (; i + kN <= 2 * size; i += kN) {
    MultiplyComplex<kN>(spectrum + i, kernel + i);
  }
  for (; i < 2 * size; i += 2) MultiplyComplex<2>(spectrum + i, kernel + i);
#else
  // Not std::complex, whose product checks for infinities.
  for (std::int64_t i = 0; i < size; ++i) {
    const Real real = spectrum[2 * i] * kernel[2 * i] - spectrum[2 * i + 1] * kernel[2 * i + 1];
    const Real imaginary =
        spectrum[2 * i] * kernel[2 * i + 1] + spectrum[2 * i + 1] * kernel[2 * i];
    spectrum[2 * i] = real;
    spectrum[2 * i + 1] = imaginary;
  }
#endif
}

template <typename Real>
void AddProductOfSpectra(Real* __restrict sum, const Real* __restrict spectrum,
                         const Real* __restrict kernel, std::int64_t size) {
#if defined(EXPSYN_HAS_SHUFFLE)
  constexpr int kN = kFull<Real>;
  std::int64_t i = 0;
  for (; i + kN <= 2 * size; i += kN) AddProductOfComplex<kN>(sum + i, spectrum + i, kernel + i);
  for (; i < 2 * size; i += 2) AddProductOfComplex<2>(sum + i, spectrum + i, kernel + i);
#else
  for (std::int64_t i = 0; i < size; ++i) {
    const Real* const x = spectrum + 2 * i;
    const Real* const w = kernel + 2 * i;
    sum[2 * i] += x[0] * w[0] - x[1] * w[1];
    sum[2 * i + 1] += x[0] * w[1] + x[1] * w[0];
  }
#endif
}

// The product of n complex numbers, in place.
template <int n, typename Real>
EXPSYN_INLINE void MultiplySplit(Real* real, Real* imaginary, const Vector<Real, n>& kernel_real,
                                 const Vector<Real, n>& kernel_imaginary) {
  Vector<Real, n> x, y;
  Load(real, x);
  Load(imaginary, y);
  Store(x * kernel_real - y * kernel_imaginary, real);
  Store(x * kernel_imaginary + y * kernel_real, imaginary);
}

// The n numbers that end at source[0], the last one first.
template <int n, typename Real, int... lane>
EXPSYN_INLINE Vector<Real, n> LoadReversed(const Real* source,
                                           std::integer_sequence<int, lane...>) {
#if defined(EXPSYN_HAS_SHUFFLE)
  Vector<Real, n> vector;
  Load(source - (n - 1), vector);
  return __builtin_shufflevector(vector, vector, (n - 1 - lane)...);
#else
  return Vector<Real, n>{source[-lane]...};
#endif
}

template <typename Real>
void MultiplyPair(Real* __restrict real, Real* __restrict imaginary,
                  const Real* __restrict kernel_real, const Real* __restrict kernel_imaginary,
                  std::int64_t length) {
  constexpr int kN = kFull<Real>;
  constexpr std::make_integer_sequence<int, kN> kLanes{};
  using V = Vector<Real, kN>;
  const std::int64_t half = length / 2;
  std::int64_t i = 0;
  for (; i + kN <= half; i += kN) {
    V x, y;
    Load(kernel_real + i, x);
    Load(kernel_imaginary + i, y);
    MultiplySplit<kN>(real + i, imaginary + i, x, y);
    x = LoadReversed<kN>(kernel_real + half - i, kLanes);
    y = LoadReversed<kN>(kernel_imaginary + half - i, kLanes);
    MultiplySplit<kN>(real + half + i, imaginary + half + i, x, -y);
  }
  for (; i < half; ++i) {
    MultiplySplit<1>(real + i, imaginary + i, kernel_real[i], kernel_imaginary[i]);
    MultiplySplit<1>(real + half + i, imaginary + half + i, kernel_real[half - i],
                     -kernel_imaginary[half - i]);
  }
}

template <typename Real>
constexpr SpectrumOps<Real> kSpectrumOps{MultiplySpectra<Real>, AddProductOfSpectra<Real>,
                                         MultiplyPair<Real>};

}  // namespace expsyn::simd::EXPSYN_SIMD_SET

#endif  // EXPSYN_CORE_SIMD_SPECTRA_INL_H_
