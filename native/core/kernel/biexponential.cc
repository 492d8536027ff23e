#include "kernel/biexponential.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>
#include <utility>

#include "kernel/biexponential_recursion.h"
#include "simd/ops.h"

namespace expsyn {

namespace {

// Products of a first sample of at most this size with numbers of steps are finite.
constexpr double kMaxEntry = 0x1p+900;

// exp() of minus this is 0, and products of it with a number of steps are finite.
constexpr double kMaxRate = 1e200;

// 1 - exp(-x) for x >= 0, to double precision.
double OneMinusExp(double x) {
  constexpr double kSmall = 1e-5;
  if (x < kSmall) return x * (1 - x / 2 * (1 - x / 3));
  const DoubleDouble power = ExpOfNegative({-x, 0});
  return (1 - power.high) - power.low;
}

// The distance of a = exp(-rate) from the nearer end of (0, 1).
double OffsetOf(DoubleDouble a, double rate) {
  constexpr double kSmallest = std::numeric_limits<double>::min();
  return a.high > 0.5 ? -std::max(OneMinusExp(rate), kSmallest) : a.high;
}

// -ln(1 - x) / x for 0 <= x < 1, with arithmetic that gives the same bits everywhere: the logarithm
// of a C library does not.
double NegativeLog1mOver(double x) {
  constexpr double kSmall = 1.0 / 64;
  if (x < kSmall) {
    double sum = 0;
    for (int k = 10; k >= 1; --k) sum = sum * x + 1.0 / k;
    return sum;
  }
  // Newton's iteration for exp(-y) = 1 - x, which doubles the digits each time.
  int exponent = 0;
  const double fraction = std::frexp(1 - x, &exponent);
  DoubleDouble y{(1 - fraction) * (1 + (1 - fraction) / 2) - exponent * kLn2.high, 0};
  const DoubleDouble rest = TwoSum(1, -x);
  for (int iteration = 0; iteration < 6; ++iteration) {
    const DoubleDouble power = ExpOfNegative(-y);
    const DoubleDouble error = power + -rest;
    y = y + DoubleDouble{error.high / power.high, 0};
  }
  return y.high / x;
}

// With the parts of a^m, b^m, q = sum_{i < m} a^(m-1-i) b^i, the sums of a^j and of q over
// 1 <= j <= m: what m steps do. Nothing cancels in combining two of them.
struct Steps {
  DoubleDouble decay, rise_decay, transfer, decay_sum, transfer_sum;
};

// What the steps of `first` and then those of `later` do.
Steps Then(const Steps& first, const Steps& later) {
  return {first.decay * later.decay, first.rise_decay * later.rise_decay,
          later.decay * first.transfer + first.rise_decay * later.transfer,
          first.decay_sum + first.decay * later.decay_sum,
          first.transfer_sum + first.transfer * later.decay_sum +
              first.rise_decay * later.transfer_sum};
}

Steps Repeated(DoubleDouble a, DoubleDouble b, std::int64_t n_steps) {
  Steps power{a, b, {1, 0}, a, {1, 0}};
  Steps total{{1, 0}, {1, 0}, {}, {}, {}};
  for (; n_steps > 0; n_steps >>= 1) {
    if ((n_steps & 1) != 0) total = Then(total, power);
    power = Then(power, power);
  }
  return total;
}

// One synapse's time constants and what follows from them.
struct TimeConstants {
  double rise;
  double decay;
  double dt;

  // 1 - rise / decay, without cancellation: close to 0, the difference is exact.
  double difference() const { return (decay - rise) / decay; }
  double decay_rate() const { return std::min(dt / decay, kMaxRate); }
  double rise_rate() const { return std::min(dt / rise, kMaxRate); }
  double rate_difference() const { return rise_rate() * difference(); }

  // w[0] for a peak of 1 over continuous time. With e = difference(), that peak is
  // e exp(-ln(1 / r) r / e) before scaling, r = rise / decay, at t = rise ln(1 / r) / e.
  double FirstSample() const {
    constexpr double kSmall = 1e-4;
    const double e = difference();
    const DoubleDouble power = ExpOfNegative({-decay_rate(), 0});
    const double to_peak = 1 / ExpOfNegative({-(1 - e) * NegativeLog1mOver(e), 0}).high;
    const double d = rate_difference();
    // (1 - exp(-d)) / e, where d = rise_rate() e.
    const double risen =
        d < kSmall ? rise_rate() * (1 - d / 2 * (1 - d / 3 * (1 - d / 4))) : OneMinusExp(d) / e;
    const double sample = to_peak * power.high * risen;
    return sample < std::numeric_limits<double>::min() ? 0 : sample;
  }
};

}  // namespace

BiexponentialKernel::BiexponentialKernel(const double* tau_rise, const double* tau_decay,
                                         std::int64_t n_synapses, double dt,
                                         std::int64_t window_length, Normalisation normalisation)
    : Kernel(n_synapses, window_length, 2) {
  constexpr double kMax = std::numeric_limits<double>::max();
  // Only the quotients of dt and the time constants matter, and a subnormal dt counts as 0 in some
  // threads.
  const double scale = dt < 0x1p-900 ? 0x1p+200 : 1.0;
  const auto size = static_cast<std::size_t>(n_synapses);
  for (AlignedBuffer<double>* buffer :
       {&rate_, &rate_difference_, &decay_.high, &decay_.low, &rise_decay_.high, &rise_decay_.low,
        &decay_offset_, &rise_decay_offset_, &factors64_.entry}) {
    *buffer = AlignedBuffer<double>(size);
  }
  first_equal_.resize(size);
  std::map<std::pair<double, double>, std::int64_t> first_with;
  for (std::size_t n = 0; n < size; ++n) {
    const auto first =
        first_with.try_emplace({tau_rise[n], tau_decay[n]}, static_cast<std::int64_t>(n)).first;
    first_equal_[n] = first->second;
    const TimeConstants taus{std::min(tau_rise[n] * scale, kMax),
                             std::min(tau_decay[n] * scale, kMax), dt * scale};
    rate_[n] = taus.decay_rate();
    rate_difference_[n] = taus.rate_difference();
    const DoubleDouble a = ExpOfNegative(-QuotientOfPositive(taus.dt, taus.decay));
    const DoubleDouble b = ExpOfNegative(-QuotientOfPositive(taus.dt, taus.rise));
    decay_.high[n] = a.high;
    decay_.low[n] = a.low;
    rise_decay_.high[n] = b.high;
    rise_decay_.low[n] = b.low;
    decay_offset_[n] = OffsetOf(a, rate_[n]);
    rise_decay_offset_[n] = OffsetOf(b, taus.rise_rate());
    double entry = taus.FirstSample();
    if (normalisation == Normalisation::kArea) {
      // The samples add up to w[0] / ((1 - a) (1 - b)), or to less if they are cut.
      entry = window_length == kUnlimited
                  ? OneMinusExp(taus.decay_rate()) * OneMinusExp(taus.rise_rate()) / dt
                  : 1 / (Repeated(a, b, window_length).transfer_sum.high * dt);
      entry = std::min(entry, kMaxEntry);
    }
    factors64_.entry[n] = entry;
    if (entry > 0) smallest_entry_ = std::min(smallest_entry_, entry);
  }
  FillFactors(factors32_);
  FillFactors(factors64_);
}

template <typename Real>
void BiexponentialKernel::FillFactors(Factors<Real>& factors) {
  const auto size = static_cast<std::size_t>(n_synapses());
  factors.decay = AlignedBuffer<Real>(size);
  factors.rise_decay = AlignedBuffer<Real>(size);
  if (sizeof(Real) == sizeof(float)) factors.entry = AlignedBuffer<Real>(size);
  for (Pairs* pairs : {&factors.carry_decay, &factors.carry_rise_decay, &factors.carry_transfer}) {
    pairs->high = AlignedBuffer<double>(size);
    pairs->low = AlignedBuffer<double>(size);
  }
  for (std::size_t n = 0; n < size; ++n) {
    const auto at = static_cast<std::int64_t>(n);
    const Steps steps = Repeated(At(decay_, at), At(rise_decay_, at), simd::kCarryInterval<Real>);
    const DoubleDouble transfer = steps.transfer * factors64_.entry[n];
    factors.decay[n] = static_cast<Real>(decay_.high[n]);
    factors.rise_decay[n] = static_cast<Real>(rise_decay_.high[n]);
    factors.entry[n] = static_cast<Real>(factors64_.entry[n]);
    factors.carry_decay.high[n] = steps.decay.high;
    factors.carry_decay.low[n] = steps.decay.low;
    factors.carry_rise_decay.high[n] = steps.rise_decay.high;
    factors.carry_rise_decay.low[n] = steps.rise_decay.low;
    factors.carry_transfer.high[n] = transfer.high;
    factors.carry_transfer.low[n] = transfer.low;
  }
}

double BiexponentialKernel::Sample(std::int64_t n, std::int64_t k) const {
  const auto i = static_cast<std::size_t>(n);
  const auto steps = static_cast<double>(k + 1);
  const double difference = rate_difference_[i];
  // (1 - exp(-m d)) / (1 - exp(-d)) for m steps, which is m where d is 0.
  const double one = std::expm1(-difference);
  const double sum = one == 0 ? steps : std::expm1(-steps * difference) / one;
  return entry()[n] * std::exp(-static_cast<double>(k) * rate_[i]) * sum;
}

std::vector<std::int64_t> BiexponentialKernel::FirstEqual() const { return first_equal_; }

std::unique_ptr<Recursion> BiexponentialKernel::MakeRecursion(std::int64_t n) const {
  return std::make_unique<LinearRecursion>(
      std::vector<DoubleDouble>{At(decay_, n), {entry()[n], 0}, {}, At(rise_decay_, n)},
      std::vector<double>{0, 1}, window_length());
}

void BiexponentialKernel::Recurse(const Tile<float>& tile) const { RecurseVectors(*this, tile); }
void BiexponentialKernel::Recurse(const Tile<double>& tile) const { RecurseVectors(*this, tile); }

double BiexponentialKernel::RecursionCost(std::int64_t n_timesteps) const {
  constexpr double kPerSample = 0.6;
  // Of a step whose synapses do not fill a vector.
  constexpr double kPerStepOfFew = 3.2;
  constexpr std::int64_t kFew = 8;
  if (window_length() < n_timesteps) return Kernel::RecursionCost(n_timesteps);
  if (n_synapses() >= kFew) return kPerSample;
  return kPerSample + kPerStepOfFew / static_cast<double>(std::max<std::int64_t>(1, n_synapses()));
}

bool BiexponentialKernel::RecurseFewSteps(const Tile<float>& item) const {
  return RecurseFewVectors(*this, item);
}
bool BiexponentialKernel::RecurseFewSteps(const Tile<double>& item) const {
  return RecurseFewVectors(*this, item);
}

template <typename Real>
void BiexponentialKernel::RollOverRows(std::int64_t n, std::int64_t n_rows, DoubleDouble* numbers,
                                       Real* rows) const {
  // In plain arithmetic for kInterval steps at a time: over more, rounding errors would add up.
  constexpr std::int64_t kInterval = simd::kCarryInterval<double>;
  const DoubleDouble a = At(decay_, n);
  const DoubleDouble b = At(rise_decay_, n);
  const double first_sample = entry()[n];
  const DoubleDouble interval_decay = At(factors64_.carry_decay, n);
  const DoubleDouble interval_transfer = At(factors64_.carry_transfer, n);
  const DoubleDouble interval_rise_decay = At(factors64_.carry_rise_decay, n);
  for (std::int64_t first = 0; first < n_rows; first += kInterval) {
    const std::int64_t end = std::min(first + kInterval, n_rows);
    double isyn = numbers[0].high;
    double rising = numbers[1].high;
    for (std::int64_t row = first; row < end; ++row) {
      isyn = isyn * a.high + rising * first_sample;
      rising *= b.high;
      rows[row] = static_cast<Real>(static_cast<double>(rows[row]) + isyn);
    }
    if (end - first == kInterval) {
      numbers[0] = numbers[0] * interval_decay + numbers[1] * interval_transfer;
      numbers[1] = numbers[1] * interval_rise_decay;
    } else {
      const Steps steps = Repeated(a, b, end - first);
      numbers[0] = numbers[0] * steps.decay + numbers[1] * (steps.transfer * first_sample);
      numbers[1] = numbers[1] * steps.rise_decay;
    }
  }
}

void BiexponentialKernel::RollOver(std::int64_t n, std::int64_t n_rows, DoubleDouble* numbers,
                                   float* rows) const {
  RollOverRows(n, n_rows, numbers, rows);
}
void BiexponentialKernel::RollOver(std::int64_t n, std::int64_t n_rows, DoubleDouble* numbers,
                                   double* rows) const {
  RollOverRows(n, n_rows, numbers, rows);
}

bool BiexponentialKernel::IsAlwaysPrecise(std::int64_t n, ElementType dtype) const {
  return dtype == ElementType::kFloat32 && IsEntryTiny<float>(n);
}

std::shared_ptr<const Kernel> MakeAlpha(const KernelArguments& arguments) {
  RequireParameters(arguments, 1);
  const std::vector<double>& tau = arguments.parameters[0];
  return std::make_shared<BiexponentialKernel>(tau.data(), tau.data(), arguments.n_synapses,
                                               arguments.dt, WindowLength(arguments, tau),
                                               arguments.normalisation);
}

std::shared_ptr<const Kernel> MakeDoubleExponential(const KernelArguments& arguments) {
  RequireParameters(arguments, 2);
  const std::vector<double>& rise = arguments.parameters[0];
  const std::vector<double>& decay = arguments.parameters[1];
  for (std::size_t n = 0; n < rise.size(); ++n) {
    if (!(rise[n] <= decay[n])) {
      throw std::invalid_argument("Expected rise times that are not above the decay times.");
    }
  }
  return std::make_shared<BiexponentialKernel>(rise.data(), decay.data(), arguments.n_synapses,
                                               arguments.dt, WindowLength(arguments, decay),
                                               arguments.normalisation);
}

}  // namespace expsyn
