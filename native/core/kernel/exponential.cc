#include "kernel/exponential.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "kernel/exponential_recursion.h"
#include "kernel/kernel_arguments.h"
#include "simd/ops.h"

namespace expsyn {

namespace {

// A synapse whose tau is longer than this many windows is refreshed once in as many windows.
constexpr std::int64_t kWindowsPerRefresh = 8;

// The minimum number of steps from one refresh to the next. In double precision, the rounding
// errors of that many steps are still far below the bound, however short the window.
template <typename Real>
constexpr std::int64_t kMinRefreshInterval = sizeof(Real) == sizeof(float)
                                                 ? simd::kCarryInterval<float>
                                                 : 8 * simd::kCarryInterval<double>;

// isyn <- (isyn + gain input) a, where a is a normal number and the gain is finite.
class PlainRecursion final : public Recursion {
 public:
  PlainRecursion(DoubleDouble decay, DoubleDouble tail_weight, double gain)
      : decay_(decay), tail_weight_(tail_weight), gain_(gain) {}

  void Start(const DoubleDouble* numbers) override { start_ = isyn_ = *numbers; }
  void Enter(double input) override { isyn_ = isyn_ + TwoProduct(gain_, input); }
  void CancelTail(double input) override {
    isyn_ = isyn_ + -(tail_weight_ * TwoProduct(gain_, input));
  }
  void CancelStart() override { isyn_ = isyn_ + -(tail_weight_ * start_); }
  void Advance() override { isyn_ = isyn_ * decay_; }
  DoubleDouble Number(std::int64_t /*i*/) const override { return isyn_; }

 private:
  DoubleDouble decay_, tail_weight_;
  double gain_;
  DoubleDouble isyn_, start_;
};

// The same if a is too small to be a normal number. Its products with large inputs may be normal
// numbers nevertheless. Nothing is left of an input when it leaves the window.
class TinyDecayRecursion : public Recursion {
 public:
  // a = exp(-rate)
  explicit TinyDecayRecursion(DoubleDouble rate) {
    // Times the largest number, a decay of exp(-kMaxRate) is still below the smallest.
    constexpr double kMaxRate = 1500;
    if (!(rate.high < kMaxRate)) return;
    const double exponent = std::floor(rate.high / kLn2.high);
    fraction_ = ExpOfNegative(-(rate + kLn2 * -exponent));
    exponent_ = static_cast<int>(exponent);
  }

  void Start(const DoubleDouble* numbers) override { isyn_ = *numbers; }
  void Enter(double input) override {
    // Scaled down, so that the sum does not overflow.
    isyn_ = DoubleDouble{isyn_.high * kDown, isyn_.low * kDown} + input * kDown;
  }
  void CancelTail(double /*input*/) override {}
  void CancelStart() override {}
  void Advance() override {
    isyn_ = isyn_ * fraction_;
    isyn_ = {std::ldexp(isyn_.high, kRoom - exponent_), std::ldexp(isyn_.low, kRoom - exponent_)};
  }
  DoubleDouble Number(std::int64_t /*i*/) const override { return isyn_; }

 private:
  static constexpr int kRoom = 100;
  static constexpr double kDown = 0x1p-100;

  // a = fraction 2^-exponent. The fraction is in (1/2, 1], or 0 if no product with a can be a
  // number.
  DoubleDouble fraction_;
  int exponent_ = 0;

 protected:
  DoubleDouble isyn_;
};

// isyn <- isyn a + (gain a) input, where gain a is a normal number but a or the gain is not.
class SharpRecursion final : public TinyDecayRecursion {
 public:
  SharpRecursion(DoubleDouble rate, double first_sample)
      : TinyDecayRecursion(rate), first_sample_(first_sample) {}

  void Enter(double input) override {
    TinyDecayRecursion::Enter(0);
    entering_ = TwoProduct(first_sample_, input);
  }
  void Advance() override {
    TinyDecayRecursion::Advance();
    isyn_ = isyn_ + entering_;
    entering_ = {};
  }

 private:
  double first_sample_;
  DoubleDouble entering_;
};

}  // namespace

ExponentialKernel::ExponentialKernel(const double* tau, std::int64_t n_synapses, double dt,
                                     std::int64_t window_length, Normalisation normalisation)
    : Kernel(n_synapses, window_length, 1), dt_(dt) {
  // Only the quotient of dt and tau matters, and a subnormal dt counts as 0 in some threads.
  const double scale = dt < 0x1p-900 ? 0x1p+200 : 1.0;
  dt_ *= scale;
  const auto size = static_cast<std::size_t>(n_synapses);
  for (AlignedBuffer<double>* buffer :
       {&tau_, &decay_low_, &tail_weight_low_, &decay_offset_, &factors32_.carry_decay,
        &factors64_.decay, &factors64_.tail_weight, &factors64_.carry_decay,
        &factors64_.carry_decay_low}) {
    *buffer = AlignedBuffer<double>(size);
  }
  factors32_.decay = AlignedBuffer<float>(size);
  factors32_.tail_weight = AlignedBuffer<float>(size);
  constexpr double kMax = std::numeric_limits<double>::max();
  for (std::size_t n = 0; n < size; ++n) tau_[n] = std::min(tau[n] * scale, kMax);
  simd::ActiveOps().fill_decay_powers(
      tau_.data(), n_synapses, dt_, static_cast<double>(window_length), window_length != kUnlimited,
      {factors64_.decay.data(), decay_low_.data(), decay_offset_.data(),
       factors64_.tail_weight.data(), tail_weight_low_.data(), factors32_.decay.data(),
       factors32_.tail_weight.data(), factors32_.carry_decay.data(), factors64_.carry_decay.data(),
       factors64_.carry_decay_low.data()});

  if (normalisation == Normalisation::kArea) FillGains(dt);

  bool is_any_refreshed = false;
  for (std::int64_t n = 0; n < n_synapses; ++n) {
    smallest_decay_ = std::min(smallest_decay_, decay()[n]);
    largest_rate_ = std::max(largest_rate_, dt_ / tau_[static_cast<std::size_t>(n)]);
    is_any_refreshed = is_any_refreshed || NeedsRefresh(n);
  }
  if (is_any_refreshed) {
    const std::int64_t windows = window_length <= kUnlimited / kWindowsPerRefresh
                                     ? window_length * kWindowsPerRefresh
                                     : kUnlimited;
    refresh_interval32_ = std::max(windows, kMinRefreshInterval<float>);
    refresh_interval64_ = std::max(windows, kMinRefreshInterval<double>);
  }
}

// With r = dt / tau and a = exp(-r), the samples before scaling add up to a (1 - a^W) / (1 - a).
void ExponentialKernel::FillGains(double dt) {
  // Below this rate a window, 1 - a^W keeps too few digits; the quotient is then a series in it.
  constexpr double kShort = 1e-8;
  constexpr double kMax = std::numeric_limits<double>::max();
  const auto size = static_cast<std::size_t>(n_synapses());
  for (AlignedBuffer<double>* buffer : {&gain_, &first_sample_, &factors64_.gain}) {
    *buffer = AlignedBuffer<double>(size);
  }
  factors32_.gain = AlignedBuffer<float>(size);
  const bool is_cut = window_length() != kUnlimited;
  const auto length = static_cast<double>(window_length());
  for (std::size_t n = 0; n < size; ++n) {
    const double rate = dt_ / tau_[n];
    const double a = factors64_.decay[n];
    // (1 - a) / (1 - a^W)
    double share = decay_offset_[n] < 0 ? -decay_offset_[n] : 1 - a;
    if (is_cut && rate * length < kShort) {
      share = (1 + rate * (length - 1) / 2) / length;
    } else if (is_cut) {
      share /= (1 - factors64_.tail_weight[n]) - tail_weight_low_[n];
    }
    first_sample_[n] = std::min(share / dt, kMax);
    gain_[n] = std::min(first_sample_[n] / a, kMax);
    largest_gain_ = std::max(largest_gain_, gain_[n]);
    factors64_.gain[n] = gain_[n];
    factors32_.gain[n] = gain_[n] > kMaxGain<float> ? 0 : static_cast<float>(gain_[n]);
  }
}

bool ExponentialKernel::NeedsRefresh(std::int64_t n) const {
  const double steps_remembered = tau_[static_cast<std::size_t>(n)] / dt_;
  return window_length() != kUnlimited && steps_remembered / static_cast<double>(window_length()) >
                                              static_cast<double>(kWindowsPerRefresh);
}

double ExponentialKernel::Sample(std::int64_t n, std::int64_t k) const {
  const auto i = static_cast<std::size_t>(n);
  // The quotient first: the product of a late step and a long dt would overflow.
  const double rate = dt_ / tau_[i];
  if (HasGain()) return first_sample_[i] * std::exp(-static_cast<double>(k) * rate);
  return std::exp(-static_cast<double>(k + 1) * rate);
}

std::vector<std::int64_t> ExponentialKernel::FirstEqual() const {
  std::unordered_map<double, std::int64_t> first_with;
  std::vector<std::int64_t> first;
  first.reserve(tau_.size());
  for (std::int64_t n = 0; n < n_synapses(); ++n) {
    first.push_back(first_with.try_emplace(tau_[static_cast<std::size_t>(n)], n).first->second);
  }
  return first;
}

double ExponentialKernel::EventWeight(std::int64_t n, double fraction) const {
  return std::exp(fraction * (dt_ / tau_[static_cast<std::size_t>(n)]));
}

std::unique_ptr<Recursion> ExponentialKernel::MakeRecursion(std::int64_t n) const {
  const auto i = static_cast<std::size_t>(n);
  if (IsDecayTiny<double>(n)) {
    const DoubleDouble rate = QuotientOfPositive(dt_, tau_[i]);
    if (HasGain()) return std::make_unique<SharpRecursion>(rate, first_sample_[i]);
    return std::make_unique<TinyDecayRecursion>(rate);
  }
  return std::make_unique<PlainRecursion>(DoubleDouble{decay()[n], decay_low()[n]},
                                          DoubleDouble{tail_weight()[n], tail_weight_low()[n]},
                                          HasGain() ? gain_[i] : 1);
}

void ExponentialKernel::Recurse(const Tile<float>& tile) const { RecurseVectors(*this, tile); }
void ExponentialKernel::Recurse(const Tile<double>& tile) const { RecurseVectors(*this, tile); }

double ExponentialKernel::RecursionCost(std::int64_t n_timesteps) const {
  constexpr double kPerSample = 0.4;
  constexpr double kPerSampleWithTail = 0.5;
  constexpr double kPerSampleAcrossTime = 1.1;
  if (n_synapses() < kFewSynapses) return kPerSampleAcrossTime;
  return n_timesteps > window_length() ? kPerSampleWithTail : kPerSample;
}

bool ExponentialKernel::RecurseFewSteps(const Tile<float>& item) const {
  return RecurseFewVectors(*this, item);
}
bool ExponentialKernel::RecurseFewSteps(const Tile<double>& item) const {
  return RecurseFewVectors(*this, item);
}

template <typename Real>
void ExponentialKernel::RollOverRows(std::int64_t n, std::int64_t n_rows, DoubleDouble* numbers,
                                     Real* rows) const {
  // In plain arithmetic for kInterval steps at a time: over more, rounding errors would add up.
  constexpr std::int64_t kInterval = simd::kCarryInterval<double>;
  const DoubleDouble over_interval{factors64_.carry_decay[n], factors64_.carry_decay_low[n]};
  const double decay_of_n = decay()[n];
  DoubleDouble carried = *numbers;
  for (std::int64_t first = 0; first < n_rows; first += kInterval) {
    const std::int64_t end = std::min(first + kInterval, n_rows);
    double isyn = carried.high;
    for (std::int64_t row = first; row < end; ++row) {
      isyn *= decay_of_n;
      rows[row] = static_cast<Real>(static_cast<double>(rows[row]) + isyn);
    }
    carried = carried * over_interval;
  }
  const DoubleDouble rate = QuotientOfPositive(dt_, tau_[static_cast<std::size_t>(n)]);
  *numbers = *numbers * ExpOfNegative(-(rate * static_cast<double>(n_rows)));
}

void ExponentialKernel::RollOver(std::int64_t n, std::int64_t n_rows, DoubleDouble* numbers,
                                 float* rows) const {
  RollOverRows(n, n_rows, numbers, rows);
}
void ExponentialKernel::RollOver(std::int64_t n, std::int64_t n_rows, DoubleDouble* numbers,
                                 double* rows) const {
  RollOverRows(n, n_rows, numbers, rows);
}

bool ExponentialKernel::IsAlwaysPrecise(std::int64_t n, ElementType dtype) const {
  return dtype == ElementType::kFloat32 ? IsDecayTiny<float>(n) : IsDecayTiny<double>(n);
}

std::shared_ptr<const Kernel> MakeExponential(const KernelArguments& arguments) {
  RequireParameters(arguments, 1);
  const std::vector<double>& tau = arguments.parameters[0];
  return std::make_shared<ExponentialKernel>(tau.data(), arguments.n_synapses, arguments.dt,
                                             WindowLength(arguments, tau), arguments.normalisation);
}

}  // namespace expsyn
