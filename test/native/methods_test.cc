#include <doctest/doctest.h>

#include <cfenv>
#include <cmath>
#include <cstring>
#include <limits>

#include "floating_point_mode.h"
#include "oracle.h"

namespace expsyn::test {
namespace {

constexpr double kTolerance64 = 1e-12;
constexpr double kTolerance32 = 5e-6;

std::vector<double> SpreadTaus(std::int64_t n) {
  std::vector<double> tau;
  for (std::int64_t i = 0; i < n; ++i) {
    tau.push_back(5e-3 * std::pow(20.0, static_cast<double>(i) / static_cast<double>(n)));
  }
  return tau;
}

void CheckBothMethods(const Case& c) {
  const std::vector<long double> expected = DirectSum(c);
  for (const Method method : {Method::kFft, Method::kRecursive}) {
    CAPTURE(method == Method::kFft ? "fft" : "recursive");
    CAPTURE(c.n_timesteps);
    CAPTURE(c.n_synapses());
    CAPTURE(c.window_length);
    const Answer wide = Run<double>(c, method);
    CHECK(wide.result.status == EvolveResult::Status::kDone);
    CHECK(WorstError(c, wide.output, expected) < kTolerance64);
    const Answer narrow = Run<float>(c, method);
    CHECK(WorstError(c, narrow.output, expected) < kTolerance32);
    // The new state is the output's last step.
    for (std::int64_t b = 0; b < c.n_batches; ++b) {
      for (std::int64_t n = 0; n < c.n_synapses(); ++n) {
        const auto last = ((b + 1) * c.n_timesteps - 1) * c.n_synapses() + n;
        const auto place = static_cast<std::size_t>(b * c.n_synapses() + n);
        CHECK(wide.next_state.isyn(place) == wide.output[last]);
        CHECK(narrow.next_state.isyn(place) == narrow.output[last]);
      }
    }
  }
}

TEST_CASE("both methods compute the direct sum at awkward lengths") {
  for (const std::int64_t window : {1, 2, 31, 32, 33, 100}) {
    for (const std::int64_t n_timesteps :
         {std::int64_t{1}, std::int64_t{2}, std::int64_t{3}, window, window + 1, 2 * window,
          std::int64_t{31}, std::int64_t{32}, std::int64_t{33}, std::int64_t{97}, std::int64_t{257},
          std::int64_t{1021}}) {
      CheckBothMethods(MakeCase(1, n_timesteps, SpreadTaus(3), window, Drive::kSigned));
      if (window > 1) {
        CheckBothMethods(MakeCase(1, window - 1, SpreadTaus(3), window, Drive::kSigned));
      }
    }
  }
}

TEST_CASE("both methods compute the direct sum for every number of synapses") {
  for (std::int64_t n = 1; n <= 35; ++n) {
    CheckBothMethods(MakeCase(2, 700, SpreadTaus(n), 150, Drive::kSpikes));
  }
  for (const std::int64_t n : {63, 64, 65, 72, 129, 300}) {
    CheckBothMethods(MakeCase(2, 90, SpreadTaus(n), 40, Drive::kSigned));
  }
}

TEST_CASE("both methods compute the direct sum with an unlimited window") {
  for (const std::int64_t n : {1, 3, 9, 20}) {
    for (const std::int64_t n_timesteps : {1, 31, 500, 3001}) {
      CheckBothMethods(MakeCase(2, n_timesteps, SpreadTaus(n), Kernel::kUnlimited, Drive::kSigned));
    }
  }
}

TEST_CASE("rounding errors do not grow with tau, window or time") {
  for (const Drive drive : {Drive::kSpikes, Drive::kSigned, Drive::kConstant}) {
    // tau of 20,000 steps; a window much shorter than tau, which hardly forgets; both at once.
    CheckBothMethods(MakeCase(1, 20000, {20.0, 0.5}, Kernel::kUnlimited, drive));
    CheckBothMethods(MakeCase(1, 20000, {1e3, 1e6, 0.1}, 37, drive));
    CheckBothMethods(MakeCase(1, 20000, std::vector<double>(9, 1e4), 50, drive));
  }
}

TEST_CASE("an alternating input, whose sum cancels, keeps its digits") {
  const Case c = MakeCase(1, 5000, {0.2, 0.05}, 2000, Drive::kAlternating);
  CheckBothMethods(c);
}

TEST_CASE("a tiny channel beside a huge one keeps its digits") {
  for (const double scale : {1e-250, 1e-30, 1e30, 1e300}) {
    CAPTURE(scale);
    Case c = MakeCase(1, 900, SpreadTaus(12), 120, Drive::kSigned);
    for (std::size_t i = 0; i < c.input.size(); ++i) {
      if (i % 12 == 5) c.input[i] *= scale;
    }
    c.state[5] *= scale;
    const std::vector<long double> expected = DirectSum(c);
    for (const Method method : {Method::kFft, Method::kRecursive}) {
      CHECK(WorstError(c, Run<double>(c, method).output, expected) < kTolerance64);
    }
  }
  Case c = MakeCase(1, 900, SpreadTaus(12), 120, Drive::kSigned);
  for (std::size_t i = 0; i < c.input.size(); ++i) {
    if (i % 12 == 5) c.input[i] *= 1e-30;
    if (i % 12 == 6) c.input[i] *= 1e30;
  }
  c.state[5] *= 1e-30;
  const std::vector<long double> expected = DirectSum(c);
  for (const Method method : {Method::kFft, Method::kRecursive}) {
    CHECK(WorstError(c, Run<float>(c, method).output, expected) < kTolerance32);
  }
}

TEST_CASE("sums that overflow are infinite while they last, and finite before and after") {
  Case c = MakeCase(1, 400, SpreadTaus(9), 50, Drive::kSpikes);
  const auto at = [&](std::int64_t t, std::int64_t n) -> double& { return c.input[t * 9 + n]; };
  for (std::int64_t t = 100; t < 104; ++t) at(t, 4) = 1.5e308;
  const std::vector<long double> expected = DirectSum(c);
  for (const Method method : {Method::kFft, Method::kRecursive}) {
    const Answer answer = Run<double>(c, method);
    CHECK(answer.result.status == EvolveResult::Status::kDone);
    std::int64_t n_infinite = 0;
    for (std::int64_t t = 0; t < 400; ++t) {
      const double value = answer.output[t * 9 + 4];
      const bool overflows = expected[t * 9 + 4] > std::numeric_limits<double>::max();
      n_infinite += overflows;
      CHECK(std::isinf(value) == overflows);
      // The transforms' rounding errors are relative to the peak of their block.
      if (t < 100 && method == Method::kRecursive) {
        CHECK(value == doctest::Approx(static_cast<double>(expected[t * 9 + 4])).epsilon(1e-9));
      }
    }
    CHECK(n_infinite > 0);
  }
}

TEST_CASE("what comes before a channel's first input, or after its window, is exactly zero") {
  Case c = MakeCase(1, 2000, SpreadTaus(10), 64, Drive::kSpikes);
  std::fill(c.input.begin(), c.input.end(), 0.0);
  std::fill(c.state.begin(), c.state.end(), 0.0);
  c.input[700 * 10 + 3] = 1e6;
  c.input[900 * 10 + 4] = -7;
  for (const Method method : {Method::kFft, Method::kRecursive}) {
    const Answer answer = Run<double>(c, method);
    for (std::int64_t t = 0; t < 2000; ++t) {
      for (std::int64_t n = 0; n < 10; ++n) {
        const double value = answer.output[t * 10 + n];
        const std::int64_t start = n == 3 ? 700 : n == 4 ? 900 : 2000;
        if (t < start) CHECK(value == 0);
        if (t >= start && t < start + 64) CHECK(value != 0);
        if (method == Method::kFft && t >= start + 64) CHECK(value == 0);
      }
    }
  }
}

TEST_CASE("non-finite input is refused with its first index, and the state left alone") {
  Case c = MakeCase(2, 300, SpreadTaus(11), 40, Drive::kSigned);
  c.input[11 * 450 + 7] = std::numeric_limits<double>::infinity();
  c.input[11 * 451 + 2] = std::numeric_limits<double>::quiet_NaN();
  for (const Method method : {Method::kFft, Method::kRecursive}) {
    const Answer answer = Run<double>(c, method);
    CHECK(answer.result.status == EvolveResult::Status::kFailed);
    CHECK(answer.result.failures.at(0).index == 11 * 450 + 7);
    CHECK(answer.next_state == OwnState(answer.next_state.size()));
  }
}

TEST_CASE("non-finite input that is let through stays in its channel, item and window") {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const std::int64_t n_synapses : {1, 5, 20}) {
    const Case clean = MakeCase(2, 600, SpreadTaus(n_synapses), 50, Drive::kSigned);
    Case c = clean;
    const std::int64_t channel = n_synapses / 2;
    const auto index = [&](std::int64_t t) { return (600 + t) * n_synapses + channel; };
    c.input[index(100)] = std::numeric_limits<double>::quiet_NaN();
    c.input[index(200)] = kInfinity;
    c.input[index(300)] = -kInfinity;
    c.input[index(310)] = kInfinity;
    Case without = clean;
    for (const std::int64_t t : {100, 200, 300, 310}) without.input[index(t)] = 0;
    const std::vector<long double> expected = DirectSum(without);
    for (const Method method : {Method::kFft, Method::kRecursive}) {
      const Answer answer = Run<double>(c, method, {}, false);
      CHECK(answer.result.status == EvolveResult::Status::kDone);
      for (std::int64_t i = 0; i < static_cast<std::int64_t>(c.input.size()); ++i) {
        const std::int64_t t = i / n_synapses - 600;
        const double value = answer.output[i];
        if (i % n_synapses != channel || t < 0) {
          CHECK(std::isfinite(value));
        } else if ((t >= 100 && t < 150) || (t >= 310 && t < 350)) {
          CHECK(std::isnan(value));
        } else if (t >= 200 && t < 250) {
          CHECK(value == kInfinity);
        } else if (t >= 300 && t < 310) {
          CHECK(value == -kInfinity);
        } else if (t >= 350 && t < 360) {
          CHECK(value == kInfinity);
        } else {
          CHECK(value == doctest::Approx(static_cast<double>(expected[i])).epsilon(1e-9));
        }
      }
    }
  }
}

TEST_CASE("a non-finite state is held for one window") {
  Case c = MakeCase(1, 100, SpreadTaus(9), 30, Drive::kSpikes);
  c.state[2] = std::numeric_limits<double>::infinity();
  for (const Method method : {Method::kFft, Method::kRecursive}) {
    const Answer answer = Run<double>(c, method, {}, false);
    for (std::int64_t t = 0; t < 100; ++t) {
      CHECK(std::isinf(answer.output[t * 9 + 2]) == (t < 30));
      CHECK(std::isfinite(answer.output[t * 9 + 3]));
    }
  }
}

TEST_CASE("nothing depends on later input") {
  Case c = MakeCase(1, 800, SpreadTaus(10), 90, Drive::kSigned);
  Case changed = c;
  for (std::size_t i = 500 * 10; i < changed.input.size(); ++i) changed.input[i] += 3;
  const Answer a = Run<double>(c, Method::kRecursive);
  const Answer b = Run<double>(changed, Method::kRecursive);
  for (std::size_t i = 0; i < 500 * 10; ++i) CHECK(a.output[i] == b.output[i]);
}

TEST_CASE("decays of zero and of almost one") {
  // dt / tau of 1e6 underflows every weight; tau of 1e12 seconds hardly decays at all.
  CheckBothMethods(MakeCase(1, 200, {1e-9, 1e12, 1e-2}, 60, Drive::kSigned));
  CheckBothMethods(MakeCase(1, 200, {1e-9, 1e12, 1e-2}, Kernel::kUnlimited, Drive::kSpikes));
}

TEST_CASE("every element type is read as the number it stands for") {
  const Case c = MakeCase(2, 300, SpreadTaus(19), 50, Drive::kSpikes);
  const std::vector<long double> expected = DirectSum(c);
  for (const Method method : {Method::kFft, Method::kRecursive}) {
    CHECK(WorstError(c, Run<double, std::uint8_t>(c, method).output, expected) < kTolerance64);
    CHECK(WorstError(c, Run<double, std::int16_t>(c, method).output, expected) < kTolerance64);
    CHECK(WorstError(c, Run<double, float>(c, method).output, expected) < kTolerance64);
    CHECK(WorstError(c, Run<float, std::uint8_t>(c, method).output, expected) < kTolerance32);
  }
}

TEST_CASE("the recursion's bits do not depend on how many synapses run beside each other") {
  // Vectors run across time for few synapses, and across synapses for many.
  const Case wide = MakeCase(1, 2000, std::vector<double>(20, 0.03), 300, Drive::kSigned);
  const Answer all = Run<double>(wide, Method::kRecursive);
  Case one = MakeCase(1, 2000, {0.03}, 300, Drive::kSigned);
  for (std::int64_t t = 0; t < 2000; ++t) one.input[t] = wide.input[t * 20 + 7];
  one.state[0] = wide.state[7];
  const Answer alone = Run<double>(one, Method::kRecursive);
  for (std::int64_t t = 0; t < 2000; ++t) CHECK(alone.output[t] == all.output[t * 20 + 7]);
}

TEST_CASE_TEMPLATE("neither output nor state depends on the neighbours, for any length", Real,
                   float, double) {
  for (const std::int64_t window : {std::int64_t{31}, std::int64_t{100}, Kernel::kUnlimited}) {
    for (const std::int64_t n_timesteps :
         {63, 64, 128, 255, 256, 257, 320, 512, 1000, 1024, 3000}) {
      // A slow neighbour, which is refreshed because the window is short.
      Case wide = MakeCase(1, n_timesteps, std::vector<double>(9, 0.02), window, Drive::kSigned);
      wide.tau[8] = 50;
      const Answer all = Run<Real>(wide, Method::kRecursive);
      for (const std::int64_t n_synapses : {1, 3, 8}) {
        Case few =
            MakeCase(1, n_timesteps, std::vector<double>(n_synapses, 0.02), window, Drive::kSigned);
        for (std::int64_t i = 0; i < n_timesteps * n_synapses; ++i) {
          few.input[i] = wide.input[i / n_synapses * 9 + i % n_synapses];
        }
        std::copy_n(wide.state.begin(), n_synapses, few.state.begin());
        const Answer some = Run<Real>(few, Method::kRecursive);
        std::size_t n_different = 0;
        for (std::int64_t i = 0; i < n_timesteps * n_synapses; ++i) {
          n_different += some.output[i] != all.output[i / n_synapses * 9 + i % n_synapses];
        }
        for (std::int64_t n = 0; n < n_synapses; ++n) {
          n_different += some.next_state.isyn(n) != all.next_state.isyn(n);
          n_different += some.next_state.correction(n) != all.next_state.correction(n);
        }
        CAPTURE(window);
        CAPTURE(n_timesteps);
        CAPTURE(n_synapses);
        CHECK(n_different == 0);
      }
    }
  }
}

TEST_CASE("the thread's floating-point mode is as it was") {
  const auto before = FlushSubnormals::Read();
  const Case c = MakeCase(1, 100, SpreadTaus(4), 30, Drive::kSigned);
  Run<double>(c, Method::kFft);
  Run<float>(c, Method::kRecursive);
  // Sticky exception flags in the low six bits of x86's control word may have been raised.
  constexpr std::uint64_t kStickyFlags = 0x3F;
  CHECK((FlushSubnormals::Read() & ~kStickyFlags) == (before & ~kStickyFlags));
}

TEST_CASE_TEMPLATE("one column for all is that column repeated, whatever the width", Real, float,
                   double) {
  const std::int64_t n_timesteps = 200;
  for (const std::int64_t n_synapses : {1, 2, 7, 9, 17, 33, 129}) {
    const Case one = MakeCase(1, n_timesteps, {0.02}, 60, Drive::kSigned, 3);
    Case c = MakeCase(1, n_timesteps, std::vector<double>(n_synapses, 0.02), 60, Drive::kSigned);
    for (std::size_t i = 0; i < c.input.size(); ++i) c.input[i] = one.input[i / n_synapses];
    const ExponentialKernel kernel = KernelOf(c);
    for (const double huge : {0.0, 1.7e308}) {
      // The last memory of the column ends where it ends.
      std::vector<double> column(one.input);
      column[5] = column[6] = huge;
      for (std::int64_t n = 0; n < n_synapses; ++n) {
        c.input[static_cast<std::size_t>(5 * n_synapses + n)] = huge;
        c.input[static_cast<std::size_t>(6 * n_synapses + n)] = huge;
      }
      for (const Method method : {Method::kFft, Method::kRecursive}) {
        for (const NoisePlacement placement : {NoisePlacement::kNone, NoisePlacement::kInput,
                                               NoisePlacement::kState, NoisePlacement::kOutput}) {
          const auto run = [&](const double* input, std::int64_t n_columns) {
            std::vector<Real> output(c.input.size());
            OwnState next(static_cast<std::size_t>(n_synapses));
            const OwnState state(next.size());
            const EvolveResult result =
                EvolveBatch(kernel, {method, {placement, 0.1, 3, 4}},
                            {input, ElementType::kFloat64, 1, n_timesteps, n_columns}, state.view(),
                            output.data(), next.next());
            CHECK(result.status == EvolveResult::Status::kDone);
            return output;
          };
          CAPTURE(n_synapses);
          CAPTURE(huge);
          CAPTURE(static_cast<int>(placement));
          const std::vector<Real> actual = run(column.data(), 1);
          const std::vector<Real> expected = run(c.input.data(), n_synapses);
          CHECK(std::memcmp(actual.data(), expected.data(), actual.size() * sizeof(Real)) == 0);
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("a sum that overflows inside a run is mended, whatever the number of synapses",
                   Real, float, double) {
  constexpr double kMost = std::numeric_limits<Real>::max();
  for (const std::int64_t n_synapses : {9, 7, 1}) {
    Case c = MakeCase(1, 300, std::vector<double>(n_synapses, 1e6), Kernel::kUnlimited,
                      Drive::kConstant);
    std::fill(c.input.begin(), c.input.end(), 0);
    for (std::int64_t n = 0; n < n_synapses; ++n) {
      c.input[static_cast<std::size_t>(3 * n_synapses + n)] = 0.9 * kMost;
      c.input[static_cast<std::size_t>(70 * n_synapses + n)] = 0.6 * kMost;
      c.input[static_cast<std::size_t>(71 * n_synapses + n)] = -0.6 * kMost;
    }
    const Answer answer = Run<Real>(c, Method::kRecursive);
    CHECK(std::isfinite(answer.output[69 * n_synapses]));
    CHECK(std::isinf(answer.output[70 * n_synapses]));
    for (std::size_t t = 71; t < 300; ++t) {
      CHECK(answer.output[t * n_synapses] == doctest::Approx(0.9 * kMost).epsilon(1e-3));
    }
  }
}

TEST_CASE("a window is refreshed at the same steps for few synapses as for many") {
  for (const std::int64_t length : {1, 3, 40}) {
    const Case one = MakeCase(1, 9000, {0.2 * static_cast<double>(length)}, length, Drive::kSigned);
    const std::vector<double> expected = Run<double>(one, Method::kRecursive).output;
    Case many = MakeCase(1, 9000, std::vector<double>(16, one.tau[0]), length, Drive::kSigned);
    for (std::size_t i = 0; i < many.input.size(); ++i) many.input[i] = one.input[i / 16];
    for (std::size_t n = 0; n < 16; ++n) many.state[n] = one.state[0];
    const std::vector<double> actual = Run<double>(many, Method::kRecursive).output;
    std::size_t n_different = 0;
    for (std::size_t t = 0; t < 9000; ++t) n_different += actual[16 * t + 3] != expected[t];
    CHECK(n_different == 0);
  }
}

TEST_CASE("time constants as large as numbers can be never forget") {
  for (const Method method : {Method::kFft, Method::kRecursive}) {
    for (const double tau : {1e290, 1e300, std::numeric_limits<double>::max()}) {
      Case c = MakeCase(1, 200, {tau, tau}, 1000, Drive::kConstant);
      for (double& x : c.input) x = 1;
      c.state = {0, 0};
      const std::vector<double> output = Run<double>(c, method).output;
      for (std::size_t t = 0; t < 200; ++t) {
        CHECK(output[2 * t] == doctest::Approx(static_cast<double>(t + 1)).epsilon(1e-12));
      }
    }
    Case fast = MakeCase(1, 20, {1e100, 1e-300}, 1000, Drive::kSigned);
    fast.dt = std::numeric_limits<double>::max();
    for (const double y : Run<double>(fast, method).output) CHECK(y == 0);
  }
}

TEST_CASE("long runs, which are cut in time, are the direct sum, on any number of threads") {
  for (const std::int64_t n_synapses : {1, 3, 20}) {
    const Case c =
        MakeCase(1, 50021, std::vector<double>(n_synapses, 0.013), 31, Drive::kSigned, 5);
    const std::vector<long double> expected = DirectSum(c);
    ForEachInstructionSet([&] {
      const Answer one = Run<double>(c, Method::kRecursive);
      CHECK(WorstError(c, one.output, expected) < 1e-13);
      const Answer four = Run<double>(c, Method::kRecursive, {}, true, 4);
      CHECK(four.output == one.output);
      CHECK(four.next_state == one.next_state);
      CHECK(WorstError(c, Run<float>(c, Method::kRecursive).output, expected) < 5e-6);
    });
  }
}

TEST_CASE("a non-finite value in a part of a long run stays in its channel and window") {
  const Case clean = MakeCase(1, 40000, {0.02, 0.02, 0.02}, 30, Drive::kSpikes);
  Case c = clean;
  c.input[20000 * 3 + 1] = std::numeric_limits<double>::infinity();
  const Answer expected = Run<double>(clean, Method::kRecursive);
  for (const unsigned n_threads : {1, 3}) {
    const Answer answer = Run<double>(c, Method::kRecursive, {}, false, n_threads);
    for (std::size_t t = 0; t < 40000; ++t) {
      CHECK(answer.output[t * 3] == expected.output[t * 3]);
      CHECK(answer.output[t * 3 + 2] == expected.output[t * 3 + 2]);
      CHECK(std::isfinite(answer.output[t * 3 + 1]) == (t < 20000 || t >= 20030));
    }
    const Answer refused = Run<double>(c, Method::kRecursive, {}, true, n_threads);
    CHECK(refused.result.status == EvolveResult::Status::kFailed);
    CHECK(refused.result.failures.at(0).index == 20000 * 3 + 1);
  }
}

TEST_CASE("a cancelled call says so and leaves the state alone") {
  const Case c = MakeCase(1, 5000, SpreadTaus(4), 30, Drive::kSigned);
  const ExponentialKernel kernel = KernelOf(c);
  std::vector<double> output(c.input.size());
  const OwnState state(c.state);
  OwnState next_state(4, 42.0);
  for (const Method method : {Method::kFft, Method::kRecursive}) {
    const std::atomic<bool> cancelled{true};
    const EvolveResult result =
        EvolveBatch(kernel, {method, {}}, {c.input.data(), ElementType::kFloat64, 1, 5000, 4},
                    state.view(), output.data(), next_state.next(), cancelled);
    CHECK(result.status == EvolveResult::Status::kCancelled);
    CHECK(next_state == OwnState(4, 42.0));
  }
}

TEST_CASE("empty calls do nothing") {
  for (const auto& [n_batches, n_timesteps] : {std::pair{0, 5}, std::pair{5, 0}}) {
    const Case c = MakeCase(n_batches, n_timesteps, SpreadTaus(3), 30, Drive::kSigned);
    const Answer answer = Run<double>(c, Method::kRecursive);
    CHECK(answer.result.status == EvolveResult::Status::kDone);
    CHECK(answer.next_state == OwnState(answer.next_state.size()));
  }
}

TEST_CASE("repeated transforms give the same bits") {
  const Case c = MakeCase(1, 3000, SpreadTaus(6), 120, Drive::kSigned);
  const Answer first = Run<double>(c, Method::kFft);
  for (int i = 0; i < 5; ++i) CHECK(Run<double>(c, Method::kFft).output == first.output);
}

}  // namespace
}  // namespace expsyn::test
