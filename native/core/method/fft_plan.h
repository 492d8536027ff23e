#ifndef EXPSYN_CORE_METHOD_FFT_PLAN_H_
#define EXPSYN_CORE_METHOD_FFT_PLAN_H_

#include <complex>
#include <cstdint>
#include <memory>

#include "raster.h"

namespace expsyn {

// The longest transform: FFTW takes its size as an int.
inline constexpr std::int64_t kMaxFftLength = std::int64_t{1} << 30;

// Whether calls of that dtype can be computed by transforms: FFTW is loaded, if it has not been
// yet. Thread-safe. Throws std::bad_alloc.
bool HasTransforms(ElementType dtype);

// Real transforms of one length through FFTW, unnormalised: Inverse(Forward(x)) = length * x.
// Executing a plan is thread-safe. Arrays must be aligned to kAlignment.
template <typename Real>
class FftPlan {
 public:
  virtual ~FftPlan() = default;
  FftPlan(const FftPlan&) = delete;
  FftPlan& operator=(const FftPlan&) = delete;

  // signal[length] -> spectrum[length / 2 + 1]. Keeps the signal.
  virtual void Forward(const Real* signal, std::complex<Real>* spectrum) const = 0;
  // spectrum[length / 2 + 1] -> signal[length]. Overwrites the spectrum.
  virtual void Inverse(std::complex<Real>* spectrum, Real* signal) const = 0;

  // The process-wide plan of this length, 2 <= length <= kMaxFftLength, made on first use. Plans
  // are estimated, not measured, so that every process makes the same one. Thread-safe: FFTW's
  // planner, which is not, runs under one lock for the whole process. Throws std::bad_alloc, and
  // std::runtime_error if FFTW is missing in that precision.
  static std::shared_ptr<const FftPlan> OfLength(std::int64_t length);

 protected:
  FftPlan() = default;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_METHOD_FFT_PLAN_H_
