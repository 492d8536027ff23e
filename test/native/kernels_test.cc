// Outputs, noise and methods of kernels other than the exponential.
#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "kernel_subjects.h"

namespace expsyn::test {
namespace {

TEST_CASE_TEMPLATE("other kernels give the sum of the definition by every method", Real, float,
                   double) {
  for (const std::int64_t n_synapses : {1, 3, 20}) {
    for (const Subject& subject : Subjects(n_synapses, true)) {
      for (const std::int64_t n_timesteps : {1, 5, 64, 65, 2000}) {
        const std::vector<double> input =
            RandomInput(static_cast<std::size_t>(n_timesteps * n_synapses), 7);
        const std::vector<long double> expected = ObviousSum(subject, input);
        for (const Method method : subject.methods) {
          for (const unsigned n_threads : {1u, 3u}) {
            CAPTURE(subject.name);
            CAPTURE(n_timesteps);
            CAPTURE(std::string(NameOf(method)));
            const auto actual =
                RunWhole<Real>(subject, input, {method, {}, true, n_threads}).output;
            CHECK(WorstError(subject, actual, expected) < kTolerance<Real>);
          }
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("other kernels give the sum in long runs, which are divided by time and synapse",
                   Real, float, double) {
  for (const Subject& subject : {Oscillation(17, 1), Triangle(17, 20), Oscillation(2, 2)}) {
    const std::vector<double> input = RandomInput(40000 * subject.n_synapses(), 11);
    const std::vector<long double> expected = ObviousSum(subject, input);
    for (const Method method : subject.methods) {
      CAPTURE(subject.name);
      CAPTURE(std::string(NameOf(method)));
      const auto one = RunWhole<Real>(subject, input, {method, {}, true, 1});
      CHECK(WorstError(subject, one.output, expected) < kTolerance<Real>);
      const auto four = RunWhole<Real>(subject, input, {method, {}, true, 4});
      CHECK(four.output == one.output);
      CHECK(four.state == one.state);
    }
  }
}

TEST_CASE_TEMPLATE("noise of other kernels enters at its placement, in one call and in many", Real,
                   float, double) {
  for (const Subject& subject : Subjects(5)) {
    const std::vector<double> input = RandomInput(5 * 2000, 17);
    for (const NoisePlacement placement :
         {NoisePlacement::kOutput, NoisePlacement::kInput, NoisePlacement::kState}) {
      if (placement == NoisePlacement::kState &&
          subject.kernel->noise_memory() == NoiseMemory::kNone) {
        continue;
      }
      const Noise noise{placement, 0.3, 99, 12};
      std::vector<Real> zeta(input.size());
      const Raster zeros{input.data(), ElementType::kFloat64, 1, 2000, 5};
      InputReader(zeros, noise).AddNoise(0, 2000, 0, 5, zeta.data(), 5);
      const bool is_remembered = placement == NoisePlacement::kState;
      const bool is_separate =
          is_remembered && subject.kernel->noise_memory() == NoiseMemory::kDecay;
      std::vector<double> driven = input;
      for (std::size_t i = 0; i < driven.size(); ++i) {
        if (placement == NoisePlacement::kInput) driven[i] += zeta[i];
        if (is_remembered && !is_separate && i >= 5) driven[i] += zeta[i - 5];
      }
      std::vector<long double> expected = ObviousSum(subject, driven);
      std::vector<long double> remembered(5);
      for (std::size_t i = 0; i < driven.size(); ++i) {
        if (is_separate) {
          const DoubleDouble a = subject.kernel->CurrentDecay(static_cast<std::int64_t>(i % 5));
          long double& sum = remembered[i % 5];
          sum = sum * (static_cast<long double>(a.high) + a.low) + zeta[i];
          expected[i] += sum;
        } else if (placement != NoisePlacement::kInput) {
          expected[i] += zeta[i];
        }
      }
      for (const Method method : subject.methods) {
        CAPTURE(subject.name);
        CAPTURE(std::string(NameOf(method)));
        CAPTURE(static_cast<int>(placement));
        const Options options{method, noise, true, 1};
        CHECK(WorstError(subject, RunWhole<Real>(subject, input, options).output, expected) <
              kTolerance<Real>);
        CHECK(WorstError(subject, RunInChunks<Real>(subject, input, options, {method}, 3).output,
                         expected) < kTolerance<Real>);
      }
    }
  }
}

TEST_CASE("each kernel has the FFT method and one other") {
  for (const Subject& subject : Subjects(2, true)) {
    CHECK(HasMethod(*subject.kernel, Method::kFft));
    CHECK(HasMethod(*subject.kernel, Method::kRecursive) == subject.kernel->has_recursion());
    CHECK(HasMethod(*subject.kernel, Method::kDirect) == !subject.kernel->has_recursion());
    for (const std::int64_t n_timesteps : {1, 100, 100000}) {
      for (const ElementType dtype : {ElementType::kFloat32, ElementType::kFloat64}) {
        const Kernel& kernel = *subject.kernel;
        CHECK(HasMethod(kernel, ChooseMethod(kernel, Method::kAuto, n_timesteps, dtype)));
        CHECK_FALSE(LacksFftw(kernel, Method::kAuto, n_timesteps, dtype));
        CHECK_FALSE(LacksFftw(kernel, Method::kFft, n_timesteps, dtype));
      }
    }
  }
}

}  // namespace
}  // namespace expsyn::test
