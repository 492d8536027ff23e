#ifndef EXPSYN_CORE_METHOD_FFT_PLAN_H_
#define EXPSYN_CORE_METHOD_FFT_PLAN_H_

#include <cstdint>
#include <memory>

#include "raster.h"

namespace expsyn {

// The longest transform: FFTW takes its size as an int.
inline constexpr std::int64_t kMaxFftLength = std::int64_t{1} << 30;

// Whether calls of that dtype can be computed by transforms: FFTW is loaded, if it has not been
// yet. Thread-safe. Throws std::bad_alloc.
bool HasTransforms(ElementType dtype);

// Whether real signals of this length are transformed two at a time, as the real and imaginary part
// of a complex signal. FFTW does this up to twice as fast as it transforms real signals, but only
// for short lengths that are powers of two.
bool IsTransformedInPairs(std::int64_t length, ElementType dtype);

// Transforms of one real signal, or of a pair of them, through FFTW, unnormalised:
// Inverse(Forward(x)) = length * x. Executing a plan is thread-safe. Arrays must be aligned to
// kAlignment.
//
// The spectrum of one signal has length / 2 + 1 complex numbers, real and imaginary parts
// interleaved. The signals of a pair lie Distance() apart; so do the real and the imaginary parts
// of their spectrum, `length` of each.
template <typename Real>
class FftPlan {
 public:
  virtual ~FftPlan() = default;
  FftPlan(const FftPlan&) = delete;
  FftPlan& operator=(const FftPlan&) = delete;

  // In elements: one cache line more than a signal fills, so that signals that lie behind each
  // other do not all start in the same set of the caches.
  static std::int64_t Distance(std::int64_t length);
  // Elements of the signals, with the space between them, and of the spectrum.
  std::int64_t signals_size() const { return n_signals_ * Distance(length_); }
  std::int64_t spectrum_size() const { return is_pair() ? signals_size() : length_ + 2; }

  std::int64_t length() const { return length_; }
  bool is_pair() const { return n_signals_ == 2; }

  // Keeps the signals.
  virtual void Forward(const Real* signals, Real* spectrum) const = 0;
  // Overwrites the spectrum.
  virtual void Inverse(Real* spectrum, Real* signals) const = 0;

  // The process-wide plan of this length, 2 <= length <= kMaxFftLength, for n_signals signals (1 or
  // 2), made on first use. Plans are estimated, not measured, so that every process makes the same
  // one. Thread-safe: FFTW's planner, which is not, runs under one lock for the whole process.
  // Throws std::bad_alloc, and std::runtime_error if FFTW is missing in that precision.
  static std::shared_ptr<const FftPlan> Of(std::int64_t length, std::int64_t n_signals);

 protected:
  FftPlan(std::int64_t length, std::int64_t n_signals) : length_(length), n_signals_(n_signals) {}

 private:
  std::int64_t length_;
  std::int64_t n_signals_;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_METHOD_FFT_PLAN_H_
