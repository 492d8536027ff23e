#include <cmath>
#include <memory>
#include <vector>

#include "kernel/registry.h"

namespace expsyn {

namespace {

DoubleDouble Split(long double value) {
  const auto high = static_cast<double>(value);
  return {high, static_cast<double>(value - high)};
}

// A damped oscillation, w_n[k] = exp(-t / tau_n) cos(2 pi f_n t) with t = (k + 1) dt: the real part
// of the recursion s <- (s + input) exp((2 pi i f_n - 1 / tau_n) dt).
//
// Parameters: tau in seconds and f in hertz, one value a synapse each.
class Oscillation final : public Kernel {
 public:
  explicit Oscillation(const KernelArguments& arguments)
      : Kernel(arguments.n_synapses, WindowLength(arguments, arguments.parameters[0]), 2),
        tau_(arguments.parameters[0]),
        frequency_(arguments.parameters[1]),
        dt_(arguments.dt) {}

  double Sample(std::int64_t n, std::int64_t k) const override {
    const double t = static_cast<double>(k + 1) * dt_;
    return static_cast<double>(Decay(n, t) * std::cos(Angle(n, t)));
  }
  // An input enters the real part, as noise on the current does.
  NoiseMemory noise_memory() const override { return NoiseMemory::kInput; }
  std::unique_ptr<Recursion> MakeRecursion(std::int64_t n) const override {
    const DoubleDouble real = Split(Decay(n, dt_) * std::cos(Angle(n, dt_)));
    const DoubleDouble imaginary = Split(Decay(n, dt_) * std::sin(Angle(n, dt_)));
    return std::make_unique<LinearRecursion>(
        std::vector<DoubleDouble>{real, -imaginary, imaginary, real}, std::vector<double>{1, 0},
        window_length());
  }

 private:
  long double Decay(std::int64_t n, long double t) const {
    return std::exp(-t / tau_[static_cast<std::size_t>(n)]);
  }
  long double Angle(std::int64_t n, long double t) const {
    constexpr long double kTwoPi = 6.28318530717958647692528676655900577L;
    return kTwoPi * frequency_[static_cast<std::size_t>(n)] * t;
  }

  std::vector<double> tau_, frequency_;
  double dt_;
};

}  // namespace

std::shared_ptr<const Kernel> MakeOscillation(const KernelArguments& arguments) {
  RequireParameters(arguments, 2);
  return std::make_shared<Oscillation>(arguments);
}

}  // namespace expsyn
