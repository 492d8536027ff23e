#ifndef EXPSYN_CORE_KERNEL_WINDOW_H_
#define EXPSYN_CORE_KERNEL_WINDOW_H_

#include <cstddef>
#include <cstdint>
#include <limits>

#include "aligned_buffer.h"
#include "double_double.h"

namespace expsyn {

// The sampled kernels of N synapses, w_n[k] = exp(-(k + 1) dt / tau_n) for k = 0 .. length - 1,
// given by what the recursion and the transforms need of them. Immutable, so any number of
// threads may read one. Arrays hold one value a synapse.
class Window {
 public:
  // A kernel that is not cut.
  static constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

  // `tau` (seconds) has n_synapses values, all finite and positive; dt in seconds, finite and
  // positive; length >= 1 steps.
  Window(const double* tau, std::int64_t n_synapses, double dt, std::int64_t length);

  std::int64_t n_synapses() const { return n_synapses_; }
  std::int64_t length() const { return length_; }
  std::size_t size_in_bytes() const {
    return static_cast<std::size_t>(n_synapses_) * (9 * sizeof(double) + 2 * sizeof(float));
  }

  // a_n = exp(-dt / tau_n) to twice double precision: decay + decay_low.
  const double* decay() const { return factors64_.decay.data(); }
  const double* decay_low() const { return decay_low_.data(); }
  // a_n to the power of length(), likewise: the weight with which a sample leaves the window.
  // 0 for an unlimited one.
  const double* tail_weight() const { return factors64_.tail_weight.data(); }
  const double* tail_weight_low() const { return tail_weight_low_.data(); }

  // a_n as its distance from the nearer end of (0, 1), which keeps its digits however close it is:
  // a_n - 1 < 0 where a_n is above 1/2, else a_n >= 0.
  const double* decay_offset() const { return decay_offset_.data(); }

  // a_n to the power of `steps` to twice double precision; 0 where that is no normal number.
  DoubleDouble DecayOver(std::int64_t n, std::int64_t steps) const;

  // a_n as fraction * 2^-exponent, with a fraction in (1/2, 1] or, far below all numbers, 0: also
  // of a decay that is too small to be a normal number.
  struct ScaledDecay {
    DoubleDouble fraction;
    int exponent;
  };
  ScaledDecay DecayInParts(std::int64_t n) const;

  // Whether a_n is too small to be a normal number of type Real. Its products with large inputs
  // are normal numbers nevertheless, which only RecursePrecisely() computes.
  template <typename Real>
  bool IsDecayTiny(std::int64_t n) const {
    return decay()[n] < static_cast<double>(std::numeric_limits<Real>::min());
  }
  // Whether that is so of any synapse.
  template <typename Real>
  bool HasTinyDecay() const {
    return smallest_decay_ < static_cast<double>(std::numeric_limits<Real>::min());
  }

  // What the recursion in plain arithmetic multiplies with.
  template <typename Real>
  struct Factors {
    AlignedBuffer<Real> decay;
    AlignedBuffer<Real> tail_weight;
    // a_n to the power of simd::kRestartInterval<Real>, in twice the precision of Real.
    AlignedBuffer<double> restart_decay, restart_decay_low;
  };
  template <typename Real>
  const Factors<Real>& factors() const;

  // Steps after which the recursion's state is summed again from the input, or kUnlimited: a window
  // much shorter than tau hardly forgets, so the rounding errors of what enters and leaves would
  // add up. Over eight windows they are eight times the error of one sum.
  template <typename Real>
  std::int64_t refresh_interval() const {
    return sizeof(Real) == sizeof(float) ? refresh_interval32_ : refresh_interval64_;
  }
  // Whether that concerns synapse n; it does not depend on the others.
  bool NeedsRefresh(std::int64_t n) const;

  // tau, in the same unit for all synapses.
  const double* tau() const { return tau_.data(); }
  // w_n[k].
  double Sample(std::int64_t n, std::int64_t k) const;

 private:
  std::int64_t n_synapses_;
  std::int64_t length_;
  double dt_;
  double smallest_decay_ = 1;
  std::int64_t refresh_interval32_ = kUnlimited;
  std::int64_t refresh_interval64_ = kUnlimited;
  AlignedBuffer<double> tau_;
  AlignedBuffer<double> decay_low_, tail_weight_low_, decay_offset_;
  Factors<float> factors32_;
  Factors<double> factors64_;
};

template <>
inline const Window::Factors<float>& Window::factors() const {
  return factors32_;
}
template <>
inline const Window::Factors<double>& Window::factors() const {
  return factors64_;
}

}  // namespace expsyn

#endif  // EXPSYN_CORE_KERNEL_WINDOW_H_
