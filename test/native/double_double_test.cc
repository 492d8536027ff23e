#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "double_double.h"
#include "kernel/exponential.h"

namespace expsyn::test {
namespace {

TEST_CASE("exp of a negative number is right beyond double precision") {
  for (const double x : {-1e-300, -1e-17, -1e-9, -0.01, -0.3, -1.0, -10.0, -100.0, -700.0}) {
    const DoubleDouble value = ExpOfNegative({x, 0});
    const long double exact = std::exp(static_cast<long double>(x));
    const long double sum = static_cast<long double>(value.high) + value.low;
    CHECK(static_cast<double>(std::abs(sum - exact) / exact) < 2e-19);
  }
  CHECK(ExpOfNegative({-0.0, 0}).high == 1);
  CHECK(ExpOfNegative({-800, 0}).high == 0);
  CHECK(ExpOfNegative({-INFINITY, 0}).high == 0);
  CHECK(ExpOfNegative({-INFINITY, NAN}).high == 0);
}

TEST_CASE("exp(a) exp(b) = exp(a + b) to about 23 digits") {
  for (const double a : {-0.1, -1.7, -33.3}) {
    for (const double b : {-0.01, -2.9, -55.5}) {
      const DoubleDouble product = ExpOfNegative({a, 0}) * ExpOfNegative({b, 0});
      const DoubleDouble whole = ExpOfNegative(TwoSum(a, b));
      const DoubleDouble difference = product + -whole;
      CHECK(std::abs(difference.high / whole.high) < 1e-22);
    }
  }
}

TEST_CASE("the powers of a decay belong together") {
  const std::vector<double> tau{0.01, 0.05, 0.01};
  const ExponentialKernel kernel(tau.data(), 3, 1e-3, 500);
  for (int n = 0; n < 3; ++n) {
    CHECK(kernel.decay()[n] == doctest::Approx(std::exp(-1e-3 / tau[n])).epsilon(1e-15));
    CHECK(kernel.factors<double>().carry_decay[n] ==
          doctest::Approx(std::exp(-64 * 1e-3 / tau[n])).epsilon(1e-14));
    CHECK(kernel.factors<float>().carry_decay[n] ==
          doctest::Approx(std::exp(-16 * 1e-3 / tau[n])).epsilon(1e-14));
    CHECK(kernel.tail_weight()[n] ==
          doctest::Approx(std::exp(-500 * 1e-3 / tau[n])).epsilon(1e-13));
    CHECK(kernel.Sample(n, 99) == doctest::Approx(std::exp(-100 * 1e-3 / tau[n])).epsilon(1e-14));
  }
  CHECK(kernel.refresh_interval<double>() == Kernel::kUnlimited);
  const double slow = 1e3;
  CHECK(ExponentialKernel(&slow, 1, 1e-3, 100).refresh_interval<double>() == 800);
  CHECK(ExponentialKernel(&slow, 1, 1e-3, 1).refresh_interval<double>() == 512);
  CHECK(ExponentialKernel(&slow, 1, 1e-3, 1).refresh_interval<float>() == 16);
  CHECK(ExponentialKernel(&slow, 1, 1e-3, Kernel::kUnlimited).tail_weight()[0] == 0);
}

}  // namespace
}  // namespace expsyn::test
