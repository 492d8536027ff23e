#include "window.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "double_double.h"

namespace expsyn {

namespace {

// A window is renewed when the slowest synapse remembers longer than this many windows.
constexpr std::int64_t kWindowsPerRenewal = 64;

DoubleDouble PowerOfRestartInterval(DoubleDouble decay) {
  static_assert((kRestartInterval & (kRestartInterval - 1)) == 0);
  DoubleDouble power = decay;
  for (int exponent = 1; exponent < kRestartInterval; exponent *= 2) power = power * power;
  return power;
}

}  // namespace

Window::Window(const double* tau, std::int64_t n_synapses, double dt, std::int64_t length)
    : n_synapses_(n_synapses), length_(length), dt_(dt) {
  const auto size = static_cast<std::size_t>(n_synapses);
  for (AlignedBuffer<double>* buffer :
       {&decay_, &decay_low_, &restart_decay_, &restart_decay_low_, &far_end_, &far_end_low_}) {
    *buffer = AlignedBuffer<double>(size);
  }
  kernel_of_.resize(size);
  std::unordered_map<double, std::int32_t> kernels;
  for (std::size_t n = 0; n < size; ++n) {
    const auto [entry, is_new] =
        kernels.try_emplace(tau[n], static_cast<std::int32_t>(kernel_tau_.size()));
    kernel_of_[n] = entry->second;
    if (is_new) kernel_tau_.push_back(tau[n]);
  }

  struct Powers {
    DoubleDouble decay, restart, far_end;
  };
  std::vector<Powers> powers(kernel_tau_.size());
  for (std::size_t kernel = 0; kernel < powers.size(); ++kernel) {
    const DoubleDouble rate = Quotient(dt, kernel_tau_[kernel]);
    Powers& power = powers[kernel];
    power.decay = ExpOfNegative(-rate);
    power.restart = PowerOfRestartInterval(power.decay);
    if (length != kUnlimited) {
      power.far_end = ExpOfNegative(-(rate * static_cast<double>(length)));
    }
    const bool remembers_long =
        length != kUnlimited &&
        rate.high * static_cast<double>(length) * static_cast<double>(kWindowsPerRenewal) < 1;
    if (remembers_long) {
      renewal_interval_ = std::max<std::int64_t>(
          length <= kUnlimited / kWindowsPerRenewal ? length * kWindowsPerRenewal : kUnlimited,
          std::int64_t{kRestartInterval} * kWindowsPerRenewal);
    }
  }
  for (std::size_t n = 0; n < size; ++n) {
    const Powers& power = powers[static_cast<std::size_t>(kernel_of_[n])];
    decay_[n] = power.decay.high;
    decay_low_[n] = power.decay.low;
    restart_decay_[n] = power.restart.high;
    restart_decay_low_[n] = power.restart.low;
    far_end_[n] = power.far_end.high;
    far_end_low_[n] = power.far_end.low;
  }
}

double Window::Sample(std::int64_t kernel, std::int64_t k) const {
  return std::exp(-static_cast<double>(k + 1) * dt_ /
                  kernel_tau_[static_cast<std::size_t>(kernel)]);
}

}  // namespace expsyn
