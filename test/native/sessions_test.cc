#include "sessions.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <set>
#include <thread>
#include <vector>

#include "oracle.h"

namespace expsyn::test {
namespace {

// K sessions of a table over N synapses, each somewhere on its way.
struct Opened {
  Opened(std::int64_t n_sessions, std::int64_t n_synapses) : table(n_synapses, 2) {
    for (std::int64_t k = 0; k < n_sessions; ++k) {
      Session* session = table.Find(table.Open(static_cast<std::uint64_t>(k + 1)));
      session->step = static_cast<std::uint64_t>(100 * k);
      for (std::int64_t n = 0; n < n_synapses; ++n) {
        session->state.Plane(0)[n] = static_cast<double>(k - n);
      }
      sessions.push_back(session);
    }
  }

  // The sessions as the items of a call, whose next states follow each other.
  std::vector<Item> Items(NextState next) const {
    std::vector<Item> items;
    for (const Session* session : sessions) {
      const auto k = static_cast<std::int64_t>(items.size());
      items.push_back({session->state.view(), next.From(k * table.n_synapses()), session->seed,
                       session->step, 0});
    }
    return items;
  }

  SessionTable table;
  std::vector<Session*> sessions;
};

// One call for all sessions.
template <typename Real>
EvolveResult EvolveAll(const Kernel& kernel, const Settings& settings, const Opened& opened,
                       const Raster& input, Real* output, NextState next,
                       const std::atomic<bool>& cancelled = std::atomic<bool>{false}) {
  const std::vector<Item> items = opened.Items(next);
  Call<Real> call;
  call.input = input;
  call.output = output;
  call.items = items.data();
  call.policy = FailurePolicy::kItem;
  return Evolve(kernel, settings, call, cancelled);
}

TEST_CASE_TEMPLATE("each session of a call is what it is alone, on any number of threads", Real,
                   float, double) {
  for (const std::int64_t n_timesteps : {1, 5, 3001}) {
    for (const std::int64_t n_sessions : {1, 2, 37}) {
      const std::int64_t n_synapses = 9;
      const Case c = MakeCase(n_sessions, n_timesteps, std::vector<double>(n_synapses, 0.02), 40,
                              Drive::kSigned);
      const ExponentialKernel kernel = KernelOf(c);
      const Opened opened(n_sessions, n_synapses);
      for (const unsigned n_threads : {1u, 3u}) {
        std::vector<Real> output(c.input.size());
        OwnState next(static_cast<std::size_t>(n_sessions * n_synapses));
        Settings settings;
        settings.method = Method::kRecursive;
        settings.noise = NoisePlacement::kState;
        settings.noise_scale = 0.1;
        settings.n_threads = n_threads;
        const EvolveResult result =
            EvolveAll(kernel, settings, opened,
                      {c.input.data(), ElementType::kFloat64, n_sessions, n_timesteps, n_synapses},
                      output.data(), next.next());
        REQUIRE(result.status == EvolveResult::Status::kDone);
        CHECK(result.failures.empty());
        const auto item = static_cast<std::size_t>(n_timesteps * n_synapses);
        for (std::size_t k = 0; k < opened.sessions.size(); ++k) {
          const Session& session = *opened.sessions[k];
          std::vector<Real> expected(item);
          OwnState expected_next(static_cast<std::size_t>(n_synapses));
          EvolveBatch(
              kernel,
              {Method::kRecursive, {NoisePlacement::kState, 0.1, session.seed, session.step}},
              {c.input.data() + k * item, ElementType::kFloat64, 1, n_timesteps, n_synapses},
              session.state.view(), expected.data(), expected_next.next());
          CHECK(std::equal(expected.begin(), expected.end(), output.begin() + k * item));
          for (std::size_t n = 0; n < 9; ++n) {
            CHECK(expected_next.isyn(n) == next.isyn(k * 9 + n));
            CHECK(expected_next.correction(n) == next.correction(k * 9 + n));
          }
        }
      }
    }
  }
}

TEST_CASE("a value that is not finite fails its own session only") {
  const std::int64_t n_synapses = 4, n_sessions = 5;
  for (const std::int64_t n_timesteps : {1, 70000}) {
    Case c = MakeCase(n_sessions, n_timesteps, std::vector<double>(n_synapses, 0.02), 40,
                      Drive::kSigned);
    const std::int64_t item = n_timesteps * n_synapses;
    const std::int64_t place = std::min<std::int64_t>(333, item - 1);
    c.input[static_cast<std::size_t>(item + place)] = INFINITY;
    c.input[static_cast<std::size_t>(4 * item)] = NAN;
    const ExponentialKernel kernel = KernelOf(c);
    const Opened opened(n_sessions, n_synapses);
    std::vector<double> output(c.input.size());
    for (const unsigned n_threads : {1u, 4u}) {
      OwnState next(static_cast<std::size_t>(n_sessions * n_synapses), 77);
      Settings settings;
      settings.method = Method::kRecursive;
      settings.n_threads = n_threads;
      const EvolveResult result =
          EvolveAll(kernel, settings, opened,
                    {c.input.data(), ElementType::kFloat64, n_sessions, n_timesteps, n_synapses},
                    output.data(), next.next());
      REQUIRE(result.status == EvolveResult::Status::kDone);
      REQUIRE(result.failures.size() == 2);
      CHECK(result.failures[0].item == 1);
      CHECK(result.failures[0].index == item + place);
      CHECK(result.failures[1].item == 4);
      CHECK(result.failures[1].index == 4 * item);
      CHECK(next.isyn(4) == 77);
      CHECK(next.isyn(8) != 77);
    }
  }
}

TEST_CASE("a call that was cancelled computes no further session, however short") {
  const std::int64_t n_synapses = 4, n_sessions = 50000;
  const std::vector<double> tau(n_synapses, 0.02);
  const ExponentialKernel kernel(tau.data(), n_synapses, 1e-3, 40);
  const Opened opened(n_sessions, n_synapses);
  const std::vector<double> input(n_sessions * n_synapses, 1);
  const std::atomic<bool> cancelled{true};
  for (const unsigned n_threads : {1u, 4u}) {
    std::vector<double> output(input.size(), 77);
    OwnState next(input.size(), 77);
    Settings settings;
    settings.n_threads = n_threads;
    const EvolveResult result = EvolveAll(
        kernel, settings, opened, {input.data(), ElementType::kFloat64, n_sessions, 1, n_synapses},
        output.data(), next.next(), cancelled);
    CHECK(result.status == EvolveResult::Status::kCancelled);
    CHECK(result.failures.empty());
    CHECK(std::count(output.begin(), output.end(), 77) == n_sessions * n_synapses);
    CHECK(next == OwnState(input.size(), 77));
  }
}

TEST_CASE("the table gives closed sessions' numbers away, and keeps open ones where they are") {
  SessionTable table(1000, 2);
  std::vector<std::int64_t> numbers;
  for (int i = 0; i < 100; ++i) numbers.push_back(table.Open(1));
  CHECK(std::set<std::int64_t>(numbers.begin(), numbers.end()).size() == 100);
  Session* first = table.Find(numbers[0]);
  first->state.Plane(0)[999] = 5;
  const std::size_t before = table.size_in_bytes();
  CHECK(before >= 100 * 1000 * sizeof(double));
  for (std::size_t i = 1; i < 100; i += 2) {
    Session* session = table.Find(numbers[i]);
    session->state.Plane(0)[0] = session->state.Plane(0)[999] = 3;
    session->state.Plane(1)[0] = session->state.Plane(1)[999] = 3;
    session->step = 77;
    session->seed = 78;
    table.Close(numbers[i]);
    table.Close(numbers[i]);
    CHECK(table.Find(numbers[i]) == nullptr);
  }
  for (int i = 0; i < 50; ++i) {
    const Session* session = table.Find(table.Open(9));
    for (const std::size_t n : {0, 999}) {
      CHECK(session->state.Plane(0)[n] == 0);
      CHECK(session->state.Plane(1)[n] == 0);
    }
    CHECK(session->step == 0);
    CHECK(session->seed == 9);
  }
  CHECK(table.size_in_bytes() == before);
  CHECK(table.Find(numbers[0]) == first);
  CHECK(first->state.Plane(0)[999] == 5);
  CHECK(table.Find(-1) == nullptr);
  CHECK(table.Find(100) == nullptr);
}

TEST_CASE("sessions are opened and closed while a thread computes others") {
  const std::int64_t n_synapses = 3;
  const std::vector<double> tau(n_synapses, 0.02);
  const ExponentialKernel kernel(tau.data(), n_synapses, 1e-3, 40);
  Opened opened(8, n_synapses);
  const std::vector<float> input(8 * 50 * n_synapses, 1);
  std::thread computing([&] {
    std::vector<double> output(input.size());
    OwnState next(8 * n_synapses);
    for (int i = 0; i < 200; ++i) {
      EvolveAll(kernel, {}, opened, {input.data(), ElementType::kFloat32, 8, 50, n_synapses},
                output.data(), next.next());
    }
  });
  for (int round = 0; round < 20; ++round) {
    std::vector<std::int64_t> numbers;
    for (int i = 0; i < 300; ++i) numbers.push_back(opened.table.Open(1));
    for (const std::int64_t number : numbers) {
      Session& session = *opened.table.Find(number);
      opened.table.Advance(session, {tau.data(), 0}, 1);
      opened.table.Close(number);
    }
  }
  computing.join();
  CHECK(opened.sessions[0]->step == 0);
}

TEST_CASE("scratch memory is kept for the next call, grows, and is counted") {
  SessionTable table(10, 2);
  const std::size_t before = table.size_in_bytes();
  double* const scratch = table.Scratch(100);
  for (std::size_t i = 0; i < 100; ++i) scratch[i] = 7;
  CHECK(table.Scratch(100) == scratch);
  CHECK(table.Scratch(1) == scratch);
  CHECK(scratch[99] == 7);
  CHECK(table.size_in_bytes() == before + 100 * sizeof(double));
  table.Scratch(101)[100] = 7;
  CHECK(table.size_in_bytes() == before + 101 * sizeof(double));
}

TEST_CASE("a session is moved on to the state and by the steps that are given") {
  SessionTable table(3, 2);
  const std::int64_t number = table.Open(1);
  const std::int64_t other = table.Open(2);
  Session& session = *table.Find(number);
  const double values[] = {1, 2, 3, 4, 5};
  table.Advance(session, {values, 0}, 5);
  table.Advance(session, {values + 1, 1}, 7);
  CHECK(session.step == 12);
  CHECK(session.seed == 1);
  CHECK(std::equal(values + 1, values + 4, session.state.Plane(0)));
  CHECK(std::equal(values + 2, values + 5, session.state.Plane(1)));
  CHECK(table.Find(other)->state.Plane(0)[0] == 0);
  CHECK(table.Find(other)->state.Plane(1)[0] == 0);
  CHECK(table.Find(other)->step == 0);
  CHECK(table.n_synapses() == 3);
}

TEST_CASE("states wider than a block of memory have one of their own each") {
  SessionTable table(20000, 2);
  std::set<const double*> places;
  for (int k = 0; k < 5; ++k) {
    Session* session = table.Find(table.Open(1));
    std::fill_n(session->state.Plane(0), 20000, k);
    std::fill_n(session->state.Plane(1), 20000, -k);
    places.insert(session->state.Plane(0));
  }
  CHECK(places.size() == 5);
  for (int k = 0; k < 5; ++k) {
    CHECK(table.Find(k)->state.Plane(0)[19999] == k);
    CHECK(table.Find(k)->state.Plane(1)[0] == -k);
  }
}

}  // namespace
}  // namespace expsyn::test
