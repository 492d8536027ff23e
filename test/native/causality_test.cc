// What comes later changes nothing before it.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "oracle.h"

namespace expsyn::test {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Elements before step `t` whose bits differ.
std::size_t CountDifferent(const Case& c, const Answer& a, const Answer& b, std::int64_t t) {
  std::size_t count = 0;
  for (std::int64_t i = 0; i < t * c.n_synapses(); ++i) {
    const auto place = static_cast<std::size_t>(i);
    count += std::memcmp(&a.output[place], &b.output[place], sizeof(double)) != 0;
  }
  return count;
}

TEST_CASE_TEMPLATE("a value that is not finite leaves the bits of all earlier steps", Real, float,
                   double) {
  for (const std::int64_t n_synapses : {1, 9}) {
    for (const std::int64_t window : {std::int64_t{1}, std::int64_t{50}, Kernel::kUnlimited}) {
      const Case clean =
          MakeCase(1, 3000, std::vector<double>(n_synapses, 0.3), window, Drive::kSigned);
      for (const std::int64_t t : {0, 63, 64, 700, 2999}) {
        for (const double value : {kNan, -kInfinity}) {
          CAPTURE(n_synapses);
          CAPTURE(window);
          CAPTURE(t);
          Case c = clean;
          c.input[static_cast<std::size_t>(t * n_synapses + n_synapses / 2)] = value;
          for (const Noise& noise : {Noise{}, Noise{NoisePlacement::kOutput, 0.1, 3, 9}}) {
            const Answer expected = Run<Real>(clean, Method::kRecursive, noise, false);
            const Answer actual = Run<Real>(c, Method::kRecursive, noise, false);
            CHECK(CountDifferent(c, actual, expected, t) == 0);
            CHECK(!std::isfinite(
                actual.output[static_cast<std::size_t>(t * n_synapses + n_synapses / 2)]));
            // The transforms take it as 0, and the bits of all that is finite are those of that.
            Case zero = clean;
            zero.input[static_cast<std::size_t>(t * n_synapses + n_synapses / 2)] = 0;
            const Answer without = Run<Real>(zero, Method::kFft, noise, false);
            const Answer transformed = Run<Real>(c, Method::kFft, noise, false);
            std::size_t n_different = 0;
            std::size_t n_non_finite = 0;
            for (std::size_t i = 0; i < transformed.output.size(); ++i) {
              if (std::isfinite(transformed.output[i])) {
                n_different += transformed.output[i] != without.output[i];
              } else {
                ++n_non_finite;
              }
            }
            CHECK(n_different == 0);
            CHECK(n_non_finite == static_cast<std::size_t>(std::min(window, 3000 - t)));
          }
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("a state that is not finite has no correction", Real, float, double) {
  for (const Method method : {Method::kFft, Method::kRecursive}) {
    for (const double value : {kNan, kInfinity}) {
      Case c = MakeCase(1, 90, std::vector<double>(9, 0.3), 80, Drive::kSigned);
      c.input[89 * 9 + 4] = value;
      const Answer answer = Run<Real>(c, method, {}, false);
      CHECK(!std::isfinite(answer.next_state.isyn(4)));
      CHECK(answer.next_state.correction(4) == 0);
    }
  }
}

TEST_CASE_TEMPLATE("a sum that overflows leaves the bits of all earlier steps", Real, float,
                   double) {
  for (const std::int64_t n_synapses : {1, 9}) {
    const Case clean = MakeCase(1, 1000, std::vector<double>(n_synapses, 0.3), 80, Drive::kSigned);
    Case c = clean;
    for (const std::int64_t t : {500, 501}) {
      c.input[static_cast<std::size_t>(t * n_synapses)] = std::numeric_limits<Real>::max();
    }
    const Answer expected = Run<Real>(clean, Method::kRecursive);
    const Answer actual = Run<Real>(c, Method::kRecursive);
    CHECK(CountDifferent(c, actual, expected, 500) == 0);
    CHECK(std::isfinite(actual.output[static_cast<std::size_t>(500 * n_synapses)]));
    CHECK(std::isinf(actual.output[static_cast<std::size_t>(501 * n_synapses)]));
    CHECK(std::isfinite(actual.output[static_cast<std::size_t>(999 * n_synapses)]));
  }
}

TEST_CASE_TEMPLATE("before a huge input, the transforms' errors are those of what was small", Real,
                   float, double) {
  constexpr double kTolerance = sizeof(Real) == sizeof(float) ? 5e-6 : 1e-12;
  for (const double huge : {30., 1e3, 1e6, 1e12, 1e17}) {
    for (const std::int64_t window : {std::int64_t{200}, Kernel::kUnlimited}) {
      CAPTURE(huge);
      CAPTURE(window);
      Case c = MakeCase(1, 4000, {0.02, 0.3}, window, Drive::kSigned);
      for (std::size_t i = 2 * 1500; i < 2 * 1600; ++i) c.input[i] *= huge;
      for (std::size_t i = 2 * 3000; i < 2 * 3010; ++i) c.input[i] *= huge * huge / 10;
      const std::vector<long double> expected = DirectSum(c);
      const std::vector<double> output = Run<Real>(c, Method::kFft).output;
      for (std::size_t n = 0; n < 2; ++n) {
        long double peak = 0;
        long double worst = 0;
        for (std::size_t t = 0; t < 4000; ++t) {
          const std::size_t i = 2 * t + n;
          peak = std::max(peak, std::abs(expected[i]));
          worst = std::max(worst, std::abs(expected[i] - output[i]) / peak);
        }
        CHECK(static_cast<double>(worst) < kTolerance);
      }
    }
  }
}

TEST_CASE("an input that grows without end is cut into many transforms") {
  Case c = MakeCase(1, 2000, {0.02}, 300, Drive::kConstant);
  for (std::size_t t = 0; t < 2000; ++t) c.input[t] = std::exp2(static_cast<double>(t) - 1000);
  const std::vector<long double> expected = DirectSum(c);
  const std::vector<double> output = Run<double>(c, Method::kFft).output;
  for (std::size_t t = 0; t < 2000; ++t) {
    CHECK(std::abs(static_cast<double>((output[t] - expected[t]) / expected[t])) < 1e-12);
  }
}

}  // namespace
}  // namespace expsyn::test
