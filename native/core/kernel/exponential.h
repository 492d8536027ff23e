#ifndef EXPSYN_CORE_KERNEL_EXPONENTIAL_H_
#define EXPSYN_CORE_KERNEL_EXPONENTIAL_H_

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

// The exponential kernel, w_n[k] = g_n exp(-(k + 1) dt / tau_n), by the recursion
//
//   isyn <- (isyn + g_n input) exp(-dt / tau_n),
//
// which carries one number. The gain g_n is 1, or what makes sum_k w_n[k] dt = 1 s. Arrays have one
// value a synapse.
//
// MakeKernel("exp", ...) takes one parameter: tau in seconds, one value a synapse.
class ExponentialKernel final : public Kernel {
 public:
  // `tau` (seconds) has n_synapses values, all finite and positive; dt in seconds, finite and
  // positive; window_length >= 1 steps, or kUnlimited.
  ExponentialKernel(const double* tau, std::int64_t n_synapses, double dt,
                    std::int64_t window_length, Normalisation normalisation = Normalisation::kPeak);

  double Sample(std::int64_t n, std::int64_t k) const override;
  std::vector<std::int64_t> FirstEqual() const override;
  bool is_positive() const override { return true; }
  // Noise is not multiplied by the gain, as an input would be.
  NoiseMemory noise_memory() const override {
    return HasGain() ? NoiseMemory::kDecay : NoiseMemory::kInput;
  }
  DoubleDouble CurrentDecay(std::int64_t n) const override { return {decay()[n], decay_low()[n]}; }
  // exp(fraction dt / tau_n), since an input counts from the beginning of its step.
  double EventWeight(std::int64_t n, double fraction) const override;
  double LargestEventRate() const override { return largest_rate_; }
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

  // a_n = exp(-dt / tau_n) to twice double precision: decay + decay_low.
  const double* decay() const { return factors64_.decay.data(); }
  const double* decay_low() const { return decay_low_.data(); }
  // a_n to the power of window_length(), in two parts too: the weight of an input as it leaves the
  // window. 0 for a kernel that is not cut.
  const double* tail_weight() const { return factors64_.tail_weight.data(); }
  const double* tail_weight_low() const { return tail_weight_low_.data(); }

  // The distance of a_n from the nearer end of (0, 1): see simd::DecayPowers.
  const double* decay_offset() const { return decay_offset_.data(); }

  // Whether the samples are scaled to an area: without that, every gain is 1.
  bool HasGain() const { return gain_.size() > 0; }

  // Whether a_n is too small to be a normal number of type Real, or the gain too large for products
  // with it. The current may be a normal number nevertheless; only MakeRecursion() computes it.
  template <typename Real>
  bool IsDecayTiny(std::int64_t n) const {
    return decay()[n] < static_cast<double>(std::numeric_limits<Real>::min()) ||
           (HasGain() && gain_[static_cast<std::size_t>(n)] > kMaxGain<Real>);
  }
  // Whether any synapse has such a decay or gain.
  template <typename Real>
  bool HasTinyDecay() const {
    return smallest_decay_ < static_cast<double>(std::numeric_limits<Real>::min()) ||
           largest_gain_ > kMaxGain<Real>;
  }

  // The factors of the recursion in arithmetic of type Real.
  template <typename Real>
  struct Factors {
    AlignedBuffer<Real> decay;
    AlignedBuffer<Real> tail_weight;
    // Empty if every gain is 1.
    AlignedBuffer<Real> gain;
    // a_n to the power of simd::kCarryInterval<Real>, in twice the precision of Real.
    AlignedBuffer<double> carry_decay, carry_decay_low;
  };
  template <typename Real>
  const Factors<Real>& factors() const;

  // The number of steps after which the sum over the window is refreshed: computed again from the
  // inputs in the window. kUnlimited if never. In a window much shorter than tau, sums hardly
  // decay, so the rounding errors of the inputs that enter and leave it would add up.
  template <typename Real>
  std::int64_t refresh_interval() const {
    return sizeof(Real) == sizeof(float) ? refresh_interval32_ : refresh_interval64_;
  }
  // Whether synapse n is refreshed; this does not depend on the other synapses.
  bool NeedsRefresh(std::int64_t n) const;

 protected:
  std::size_t array_bytes() const override {
    return static_cast<std::size_t>(n_synapses()) * (9 * sizeof(double) + 2 * sizeof(float)) +
           gain_.size() * (3 * sizeof(double) + sizeof(float));
  }

 private:
  // The largest gain with which Recurse() multiplies: far enough from the end of the range for
  // inputs of any likely size.
  template <typename Real>
  static constexpr double kMaxGain = sizeof(Real) == sizeof(float) ? 0x1p+64 : 0x1p+512;

  void FillGains(double dt);
  template <typename Real>
  void RollOverRows(std::int64_t n, std::int64_t n_rows, DoubleDouble* numbers, Real* rows) const;

  double dt_;
  double smallest_decay_ = 1;
  double largest_rate_ = 0;  // dt / tau
  double largest_gain_ = 1;
  std::int64_t refresh_interval32_ = kUnlimited;
  std::int64_t refresh_interval64_ = kUnlimited;
  AlignedBuffer<double> tau_;
  AlignedBuffer<double> decay_low_, tail_weight_low_, decay_offset_;
  // g_n, and g_n a_n, the first sample, which is finite where the gain is not. Empty if every gain
  // is 1.
  AlignedBuffer<double> gain_, first_sample_;
  Factors<float> factors32_;
  Factors<double> factors64_;
};

template <>
inline const ExponentialKernel::Factors<float>& ExponentialKernel::factors() const {
  return factors32_;
}
template <>
inline const ExponentialKernel::Factors<double>& ExponentialKernel::factors() const {
  return factors64_;
}

}  // namespace expsyn

#endif  // EXPSYN_CORE_KERNEL_EXPONENTIAL_H_
