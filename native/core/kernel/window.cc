#include "kernel/window.h"

#include <algorithm>
#include <cmath>

#include "simd/ops.h"

namespace expsyn {

namespace {

// A window is refreshed when the slowest synapse remembers longer than this many windows.
constexpr std::int64_t kWindowsPerRefresh = 8;

// The least steps from one refresh to the next. In double precision, the errors of so many steps
// are still far below the bound, however short the window.
template <typename Real>
constexpr std::int64_t kLeastRefreshInterval = sizeof(Real) == sizeof(float)
                                                   ? simd::kRestartInterval<float>
                                                   : 8 * simd::kRestartInterval<double>;

// dt / tau to twice double precision.
DoubleDouble RateOf(double dt, double tau) {
  // Only the quotient counts, and close to the largest numbers products would overflow.
  const double scale = tau > 0x1p900 || dt > 0x1p900 ? 0x1p-200 : 1.0;
  return Quotient(dt * scale, tau * scale);
}

}  // namespace

Window::Window(const double* tau, std::int64_t n_synapses, double dt, std::int64_t length)
    : n_synapses_(n_synapses), length_(length), dt_(dt) {
  // Only the quotient of dt and tau counts, and a subnormal dt counts as 0 in some threads.
  const double scale = dt < 0x1p-900 ? 0x1p+200 : 1.0;
  dt_ *= scale;
  const auto size = static_cast<std::size_t>(n_synapses);
  for (AlignedBuffer<double>* buffer :
       {&tau_, &decay_low_, &tail_weight_low_, &decay_offset_, &factors32_.restart_decay,
        &factors64_.decay, &factors64_.tail_weight, &factors64_.restart_decay,
        &factors64_.restart_decay_low}) {
    *buffer = AlignedBuffer<double>(size);
  }
  factors32_.decay = AlignedBuffer<float>(size);
  factors32_.tail_weight = AlignedBuffer<float>(size);
  constexpr double kMost = std::numeric_limits<double>::max();
  for (std::size_t n = 0; n < size; ++n) tau_[n] = std::min(tau[n] * scale, kMost);
  simd::ActiveOps().fill_window(
      tau_.data(), n_synapses, dt_, static_cast<double>(length), length != kUnlimited,
      {factors64_.decay.data(), decay_low_.data(), decay_offset_.data(),
       factors64_.tail_weight.data(), tail_weight_low_.data(), factors32_.decay.data(),
       factors32_.tail_weight.data(), factors32_.restart_decay.data(),
       factors64_.restart_decay.data(), factors64_.restart_decay_low.data()});

  for (std::int64_t n = 0; n < n_synapses; ++n) {
    smallest_decay_ = std::min(smallest_decay_, decay()[n]);
  }
  bool is_any_refreshed = false;
  for (std::int64_t n = 0; n < n_synapses; ++n)
    is_any_refreshed = is_any_refreshed || NeedsRefresh(n);
  if (is_any_refreshed) {
    const std::int64_t windows =
        length <= kUnlimited / kWindowsPerRefresh ? length * kWindowsPerRefresh : kUnlimited;
    refresh_interval32_ = std::max(windows, kLeastRefreshInterval<float>);
    refresh_interval64_ = std::max(windows, kLeastRefreshInterval<double>);
  }
}

bool Window::NeedsRefresh(std::int64_t n) const {
  const double steps_remembered = tau_[static_cast<std::size_t>(n)] / dt_;
  return length_ != kUnlimited &&
         steps_remembered / static_cast<double>(length_) > static_cast<double>(kWindowsPerRefresh);
}

double Window::Sample(std::int64_t n, std::int64_t k) const {
  // The quotient first: the product of a late step and a long dt would overflow.
  return std::exp(-static_cast<double>(k + 1) * (dt_ / tau_[static_cast<std::size_t>(n)]));
}

DoubleDouble Window::DecayOver(std::int64_t n, std::int64_t steps) const {
  const DoubleDouble rate = RateOf(dt_, tau_[static_cast<std::size_t>(n)]);
  return ExpOfNegative(-(rate * static_cast<double>(steps)));
}

Window::ScaledDecay Window::DecayInParts(std::int64_t n) const {
  // Times the largest number, a decay of exp(-kLargestRate) is still below the smallest.
  constexpr double kLargestRate = 1500;
  const DoubleDouble rate = RateOf(dt_, tau_[static_cast<std::size_t>(n)]);
  if (!(rate.high < kLargestRate)) return {{0, 0}, 0};
  const double exponent = std::floor(rate.high / kLn2.high);
  return {ExpOfNegative(-(rate + kLn2 * -exponent)), static_cast<int>(exponent)};
}

}  // namespace expsyn
