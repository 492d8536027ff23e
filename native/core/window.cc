#include "window.h"

#include <algorithm>
#include <cmath>

#include "vector_kernels.h"

namespace expsyn {

namespace {

// A window is renewed when the slowest synapse remembers longer than this many windows.
constexpr std::int64_t kWindowsPerRenewal = 8;

}  // namespace

Window::Window(const double* tau, std::int64_t n_synapses, double dt, std::int64_t length)
    : n_synapses_(n_synapses), length_(length), dt_(dt) {
  const auto size = static_cast<std::size_t>(n_synapses);
  for (AlignedBuffer<double>* buffer :
       {&tau_, &decay_low_, &far_end_low_, &factors32_.restart_decay, &factors64_.decay,
        &factors64_.far_end, &factors64_.restart_decay, &factors64_.restart_decay_low}) {
    *buffer = AlignedBuffer<double>(size);
  }
  factors32_.decay = AlignedBuffer<float>(size);
  factors32_.far_end = AlignedBuffer<float>(size);
  std::copy_n(tau, size, tau_.data());
  ActiveVectorKernels().fill_window(
      tau, n_synapses, dt, static_cast<double>(length), length != kUnlimited,
      {factors64_.decay.data(), decay_low_.data(), factors64_.far_end.data(), far_end_low_.data(),
       factors32_.decay.data(), factors32_.far_end.data(), factors32_.restart_decay.data(),
       factors64_.restart_decay.data(), factors64_.restart_decay_low.data()});

  const double longest = size == 0 ? dt : *std::max_element(tau, tau + size);
  const double windows_remembered = longest / dt / static_cast<double>(length);
  if (length != kUnlimited && windows_remembered > static_cast<double>(kWindowsPerRenewal)) {
    renewal_interval_ = std::max<std::int64_t>(
        length <= kUnlimited / kWindowsPerRenewal ? length * kWindowsPerRenewal : kUnlimited,
        kRestartInterval<double> * kWindowsPerRenewal);
  }
}

double Window::Sample(std::int64_t n, std::int64_t k) const {
  return std::exp(-static_cast<double>(k + 1) * dt_ / tau_[static_cast<std::size_t>(n)]);
}

}  // namespace expsyn
