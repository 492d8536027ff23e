#include "kernel/state.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "oracle.h"

namespace expsyn::test {
namespace {

template <typename Real>
constexpr double kTolerance = sizeof(Real) == sizeof(float) ? 5e-6 : 1e-12;

// The recursion of a kernel that is not cut, in extended precision.
std::vector<long double> Recursion(const Case& c) {
  const std::int64_t n_synapses = c.n_synapses();
  std::vector<long double> output(c.input.size());
  for (std::int64_t n = 0; n < n_synapses; ++n) {
    const long double decay = std::exp(-static_cast<long double>(c.dt) / c.tau[n]);
    long double isyn = c.state[n];
    for (std::int64_t t = 0; t < c.n_timesteps; ++t) {
      const auto i = static_cast<std::size_t>(t * n_synapses + n);
      isyn = (isyn + c.input[i]) * decay;
      output[i] = isyn;
    }
  }
  return output;
}

// The case in calls of `chunk` steps, each from the state that the one before has left.
template <typename Real>
Answer RunInChunks(const Case& c, Method method, std::int64_t chunk, const Noise& noise = {}) {
  const std::int64_t n_synapses = c.n_synapses();
  const ExponentialKernel kernel = KernelOf(c);
  std::vector<Real> output(c.input.size());
  Answer answer;
  OwnState state(c.state);
  for (std::int64_t step = 0; step < c.n_timesteps; step += chunk) {
    Noise later = noise;
    later.step += static_cast<std::uint64_t>(step);
    answer.result = EvolveBatch(kernel, {method, later},
                                {c.input.data() + step * n_synapses, ElementType::kFloat64, 1,
                                 std::min(chunk, c.n_timesteps - step), n_synapses},
                                state.view(), output.data() + step * n_synapses, state.next());
    REQUIRE(answer.result.status == EvolveResult::Status::kDone);
  }
  answer.output.assign(output.begin(), output.end());
  answer.next_state = state;
  return answer;
}

Case SlowCase(std::int64_t n_timesteps, std::vector<double> tau_in_steps, Drive drive) {
  for (double& tau : tau_in_steps) tau *= 1e-3;
  return MakeCase(1, n_timesteps, std::move(tau_in_steps), Kernel::kUnlimited, drive);
}

TEST_CASE_TEMPLATE("many short calls are as exact as one long call, whatever tau", Real, float,
                   double) {
  const std::vector<double> tau{0.5, 20, 1e3, 1e4, 1e5, 1e6, 1e9, 1e12, 3e7};
  for (const Drive drive : {Drive::kConstant, Drive::kSigned, Drive::kSpikes}) {
    const Case c = SlowCase(60000, tau, drive);
    const std::vector<long double> expected = Recursion(c);
    for (const std::int64_t chunk : {1, 15, 16, 17, 64, 65, 1000}) {
      CAPTURE(chunk);
      CAPTURE(static_cast<int>(drive));
      const Answer answer = RunInChunks<Real>(c, Method::kRecursive, chunk);
      CHECK(WorstError(c, answer.output, expected) < kTolerance<Real>);
    }
  }
}

TEST_CASE_TEMPLATE("short calls of a synapse that remembers a million steps", Real, float, double) {
  // Rounding to one side, an error of one step would be there a million times.
  Case c = SlowCase(1000000, {1e6}, Drive::kConstant);
  for (double& x : c.input) x = 0.5000211;
  c.state[0] = 3e5;
  const std::vector<long double> expected = Recursion(c);
  CHECK(WorstError(c, RunInChunks<Real>(c, Method::kRecursive, 1).output, expected) <
        kTolerance<Real> / 4);
  CHECK(WorstError(c, RunInChunks<Real>(c, Method::kRecursive, 100).output, expected) <
        kTolerance<Real> / 4);
}

TEST_CASE_TEMPLATE("short transforms are as exact as long ones", Real, float, double) {
  const std::vector<double> tau{0.5, 20, 1e3, 1e4, 1e6, 1e9};
  for (const Drive drive : {Drive::kConstant, Drive::kSigned}) {
    const Case c = SlowCase(20000, tau, drive);
    const std::vector<long double> expected = Recursion(c);
    for (const std::int64_t chunk : {1, 16, 65, 1000, 20000}) {
      CAPTURE(chunk);
      const Answer answer = RunInChunks<Real>(c, Method::kFft, chunk);
      CHECK(WorstError(c, answer.output, expected) < kTolerance<Real>);
    }
  }
}

TEST_CASE("what the transforms roll over does not drift") {
  const std::int64_t n_timesteps = 1000000;
  Case c = SlowCase(n_timesteps, {1e7}, Drive::kConstant);
  std::fill(c.input.begin(), c.input.end(), 0);
  c.state[0] = 1;
  const auto expected = static_cast<double>(std::exp(-0.1L));
  CHECK(Run<double>(c, Method::kFft).output.back() == doctest::Approx(expected).epsilon(1e-15));
  CHECK(RunInChunks<double>(c, Method::kFft, 777).output.back() ==
        doctest::Approx(expected).epsilon(1e-15));
  c.window_length = 10 * n_timesteps;
  CHECK(Run<double>(c, Method::kFft).output.back() == doctest::Approx(expected).epsilon(1e-15));
  for (double& x : c.input) x = 0.7;
  c.window_length = Kernel::kUnlimited;
  c.tau[0] = 1e3;
  CHECK(WorstError(c, Run<double>(c, Method::kFft).output, Recursion(c)) < 2e-13);
}

TEST_CASE("a window much shorter than tau, in single precision") {
  for (const std::int64_t length : {1, 2, 3, 4, 5, 8, 15, 16, 17, 33, 64, 200}) {
    for (const std::int64_t n_synapses : {1, 16}) {
      Case c = MakeCase(1, 6000, std::vector<double>(static_cast<std::size_t>(n_synapses), 1e3),
                        length, Drive::kConstant);
      for (double& x : c.input) x = 0.5000211;
      const std::vector<long double> expected = DirectSum(c);
      CAPTURE(length);
      CAPTURE(n_synapses);
      for (const Method method : {Method::kFft, Method::kRecursive}) {
        CHECK(WorstError(c, Run<float>(c, method).output, expected) < 4e-6);
        CHECK(WorstError(c, Run<double>(c, method).output, expected) < 2.5e-13);
      }
    }
  }
}

TEST_CASE_TEMPLATE("noise that the state remembers is carried as exactly", Real, float, double) {
  const Case c = SlowCase(50000, {20, 1e4, 1e6, 1e6, 1e5}, Drive::kSpikes);
  const Noise noise{NoisePlacement::kState, 0.5, 7, 3};
  // The same noise as input of the next step.
  const Answer whole = Run<Real>(c, Method::kRecursive, noise);
  const std::vector<long double> expected(whole.output.begin(), whole.output.end());
  for (const std::int64_t chunk : {1, 50, 64}) {
    CAPTURE(chunk);
    const Answer answer = RunInChunks<Real>(c, Method::kRecursive, chunk, noise);
    CHECK(WorstError(c, answer.output, expected) < kTolerance<Real>);
  }
}

TEST_CASE_TEMPLATE("isyn is the output's last step, and the correction less than its rounding",
                   Real, float, double) {
  for (const Method method : {Method::kFft, Method::kRecursive}) {
    for (const std::int64_t n_timesteps : {1, 5, 64, 100, 5000}) {
      const Case c = SlowCase(n_timesteps, {20, 1e3, 1e6, 0.1, 7, 8, 9, 10, 11}, Drive::kSigned);
      const Answer answer = Run<Real>(c, method);
      for (std::size_t n = 0; n < 9; ++n) {
        const double last = answer.output[static_cast<std::size_t>(n_timesteps - 1) * 9 + n];
        CHECK(answer.next_state.isyn(n) == last);
        const double unit = sizeof(Real) == sizeof(float) ? 0x1p-23 : 0x1p-52;
        CHECK(std::abs(answer.next_state.correction(n)) <= 100 * unit * (std::abs(last) + 1));
      }
    }
  }
}

}  // namespace
}  // namespace expsyn::test
