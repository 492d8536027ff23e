#ifndef EXPSYN_CORE_WINDOW_H_
#define EXPSYN_CORE_WINDOW_H_

#include <cstdint>
#include <limits>
#include <vector>

#include "aligned_buffer.h"

namespace expsyn {

// Steps over which the recursion runs in plain double arithmetic before its state is renewed in
// double-double arithmetic; bounds the rounding error of any run at about this many ulps.
inline constexpr int kRestartInterval = 32;

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

  // a_n = exp(-dt / tau_n) to twice double precision: decay + decay_low.
  const double* decay() const { return decay_.data(); }
  const double* decay_low() const { return decay_low_.data(); }
  // a_n to the power of kRestartInterval, likewise.
  const double* restart_decay() const { return restart_decay_.data(); }
  const double* restart_decay_low() const { return restart_decay_low_.data(); }
  // a_n to the power of length(), likewise: the weight with which a sample leaves the window.
  // 0 for an unlimited one.
  const double* far_end() const { return far_end_.data(); }
  const double* far_end_low() const { return far_end_low_.data(); }

  // Steps after which the recursion's state is summed anew from the input, or kUnlimited: a window
  // much shorter than tau hardly forgets, so rounding errors would pile up.
  std::int64_t renewal_interval() const { return renewal_interval_; }

  // Synapses with equal tau share one kernel: kernel_of(n) is its index, from 0 up, and
  // Sample(kernel, k) its value w[k].
  std::int64_t n_kernels() const { return static_cast<std::int64_t>(kernel_tau_.size()); }
  std::int64_t kernel_of(std::int64_t synapse) const {
    return kernel_of_[static_cast<std::size_t>(synapse)];
  }
  double Sample(std::int64_t kernel, std::int64_t k) const;

 private:
  std::int64_t n_synapses_;
  std::int64_t length_;
  double dt_;
  std::int64_t renewal_interval_ = kUnlimited;
  AlignedBuffer<double> decay_, decay_low_;
  AlignedBuffer<double> restart_decay_, restart_decay_low_;
  AlignedBuffer<double> far_end_, far_end_low_;
  std::vector<double> kernel_tau_;
  std::vector<std::int32_t> kernel_of_;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_WINDOW_H_
