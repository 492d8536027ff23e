// The states of kernels other than the exponential: roll-over between calls, and sessions.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "kernel_subjects.h"
#include "sessions.h"

namespace expsyn::test {
namespace {

TEST_CASE_TEMPLATE("other kernels give the same in calls of any lengths and methods as in one call",
                   Real, float, double) {
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

TEST_CASE_TEMPLATE("a state of two numbers has an effect for one window", Real, float, double) {
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
          // Number 0 responds as a cosine, number 1 as a negative sine.
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
        // Corrections differ by as much as the currents that they correct.
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

TEST_CASE_TEMPLATE("a session of another kernel gives in a batch what it gives alone", Real, float,
                   double) {
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
      // Session 2 fails and keeps its state.
      input[static_cast<std::size_t>(2 * n_timesteps * n_synapses)] = NAN;
      for (const Method method : subject.methods) {
        CAPTURE(subject.name);
        CAPTURE(n_timesteps);
        CAPTURE(std::string(NameOf(method)));
        std::vector<Item> items;
        items.reserve(sessions.size());
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

}  // namespace
}  // namespace expsyn::test
