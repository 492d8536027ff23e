// Kernels other than the exponential: two numbers of state, and none but the inputs.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernel/registry.h"
#include "oracle.h"
#include "sessions.h"

namespace expsyn::test {
namespace {

template <typename Real>
constexpr double kTolerance = sizeof(Real) == sizeof(float) ? 5e-6 : 1e-12;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A kernel and its samples in extended precision.
struct Subject {
  std::string name;
  std::shared_ptr<const Kernel> kernel;
  std::function<long double(std::int64_t n, std::int64_t k)> sample;
  std::vector<Method> methods;

  std::size_t n_synapses() const { return static_cast<std::size_t>(kernel->n_synapses()); }
  std::size_t n_planes() const { return static_cast<std::size_t>(kernel->state_size()); }
};

Subject Oscillation(std::int64_t n_synapses, double window_taus) {
  std::vector<double> tau, frequency;
  for (std::int64_t n = 0; n < n_synapses; ++n) {
    tau.push_back(0.02 + 0.01 * static_cast<double>(n % 3));
    frequency.push_back(10 + 5 * static_cast<double>(n % 4));
  }
  const KernelArguments arguments{n_synapses, {tau, frequency}, 1e-3, window_taus, 1e6};
  const auto sample = [=](std::int64_t n, std::int64_t k) {
    const long double t = 1e-3L * static_cast<long double>(k + 1);
    const auto place = static_cast<std::size_t>(n);
    return std::exp(-t / tau[place]) *
           std::cos(2 * 3.14159265358979323846264338327950288L * frequency[place] * t);
  };
  return {"oscillation",
          MakeKernel("oscillation", arguments),
          sample,
          {Method::kFft, Method::kRecursive, Method::kAuto}};
}

Subject Triangle(std::int64_t n_synapses, double width) {
  std::vector<double> widths;
  for (std::int64_t n = 0; n < n_synapses; ++n) {
    widths.push_back(std::max(1.0, width - static_cast<double>(n % 3)));
  }
  const auto sample = [=](std::int64_t n, std::int64_t k) {
    const long double rest = 1 - k / static_cast<long double>(widths[static_cast<std::size_t>(n)]);
    return std::max(0.0L, rest);
  };
  return {"triangle",
          MakeKernel("triangle", {n_synapses, {widths}, 1e-3, 10, 1e6}),
          sample,
          {Method::kFft, Method::kDirect, Method::kAuto}};
}

// The definition: sum_{k < W} w_n[k] input[t - k], from a state of 0.
std::vector<long double> ObviousSum(const Subject& subject, const std::vector<double>& input) {
  const auto n_synapses = static_cast<std::int64_t>(subject.n_synapses());
  const std::int64_t n_timesteps = static_cast<std::int64_t>(input.size()) / n_synapses;
  std::vector<long double> output(input.size());
  for (std::int64_t n = 0; n < n_synapses; ++n) {
    const std::int64_t n_samples = std::min(subject.kernel->window_length(), n_timesteps);
    std::vector<long double> w;
    for (std::int64_t k = 0; k < n_samples; ++k) w.push_back(subject.sample(n, k));
    for (std::int64_t t = 0; t < n_timesteps; ++t) {
      long double sum = 0;
      for (std::int64_t k = 0; k < std::min(n_samples, t + 1); ++k) {
        sum += w[static_cast<std::size_t>(k)] *
               input[static_cast<std::size_t>((t - k) * n_synapses + n)];
      }
      output[static_cast<std::size_t>(t * n_synapses + n)] = sum;
    }
  }
  return output;
}

std::vector<double> RandomInput(std::size_t size, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::vector<double> input(size);
  for (double& value : input) value = normal(random);
  return input;
}

// The input, or that of a later chunk of it.
Raster RasterOf(const Subject& subject, const std::vector<double>& input, std::int64_t step = 0,
                std::int64_t n_steps = -1) {
  const auto n_synapses = static_cast<std::int64_t>(subject.n_synapses());
  if (n_steps < 0) n_steps = static_cast<std::int64_t>(input.size()) / n_synapses - step;
  return {input.data() + step * n_synapses, ElementType::kFloat64, 1, n_steps, n_synapses};
}

template <typename Real>
struct Outcome {
  std::vector<Real> output;
  OwnState state;
};

// One call that lets non-finite values through, from `state` or a state of 0.
template <typename Real>
Outcome<Real> RunWhole(const Subject& subject, const std::vector<double>& input,
                       const Options& options, const OwnState* state = nullptr) {
  Outcome<Real> outcome{std::vector<Real>(input.size()),
                        OwnState(subject.n_synapses(), 0, subject.n_planes())};
  if (state != nullptr) outcome.state = *state;
  const EvolveResult result =
      EvolveBatch(*subject.kernel, options, RasterOf(subject, input), outcome.state.view(),
                  outcome.output.data(), outcome.state.next());
  REQUIRE(result.status == EvolveResult::Status::kDone);
  return outcome;
}

// The same in calls of random lengths, each by the next of `methods`.
template <typename Real>
Outcome<Real> RunInChunks(const Subject& subject, const std::vector<double>& input, Options options,
                          const std::vector<Method>& methods, std::uint32_t seed) {
  std::mt19937 random(seed);
  Outcome<Real> outcome{std::vector<Real>(input.size()),
                        OwnState(subject.n_synapses(), 0, subject.n_planes())};
  const auto n_timesteps = static_cast<std::int64_t>(input.size() / subject.n_synapses());
  std::size_t n_calls = 0;
  std::int64_t n_steps = 0;
  for (std::int64_t step = 0; step < n_timesteps; step += n_steps) {
    const std::int64_t most = std::int64_t{1} << random() % 9;
    n_steps = std::min<std::int64_t>(1 + random() % most, n_timesteps - step);
    options.method = methods[n_calls++ % methods.size()];
    Options later = options;
    later.noise.step += static_cast<std::uint64_t>(step);
    const EvolveResult result = EvolveBatch(
        *subject.kernel, later, RasterOf(subject, input, step, n_steps), outcome.state.view(),
        outcome.output.data() + step * static_cast<std::int64_t>(subject.n_synapses()),
        outcome.state.next());
    REQUIRE(result.status == EvolveResult::Status::kDone);
  }
  return outcome;
}

// The largest error of a channel relative to that channel's own peak.
template <typename Real>
double WorstError(const Subject& subject, const std::vector<Real>& output,
                  const std::vector<long double>& expected) {
  Case shape;
  shape.n_timesteps = static_cast<std::int64_t>(output.size() / subject.n_synapses());
  shape.tau.resize(subject.n_synapses());
  return WorstError(shape, std::vector<double>(output.begin(), output.end()), expected);
}

// All kernels whose state rolls over exactly, and with `has_cut` one that is cut.
std::vector<Subject> Subjects(std::int64_t n_synapses, bool has_cut = false) {
  std::vector<Subject> subjects{Oscillation(n_synapses, kInfinity), Triangle(n_synapses, 1),
                                Triangle(n_synapses, 2), Triangle(n_synapses, 33.5),
                                Triangle(n_synapses, 700)};
  if (has_cut) {
    subjects.push_back(Oscillation(n_synapses, 0.9));
    subjects.push_back(Oscillation(n_synapses, 3));
  }
  return subjects;
}

TEST_CASE_TEMPLATE("other kernels are the obvious sum, by every method", Real, float, double) {
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

TEST_CASE_TEMPLATE("long runs of other kernels, which are cut in time and synapses", Real, float,
                   double) {
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

TEST_CASE_TEMPLATE("other kernels in calls of any lengths and methods are one call", Real, float,
                   double) {
  for (const std::int64_t n_synapses : {1, 5}) {
    for (const Subject& subject : Subjects(n_synapses)) {
      const std::vector<double> input = RandomInput(static_cast<std::size_t>(3000 * n_synapses), 5);
      const std::vector<long double> expected = ObviousSum(subject, input);
      std::vector<std::vector<Method>> choices{subject.methods};
      for (const Method method : subject.methods) choices.push_back({method});
      for (std::uint32_t seed = 0; seed < 4; ++seed) {
        for (const std::vector<Method>& methods : choices) {
          CAPTURE(subject.name);
          CAPTURE(seed);
          CAPTURE(std::string(NameOf(methods[0])));
          const auto chunks = RunInChunks<Real>(subject, input, {}, methods, seed);
          CHECK(WorstError(subject, chunks.output, expected) < kTolerance<Real>);
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("a state of two numbers is held for one window", Real, float, double) {
  const std::int64_t n_synapses = 4;
  for (const double window_taus : {0.5, 2.0, kInfinity}) {
    const Subject subject = Oscillation(n_synapses, window_taus);
    const std::int64_t length = subject.kernel->window_length();
    OwnState state(4, 0, 4);
    for (std::size_t n = 0; n < 4; ++n) {
      state.values[n] = 1 + static_cast<double>(n);
      state.values[8 + n] = 2 - static_cast<double>(n);
    }
    for (const std::int64_t n_timesteps : {1, 20, 500}) {
      const std::vector<double> input =
          RandomInput(static_cast<std::size_t>(n_timesteps * n_synapses), 3);
      std::vector<long double> expected = ObviousSum(subject, input);
      for (std::int64_t n = 0; n < n_synapses; ++n) {
        for (std::int64_t t = 0; t < std::min(length, n_timesteps); ++t) {
          // Number 1 is a quarter of a turn ahead of number 0, as a sine is of a cosine.
          const long double angle = 2 * 3.14159265358979323846264338327950288L *
                                    (10 + 5 * static_cast<long double>(n)) * 1e-3L *
                                    static_cast<long double>(t + 1);
          const auto place = static_cast<std::size_t>(n);
          const long double amplitude = std::exp(-1e-3L * static_cast<long double>(t + 1) /
                                                 (0.02 + 0.01 * static_cast<double>(n % 3)));
          expected[static_cast<std::size_t>(t * n_synapses + n)] +=
              amplitude *
              (state.values[place] * std::cos(angle) - state.values[8 + place] * std::sin(angle));
        }
      }
      for (const Method method : subject.methods) {
        CAPTURE(window_taus);
        CAPTURE(n_timesteps);
        CAPTURE(std::string(NameOf(method)));
        const auto actual = RunWhole<Real>(subject, input, {method, {}, true, 1}, &state);
        CHECK(WorstError(subject, actual.output, expected) < kTolerance<Real>);
      }
    }
  }
}

TEST_CASE_TEMPLATE("the next state of other kernels does not depend on the method", Real, float,
                   double) {
  for (const Subject& subject : Subjects(6, true)) {
    for (const std::int64_t n_timesteps : {1, 20, 1000}) {
      const std::vector<double> input = RandomInput(static_cast<std::size_t>(n_timesteps * 6), 9);
      const auto first = RunWhole<Real>(subject, input, {subject.methods[0], {}, true, 1});
      const auto second = RunWhole<Real>(subject, input, {subject.methods[1], {}, true, 1});
      double worst = 0;
      for (std::size_t i = 0; i < first.state.values.size(); ++i) {
        // Corrections are as different as the currents that they correct.
        worst = std::max(worst, std::abs(first.state.values[i] - second.state.values[i]));
      }
      CAPTURE(subject.name);
      CAPTURE(n_timesteps);
      CHECK(worst < 20 * kTolerance<Real>);
      for (std::size_t n = 0; n < 6 && subject.kernel->has_recursion(); ++n) {
        CHECK(first.state.isyn(n) == first.output[first.output.size() - 6 + n]);
      }
    }
  }
}

// Whether a value is what IEEE arithmetic gives: equal, or not finite in the same way.
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
  // Of the first two, each sum fits, but not that of the larger terms alone.
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

TEST_CASE_TEMPLATE("noise of other kernels goes where it is placed, and is carried", Real, float,
                   double) {
  for (const Subject& subject : Subjects(5)) {
    const std::vector<double> input = RandomInput(5 * 2000, 17);
    for (const NoisePlacement placement :
         {NoisePlacement::kOutput, NoisePlacement::kInput, NoisePlacement::kState}) {
      if (placement == NoisePlacement::kState && !subject.kernel->remembers_noise()) continue;
      const Noise noise{placement, 0.3, 99, 12};
      std::vector<Real> zeta(input.size());
      const Raster zeros{input.data(), ElementType::kFloat64, 1, 2000, 5};
      InputReader(zeros, noise).AddNoise(0, 2000, 0, 5, zeta.data(), 5);
      std::vector<double> driven = input;
      for (std::size_t i = 0; i < driven.size(); ++i) {
        if (placement == NoisePlacement::kInput) driven[i] += zeta[i];
        if (placement == NoisePlacement::kState && i >= 5) driven[i] += zeta[i - 5];
      }
      std::vector<long double> expected = ObviousSum(subject, driven);
      for (std::size_t i = 0; i < driven.size(); ++i) {
        if (placement != NoisePlacement::kInput) expected[i] += zeta[i];
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

TEST_CASE_TEMPLATE("sessions of other kernels are what each is alone", Real, float, double) {
  const std::int64_t n_synapses = 3, n_sessions = 5;
  for (const Subject& subject : Subjects(n_synapses)) {
    SessionTable table(n_synapses, subject.kernel->state_size());
    std::vector<Session*> sessions;
    std::vector<OwnState> alone;
    for (std::int64_t k = 0; k < n_sessions; ++k) {
      sessions.push_back(table.Find(table.Open(static_cast<std::uint64_t>(k))));
      alone.emplace_back(3, 0, subject.n_planes());
    }
    for (const std::int64_t n_timesteps : {1, 40, 1, 3000}) {
      std::vector<double> input =
          RandomInput(static_cast<std::size_t>(n_sessions * n_timesteps * n_synapses), 23);
      // One session fails, and stays where it is.
      input[static_cast<std::size_t>(2 * n_timesteps * n_synapses)] = NAN;
      for (const Method method : subject.methods) {
        CAPTURE(subject.name);
        CAPTURE(n_timesteps);
        CAPTURE(std::string(NameOf(method)));
        std::vector<Item> items;
        for (const Session* session : sessions) {
          items.push_back({session->state.view(), session->state, session->seed, session->step, 0});
        }
        std::vector<Real> output(input.size());
        Settings settings;
        settings.method = method;
        settings.noise = NoisePlacement::kInput;
        settings.noise_scale = 0.1;
        settings.n_threads = 3;
        Call<Real> call;
        call.input = {input.data(), ElementType::kFloat64, n_sessions, n_timesteps, n_synapses};
        call.output = output.data();
        call.items = items.data();
        call.policy = FailurePolicy::kItem;
        const EvolveResult result =
            Evolve(*subject.kernel, settings, call, std::atomic<bool>{false});
        CHECK(result.status == EvolveResult::Status::kDone);
        REQUIRE(result.failures.size() == 1);
        CHECK(result.failures[0].item == 2);
        CHECK(result.failures[0].index == 2 * n_timesteps * n_synapses);
        const std::int64_t size = n_timesteps * n_synapses;
        for (std::int64_t k = 0; k < n_sessions; ++k) {
          OwnState& state = alone[static_cast<std::size_t>(k)];
          std::vector<Real> expected(static_cast<std::size_t>(size));
          const Session& session = *sessions[static_cast<std::size_t>(k)];
          if (k != 2) {
            EvolveBatch(
                *subject.kernel,
                {method, {NoisePlacement::kInput, 0.1, session.seed, session.step}, true, 1},
                {input.data() + k * size, ElementType::kFloat64, 1, n_timesteps, n_synapses},
                state.view(), expected.data(), state.next());
            CHECK(std::equal(expected.begin(), expected.end(), output.begin() + k * size));
          }
          CHECK(std::equal(state.values.begin(), state.values.end(), session.state.values));
        }
      }
    }
  }
}

TEST_CASE("each kernel has the transforms and one other method") {
  for (const Subject& subject : Subjects(2, true)) {
    CHECK(HasMethod(*subject.kernel, Method::kFft));
    CHECK(HasMethod(*subject.kernel, Method::kRecursive) == subject.kernel->has_recursion());
    CHECK(HasMethod(*subject.kernel, Method::kDirect) == !subject.kernel->has_recursion());
    for (const std::int64_t n_timesteps : {1, 100, 100000}) {
      CHECK(HasMethod(*subject.kernel, ChooseMethod(*subject.kernel, n_timesteps)));
    }
  }
}

}  // namespace
}  // namespace expsyn::test
