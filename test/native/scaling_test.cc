// Values at the ends of the range of a precision, in the input, the state and the sums.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "oracle.h"

namespace expsyn::test {
namespace {

constexpr Method kMethods[] = {Method::kFft, Method::kRecursive};

// Numbers below the smallest normal one count as 0.
template <typename Real>
void CheckScaled(const Case& c, Method method, double tolerance) {
  const std::vector<long double> expected = DirectSum(c);
  const Answer answer = Run<Real>(c, method);
  REQUIRE(answer.result.status == EvolveResult::Status::kDone);
  const std::int64_t n_synapses = c.n_synapses();
  for (std::int64_t n = 0; n < n_synapses; ++n) {
    long double peak = 0;
    long double error = 0;
    for (std::size_t i = static_cast<std::size_t>(n); i < expected.size(); i += n_synapses) {
      peak = std::max(peak, std::abs(expected[i]));
      error = std::max(error, std::abs(expected[i] - static_cast<long double>(answer.output[i])));
    }
    CAPTURE(n);
    CHECK(error <= tolerance * peak + 4 * std::numeric_limits<Real>::min());
  }
}

TEST_CASE_TEMPLATE("huge and tiny values have the digits of others", Real, float, double) {
  constexpr bool kIsSingle = sizeof(Real) == sizeof(float);
  constexpr double kTolerance = kIsSingle ? 5e-6 : 1e-12;
  for (const Method method : kMethods) {
    for (const double scale : kIsSingle ? std::vector<double>{1e37, 1e20, 1e-20, 1e-30, 1e-36}
                                        : std::vector<double>{1e307, 1e200, 1e-200, 1e-290}) {
      for (const std::int64_t n_synapses : {1, 3, 12}) {
        for (const Drive drive : {Drive::kSpikes, Drive::kSigned}) {
          for (const std::int64_t n_timesteps : {7, 900}) {
            Case c = MakeCase(1, n_timesteps, std::vector<double>(n_synapses, 0.005), 60, drive);
            for (double& x : c.input) x *= scale;
            for (double& x : c.state) x *= scale;
            CAPTURE(scale);
            CAPTURE(n_synapses);
            CAPTURE(n_timesteps);
            CheckScaled<Real>(c, method, kTolerance);
          }
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("a block is scaled anew where values change their size", Real, float, double) {
  constexpr bool kIsSingle = sizeof(Real) == sizeof(float);
  Case c = MakeCase(1, 6000, std::vector<double>(3, 0.005), 60, Drive::kSigned);
  for (std::size_t i = 0; i < c.input.size(); ++i) {
    if (i < 9000) c.input[i] *= kIsSingle ? 1e-30 : 1e-290;
    if (i >= 9000) c.input[i] *= kIsSingle ? 1e36 : 1e305;
  }
  for (double& x : c.state) x = 0;
  for (const Method method : kMethods) CheckScaled<Real>(c, method, kIsSingle ? 5e-6 : 1e-12);
}

// A sum that overflows before it decays, though what it decays to is finite.
TEST_CASE_TEMPLATE("an overflow on the way to a finite current is found in every row", Real, float,
                   double) {
  constexpr double kMost = std::numeric_limits<Real>::max();
  for (const std::int64_t n_synapses : {1, 2, 9, 33}) {
    for (const std::int64_t n_timesteps : {2, 16, 64, 65, 200, 1030}) {
      for (const std::int64_t place : {n_timesteps - 1, n_timesteps / 2}) {
        for (const std::int64_t n : {std::int64_t{0}, n_synapses - 1}) {
          // It decays to a third in a step: 0.9 / 3 + 0.9 is too much, a third of that is not.
          Case c = MakeCase(1, n_timesteps, std::vector<double>(n_synapses, 1e-3),
                            Kernel::kUnlimited, Drive::kSpikes);
          std::fill(c.input.begin(), c.input.end(), 0.0);
          std::fill(c.state.begin(), c.state.end(), 0.0);
          c.input[static_cast<std::size_t>((place - 1) * n_synapses + n)] = 0.9 * kMost;
          c.input[static_cast<std::size_t>(place * n_synapses + n)] = 0.9 * kMost;
          c.window_length = Kernel::kUnlimited;
          const std::vector<long double> expected = DirectSum(c);
          for (const Method method : kMethods) {
            const Answer answer = Run<Real>(c, method);
            CHECK(answer.result.status == EvolveResult::Status::kDone);
            const auto at = static_cast<std::size_t>(place * n_synapses + n);
            CAPTURE(n_synapses);
            CAPTURE(n_timesteps);
            CAPTURE(place);
            CHECK(answer.output[at] ==
                  doctest::Approx(static_cast<double>(expected[at])).epsilon(1e-5));
            if (place == n_timesteps - 1) {
              CHECK(answer.next_state.isyn(static_cast<std::size_t>(n)) == answer.output[at]);
            }
          }
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("a value that is not finite is found in every place of a short call", Real,
                   float, double) {
  ForEachInstructionSet([] {
    for (const std::int64_t n_synapses : {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 70, 130}) {
      for (const std::int64_t n_timesteps : {1, 2, 3, 9}) {
        Case c =
            MakeCase(1, n_timesteps, std::vector<double>(n_synapses, 0.02), 100, Drive::kSigned);
        const std::vector<double> before = c.input;
        std::int64_t n_wrong = 0;
        for (std::size_t i = 0; i < before.size(); ++i) {
          for (const double bad : {std::numeric_limits<double>::quiet_NaN(),
                                   -std::numeric_limits<double>::infinity()}) {
            c.input[i] = bad;
            const Answer answer = Run<Real>(c, Method::kRecursive);
            n_wrong += answer.result.status != EvolveResult::Status::kFailed ||
                       answer.result.failures.at(0).index != static_cast<std::int64_t>(i);
            for (const double value : answer.next_state.values) n_wrong += value != 0;
          }
          c.input[i] = before[i];
        }
        CAPTURE(n_synapses);
        CAPTURE(n_timesteps);
        CHECK(n_wrong == 0);
      }
    }
  });
}

}  // namespace
}  // namespace expsyn::test
