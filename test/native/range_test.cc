// Both methods at the ends of what numbers can be.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "oracle.h"

namespace expsyn::test {
namespace {

// The largest error relative to its channel's peak. An error that is less than the smallest normal
// number is none, since subnormal numbers count as 0.
template <typename Real>
double WorstNormalError(const Case& c, const std::vector<double>& output,
                        const std::vector<long double>& expected) {
  constexpr long double kSmallest = std::numeric_limits<Real>::min();
  const auto n_synapses = static_cast<std::size_t>(c.n_synapses());
  long double worst = 0;
  for (std::size_t n = 0; n < n_synapses; ++n) {
    long double peak = 0;
    long double error = 0;
    for (std::size_t i = n; i < output.size(); i += n_synapses) {
      peak = std::max(peak, std::abs(expected[i]));
      const long double here = std::abs(expected[i] - static_cast<long double>(output[i]));
      if (!(here <= 2 * kSmallest)) error = std::max(error, std::isnan(here) ? 1 : here);
    }
    if (error > 0) worst = std::max(worst, error / peak);
  }
  return static_cast<double>(worst);
}

template <typename Real>
void CheckRange(const Case& c) {
  constexpr double kTolerance = sizeof(Real) == sizeof(float) ? 5e-6 : 1e-12;
  const std::vector<long double> expected = DirectSum(c);
  for (const Method method : {Method::kFft, Method::kRecursive}) {
    CAPTURE(method == Method::kFft ? "fft" : "recursive");
    CAPTURE(c.tau[0]);
    CAPTURE(c.window_length);
    CHECK(WorstNormalError<Real>(c, Run<Real>(c, method).output, expected) < kTolerance);
  }
}

Case Scaled(Case c, double scale) {
  for (double& x : c.input) x *= scale;
  for (double& x : c.state) x *= scale;
  return c;
}

TEST_CASE("decays that are no normal numbers still count for large inputs") {
  for (const double rate : {60., 85., 87., 88., 100., 103., 150., 175., 180.}) {
    for (const std::int64_t n : {1, 9}) {
      const std::vector<double> tau(static_cast<std::size_t>(n), 1e-3 / rate);
      for (const std::int64_t window : {std::int64_t{1}, std::int64_t{30}, Kernel::kUnlimited}) {
        for (const double scale : {1., 1e10, 1e36}) {
          CheckRange<float>(Scaled(MakeCase(1, 200, tau, window, Drive::kSigned), scale));
        }
      }
    }
  }
  for (const double rate : {300., 690., 708., 708.5, 710., 745., 900., 1300., 1400., 1450., 1e5}) {
    for (const std::int64_t n : {1, 9}) {
      const std::vector<double> tau(static_cast<std::size_t>(n), 1e-3 / rate);
      for (const std::int64_t window : {std::int64_t{1}, std::int64_t{30}, Kernel::kUnlimited}) {
        for (const double scale : {1., 1e100, 1e305}) {
          CheckRange<double>(Scaled(MakeCase(1, 200, tau, window, Drive::kSigned), scale));
        }
      }
    }
  }
}

TEST_CASE("a tiny decay in single steps, and beside others") {
  const Case c = Scaled(MakeCase(1, 1, {1e-5, 0.02, 1.1e-6, 3., 1e-6, 2e-6, 1e-4, 1e-3, 0.1, 1e-6},
                                 Kernel::kUnlimited, Drive::kSigned),
                        1e200);
  CheckRange<double>(c);
}

TEST_CASE("the smallest and the largest inputs") {
  for (const double scale : {1e-303, 1e-300, 1e-280, 1e-150, 1e150, 1e280, 1e300, 1e306}) {
    for (const std::int64_t window : {std::int64_t{40}, Kernel::kUnlimited}) {
      CAPTURE(scale);
      CheckRange<double>(Scaled(MakeCase(1, 900, {0.002, 0.01, 1, 1e3, 0.02, 0.02, 0.02, 0.02, 0.1},
                                         window, Drive::kSigned),
                                scale));
    }
  }
  for (const double scale : {1e-33, 1e-30, 1e-20, 1e20, 1e30, 1e35}) {
    for (const std::int64_t window : {std::int64_t{40}, Kernel::kUnlimited}) {
      CAPTURE(scale);
      CheckRange<float>(Scaled(MakeCase(1, 900, {0.002, 0.01, 1, 1e3, 0.02, 0.02, 0.02, 0.02, 0.1},
                                        window, Drive::kSigned),
                               scale));
    }
  }
}

TEST_CASE("a kernel's time that overflows") {
  Case c = MakeCase(1, 400, {1e308, 1e307, 1.7e308}, 390, Drive::kSigned);
  c.dt = 1e306;
  CheckRange<double>(c);
  c.window_length = Kernel::kUnlimited;
  CheckRange<double>(c);
  c.dt = 1e-308;
  c.tau = {1e-307, 1e-306, 3e-308};
  CheckRange<double>(c);
}

TEST_CASE("a small kernel by the transforms, whose spectrum is scaled") {
  for (const double rate : {17., 20., 40., 80.}) {
    for (const double scale : {1e-20, 1., 1e20}) {
      CheckRange<float>(Scaled(
          MakeCase(1, 3000, std::vector<double>(3, 1e-3 / rate), 300, Drive::kSigned), scale));
      CheckRange<double>(Scaled(
          MakeCase(1, 3000, std::vector<double>(3, 1e-3 / rate), 300, Drive::kSigned), scale));
    }
  }
}

}  // namespace
}  // namespace expsyn::test
