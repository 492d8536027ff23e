#ifndef EXPSYN_CORE_KERNEL_BIEXPONENTIAL_H_
#define EXPSYN_CORE_KERNEL_BIEXPONENTIAL_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "aligned_buffer.h"
#include "double_double.h"
#include "kernel/kernel.h"
#include "kernel/kernel_arguments.h"

namespace expsyn {

// The double-exponential kernel: with t = (k + 1) dt,
//
//   w_n[k] = g_n c_n (exp(-t / tauDecay_n) - exp(-t / tauRise_n)),   tauRise_n <= tauDecay_n,
//
// with c_n such that the peak over continuous t is 1. If both time constants are equal to tau, this
// is the alpha function (t / tau) exp(1 - t / tau). The gain g_n is 1, or what makes
// sum_k w_n[k] dt = 1 s. With a = exp(-dt / tauDecay) and b = exp(-dt / tauRise),
//
//   w[k] = w[0] (a^(k+1) - b^(k+1)) / (a - b) = w[0] sum_{i <= k} a^(k-i) b^i,
//
// so that in the recursion
//
//   isyn <- isyn a + w[0] (rising + input),   rising <- (rising + input) b
//
// nothing cancels, however close the time constants are. It carries two numbers: isyn, and the
// inputs as they decay with the rise time. Arrays have one value a synapse.
//
// MakeKernel("double-exp", ...) takes tauRise and tauDecay in seconds, MakeKernel("alpha", ...)
// takes tau, each with one value a synapse.
class BiexponentialKernel final : public Kernel {
 public:
  // The time constants, in seconds, have n_synapses values, all finite and positive, and
  // tau_rise[n] <= tau_decay[n]; dt in seconds, finite and positive; window_length >= 1 steps, or
  // kUnlimited.
  BiexponentialKernel(const double* tau_rise, const double* tau_decay, std::int64_t n_synapses,
                      double dt, std::int64_t window_length, Normalisation normalisation);

  double Sample(std::int64_t n, std::int64_t k) const override;
  std::vector<std::int64_t> FirstEqual() const override;
  bool is_positive() const override { return true; }
  NoiseMemory noise_memory() const override { return NoiseMemory::kDecay; }
  DoubleDouble CurrentDecay(std::int64_t n) const override { return At(decay_, n); }
  std::unique_ptr<Recursion> MakeRecursion(std::int64_t n) const override;
  void Recurse(const Tile<float>& tile) const override;
  void Recurse(const Tile<double>& tile) const override;
  double RecursionCost(std::int64_t n_timesteps) const override;
  bool RecurseFewSteps(const Tile<float>& item) const override;
  bool RecurseFewSteps(const Tile<double>& item) const override;
  void RollOver(std::int64_t n, std::int64_t n_rows, DoubleDouble* numbers,
                float* rows) const override;
  void RollOver(std::int64_t n, std::int64_t n_rows, DoubleDouble* numbers,
                double* rows) const override;
  bool IsAlwaysPrecise(std::int64_t n, ElementType dtype) const override;

  // Numbers in two parts.
  struct Pairs {
    AlignedBuffer<double> high, low;
  };
  // The factors of the recursion in arithmetic of type Real.
  template <typename Real>
  struct Factors {
    AlignedBuffer<Real> decay, rise_decay;  // a and b
    AlignedBuffer<Real> entry;              // w[0]
    // Over simd::kCarryInterval<Real> steps: see simd::SecondOrderPowers.
    Pairs carry_decay, carry_rise_decay, carry_transfer;
  };
  template <typename Real>
  const Factors<Real>& factors() const;

  // The distances of a_n and b_n from the nearer end of (0, 1): see simd::DecayPowers.
  const double* decay_offset() const { return decay_offset_.data(); }
  const double* rise_decay_offset() const { return rise_decay_offset_.data(); }
  // w_n[0]
  const double* entry() const { return factors64_.entry.data(); }

  // Whether w_n[0] is positive, but too small to be a normal number of type Real. Its products with
  // large inputs may be normal numbers nevertheless; only MakeRecursion() computes them.
  template <typename Real>
  bool IsEntryTiny(std::int64_t n) const {
    return entry()[n] > 0 && entry()[n] < static_cast<double>(std::numeric_limits<Real>::min());
  }
  // Whether any synapse has such a first sample.
  template <typename Real>
  bool HasTinyEntry() const {
    return smallest_entry_ < static_cast<double>(std::numeric_limits<Real>::min());
  }

 protected:
  std::size_t array_bytes() const override {
    return static_cast<std::size_t>(n_synapses()) * (25 * sizeof(double) + 3 * sizeof(float));
  }

 private:
  static DoubleDouble At(const Pairs& pairs, std::int64_t n) {
    return {pairs.high[static_cast<std::size_t>(n)], pairs.low[static_cast<std::size_t>(n)]};
  }
  template <typename Real>
  void FillFactors(Factors<Real>& factors);
  template <typename Real>
  void RollOverRows(std::int64_t n, std::int64_t n_rows, DoubleDouble* numbers, Real* rows) const;

  // dt / tauDecay, and the difference of dt / tauRise and that.
  AlignedBuffer<double> rate_, rate_difference_;
  // For each synapse, the first one with the same time constants.
  std::vector<std::int64_t> first_equal_;
  Pairs decay_, rise_decay_;
  AlignedBuffer<double> decay_offset_, rise_decay_offset_;
  double smallest_entry_ = std::numeric_limits<double>::infinity();
  Factors<float> factors32_;
  Factors<double> factors64_;
};

template <>
inline const BiexponentialKernel::Factors<float>& BiexponentialKernel::factors() const {
  return factors32_;
}
template <>
inline const BiexponentialKernel::Factors<double>& BiexponentialKernel::factors() const {
  return factors64_;
}

}  // namespace expsyn

#endif  // EXPSYN_CORE_KERNEL_BIEXPONENTIAL_H_
