// Kernels other than the exponential with non-finite and very large inputs.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "kernel_subjects.h"

namespace expsyn::test {
namespace {

// Whether `a` is finite, infinite or NaN as `b` is; an infinity has the same sign.
bool IsSameKind(double a, long double b) {
  if (std::isnan(b)) return std::isnan(a);
  return std::isinf(b) ? a == static_cast<double>(b) : std::isfinite(a);
}

TEST_CASE_TEMPLATE("a non-finite input of other kernels stays in its channel and window", Real,
                   float, double) {
  for (const Subject& subject : Subjects(3, true)) {
    const std::int64_t length = subject.kernel->window_length();
    const std::vector<double> clean = RandomInput(3 * 3000, 13);
    const std::vector<long double> expected = ObviousSum(subject, clean);
    for (const double value : {static_cast<double>(NAN), kInfinity, -kInfinity}) {
      std::vector<double> input = clean;
      input[1000 * 3 + 1] = value;
      const std::vector<long double> obvious = ObviousSum(subject, input);
      for (const Method method : subject.methods) {
        const std::vector<Real> without =
            RunWhole<Real>(subject, clean, {method, {}, true, 1}).output;
        for (const bool is_chunked : {false, true}) {
          CAPTURE(subject.name);
          CAPTURE(std::string(NameOf(method)));
          CAPTURE(value);
          CAPTURE(is_chunked);
          const Options options{method, {}, false, 1};
          if (is_chunked && length != Kernel::kUnlimited && subject.kernel->has_recursion()) {
            continue;
          }
          const std::vector<Real> actual =
              is_chunked ? RunInChunks<Real>(subject, input, options, {method}, 2).output
                         : RunWhole<Real>(subject, input, options).output;
          std::vector<Real> rest = actual;
          std::size_t n_wrong = 0;
          for (std::size_t t = 0; t < 3000; ++t) {
            const std::size_t i = t * 3 + 1;
            const bool is_held = t >= 1000 && static_cast<std::int64_t>(t) - 1000 < length;
            if (!is_held) {
              n_wrong += !std::isfinite(actual[i]);
              continue;
            }
            n_wrong += std::isfinite(actual[i]);
            if (!subject.kernel->has_recursion()) n_wrong += !IsSameKind(actual[i], obvious[i]);
            rest[i] = static_cast<Real>(expected[i]);
          }
          if (!is_chunked) {
            for (std::size_t i = 0; i < rest.size(); i += 3) {
              n_wrong += actual[i] != without[i] || actual[i + 2] != without[i + 2];
            }
          }
          CHECK(n_wrong == 0);
          CHECK(WorstError(subject, rest, expected) < kTolerance<Real>);
        }
        std::vector<Real> output(input.size());
        OwnState next(3, 77, subject.n_planes());
        const OwnState state(3, 0, subject.n_planes());
        const EvolveResult result =
            EvolveBatch(*subject.kernel, {method, {}, true, 1}, RasterOf(subject, input),
                        state.view(), output.data(), next.next());
        CHECK(result.status == EvolveResult::Status::kFailed);
        CHECK(result.failures.at(0).index == 1000 * 3 + 1);
        CHECK(next == OwnState(3, 77, subject.n_planes()));
      }
    }
  }
}

TEST_CASE_TEMPLATE("sums of other kernels that overflow on the way are recomputed", Real, float,
                   double) {
  constexpr auto kMost = static_cast<double>(std::numeric_limits<Real>::max());
  // Each output fits the type, but the sum of its positive terms does not.
  for (const Subject& subject : {Triangle(1, 50), Oscillation(1, 40)}) {
    std::vector<double> input(300, 0.0);
    input[100] = 0.9 * kMost;
    input[101] = 0.9 * kMost;
    input[102] = -0.9 * kMost;
    input[103] = -0.9 * kMost;
    const std::vector<long double> expected = ObviousSum(subject, input);
    for (const Method method : subject.methods) {
      CAPTURE(subject.name);
      CAPTURE(std::string(NameOf(method)));
      const std::vector<Real> actual = RunWhole<Real>(subject, input, {method, {}, true, 1}).output;
      std::size_t n_wrong = 0;
      for (std::size_t t = 0; t < 300; ++t) {
        const bool is_large = std::abs(expected[t]) > kMost;
        const double error = std::abs(
            static_cast<double>((static_cast<long double>(actual[t]) - expected[t]) / kMost));
        n_wrong += is_large ? std::isfinite(actual[t]) : !(error < kTolerance<Real>);
      }
      CHECK(n_wrong == 0);
    }
  }
}

}  // namespace
}  // namespace expsyn::test
