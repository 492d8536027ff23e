// The samples and the recursion of the double-exponential kernel over the range of its time
// constants.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "kernel_subjects.h"

namespace expsyn::test {
namespace {

constexpr double kDt = 1e-3;

// w at a time t by the formula in extended precision; all in seconds.
long double Formula(double rise, double decay, long double t) {
  if (rise == decay) return t / decay * std::exp(1 - t / decay);
  const long double r = rise;
  const long double d = decay;
  const long double rate = (d - r) / (d * r);
  const long double at_peak = std::log1p((d - r) / r) / rate;
  const auto at = [&](long double time) { return -std::exp(-time / d) * std::expm1(-time * rate); };
  return at(t) / at(at_peak);
}

// Time constants in steps.
Subject Single(double rise, double decay, double window_taus) {
  const double tau_rise = rise * kDt;
  const double tau_decay = decay * kDt;
  return {"double-exp",
          MakeKernel("double-exp", {1, {{tau_rise}, {tau_decay}}, kDt, window_taus, 1e6}),
          [=](std::int64_t, std::int64_t k) {
            return Formula(tau_rise, tau_decay, static_cast<long double>(k + 1) * kDt);
          },
          {Method::kFft, Method::kRecursive}};
}

TEST_CASE("samples of double exponentials are those of the formula, whatever the time constants") {
  std::mt19937 random(8);
  std::uniform_real_distribution<double> exponent(-3, 6), ratio_exponent(-6, 0), unit(0, 1);
  for (int run = 0; run < 20000; ++run) {
    const double decay = std::pow(10.0, exponent(random));
    double ratio = std::pow(10.0, ratio_exponent(random));
    if (run % 4 == 1) ratio = 1 - ratio * 1e-3;
    if (run % 4 == 2) ratio = 1 - std::pow(10.0, -16 * unit(random));
    if (run % 40 == 3) ratio = 1;
    const Subject subject = Single(decay * ratio, decay, kInfinity);
    for (const double share : {0.0, 0.01, 0.3, 1.0, 5.0, 30.0}) {
      const auto k = static_cast<std::int64_t>(decay * share);
      const auto expected = static_cast<double>(subject.sample(0, k));
      // The quotient of a step and a time constant has been rounded.
      const double steps = static_cast<double>(k + 1) / decay;
      const double bound = (3e-15 + 4e-16 * steps) * std::abs(expected) + 1e-290;
      CAPTURE(decay);
      CAPTURE(ratio);
      CAPTURE(k);
      CHECK(std::abs(subject.kernel->Sample(0, k) - expected) <= bound);
    }
  }
}

TEST_CASE_TEMPLATE("the recursion of double exponentials keeps its digits over long time constants",
                   Real, float, double) {
  for (const double decay : {0.5, 30.0, 3e3, 1e5, 1e6}) {
    for (const double ratio : {1e-6, 0.03, 0.7, 1 - 1e-7, 1.0}) {
      const Subject subject = Single(decay * ratio, decay, kInfinity);
      std::vector<double> input = RandomInput(6000, 5);
      for (double& value : input) value = std::abs(value);
      const std::vector<long double> expected = ObviousSum(subject, input);
      CAPTURE(decay);
      CAPTURE(ratio);
      for (const Method method : subject.methods) {
        const Options options{method, {}, true, 1};
        CHECK(WorstError(subject, RunWhole<Real>(subject, input, options).output, expected) <
              kTolerance<Real>);
        CHECK(WorstError(subject, RunInChunks<Real>(subject, input, options, {method}, 3).output,
                         expected) < kTolerance<Real>);
      }
    }
  }
}

TEST_CASE_TEMPLATE("calls of one step do not add up their rounding errors", Real, float, double) {
  const Subject subject = Single(3e4, 4e4, kInfinity);
  const std::vector<double> input(200000, 1);
  const Options options{Method::kRecursive, {}, true, 1};
  const auto whole = RunWhole<double>(subject, input, options);
  OwnState state(1, 0, subject.n_planes());
  Real output = 0;
  for (std::int64_t step = 0; step < 200000; ++step) {
    const EvolveResult result =
        EvolveBatch(*subject.kernel, options, RasterOf(subject, input, step, 1), state.view(),
                    &output, state.next());
    REQUIRE(result.status == EvolveResult::Status::kDone);
  }
  const double last = whole.output.back();
  CHECK(std::abs(static_cast<double>(output) - last) < kTolerance<Real> * last);
  const DoubleDouble isyn = state.view().Number(0, 0);
  CHECK(std::abs(isyn.high + isyn.low - last) < kTolerance<Real> / 10 * last);
}

TEST_CASE("double exponentials of equal time constants are alpha functions") {
  const std::vector<double> tau{0.004, 0.03};
  const auto alpha = MakeKernel("alpha", {2, {tau}, kDt, 5, 1e6});
  const auto equal = MakeKernel("double-exp", {2, {tau, tau}, kDt, 5, 1e6});
  CHECK(alpha->window_length() == equal->window_length());
  for (std::int64_t n = 0; n < 2; ++n) {
    for (std::int64_t k = 0; k < 150; ++k) CHECK(alpha->Sample(n, k) == equal->Sample(n, k));
  }
}

TEST_CASE("absurd time constants give finite samples and recursions") {
  for (const double rise : {1e-300, 1e-9, 1.0, 1e9, 1e300}) {
    for (const double decay : {1e-300, 1e-9, 1.0, 1e9, 1e300}) {
      if (rise > decay) continue;
      for (const double dt : {1e-320, 1e-300, 1e-3, 1e300}) {
        for (const Normalisation normalisation : kNormalisations) {
          for (const double window_taus : {0.5, kInfinity}) {
            const auto kernel = MakeKernel(
                "double-exp", {1, {{rise}, {decay}}, dt, window_taus, 1e3, normalisation});
            CAPTURE(rise);
            CAPTURE(decay);
            CAPTURE(dt);
            for (const std::int64_t k : {0, 1, 999}) {
              CHECK(std::isfinite(kernel->Sample(0, k)));
              CHECK(kernel->Sample(0, k) >= 0);
            }
            const auto recursion = kernel->MakeRecursion(0);
            const DoubleDouble numbers[2] = {{1, 0}, {1, 0}};
            recursion->Start(numbers);
            recursion->Advance();
            CHECK(std::isfinite(recursion->Number(0).high));
          }
        }
      }
    }
  }
}

TEST_CASE("rise times above the decay times are refused") {
  CHECK_THROWS_AS(MakeKernel("double-exp", {1, {{0.02}, {0.01}}, kDt, 5, 1e6}),
                  std::invalid_argument);
}

}  // namespace
}  // namespace expsyn::test
