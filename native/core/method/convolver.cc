#include "method/convolver.h"

#include <algorithm>
#include <cmath>

namespace expsyn {

namespace {

// Signals whose peak is above this magnitude, or below its inverse, are scaled before the
// transform.
constexpr double kSafeMagnitude = 0x1p+40;

}  // namespace

template <typename Real>
Convolver<Real>::Convolver(const FftPlan<Real>& plan, const Spectra<Real>& spectra)
    : plan_(plan),
      spectra_(spectra),
      ops_(simd::OpsOf<Real>()),
      spectrum_(static_cast<std::size_t>(plan.spectrum_size())) {}

template <typename Real>
void Convolver<Real>::Convolve(std::int64_t n, Real* signals, Real peak) {
  const std::int64_t length = plan_.length();
  const std::int64_t kernel = spectra_.kernel_of[n];
  const Real* const values = spectra_.values.data() + kernel * spectra_.stride;
  int exponent = 0;
  if (peak > kSafeMagnitude || peak < 1 / kSafeMagnitude) {
    exponent = std::ilogb(peak);
    ScaleByPower(signals, -exponent);
  }
  plan_.Forward(signals, spectrum_.data());
  if (plan_.is_pair()) {
    ops_.multiply_pair(spectrum_.data(), spectrum_.data() + FftPlan<Real>::Distance(length), values,
                       values + spectra_.stride / 2, length);
  } else {
    ops_.multiply_spectra(spectrum_.data(), values, length / 2 + 1);
  }
  plan_.Inverse(spectrum_.data(), signals);
  exponent += spectra_.exponents[static_cast<std::size_t>(kernel)];
  if (exponent != 0) ScaleByPower(signals, exponent);
}

template <typename Real>
void Convolver<Real>::ConvolveOne(std::int64_t n, Real* signal, Real peak) {
  if (!plan_.is_pair()) {
    Convolve(n, signal, peak);
    return;
  }
  if (pair_.size() == 0)
    pair_ = AlignedBuffer<Real>(static_cast<std::size_t>(plan_.signals_size()));
  std::copy_n(signal, plan_.length(), pair_.data());
  std::fill(pair_.data() + plan_.length(), pair_.data() + plan_.signals_size(), Real{0});
  Convolve(n, pair_.data(), peak);
  std::copy_n(pair_.data(), plan_.length(), signal);
}

// Multiplies the signals by 2^exponent: by halves, because that number itself may overflow.
template <typename Real>
void Convolver<Real>::ScaleByPower(Real* signals, int exponent) const {
  const auto half = static_cast<Real>(std::ldexp(1.0, exponent / 2));
  const auto other_half = static_cast<Real>(std::ldexp(1.0, exponent - exponent / 2));
  for (std::int64_t i = 0; i < plan_.signals_size(); ++i) {
    signals[i] = signals[i] * half * other_half;
  }
}

template class Convolver<float>;
template class Convolver<double>;

}  // namespace expsyn
