#include "sessions.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <set>
#include <thread>
#include <vector>

#include "oracle.h"

namespace expsyn::test {
namespace {

// K sessions of a table over N synapses, each somewhere on its way.
struct Opened {
  Opened(std::int64_t n_sessions, std::int64_t n_synapses) : table(n_synapses) {
    for (std::int64_t k = 0; k < n_sessions; ++k) {
      Session* session = table.Find(table.Open(static_cast<std::uint64_t>(k + 1)));
      session->step = static_cast<std::uint64_t>(100 * k);
      for (std::int64_t n = 0; n < n_synapses; ++n)
        session->state.isyn[n] = static_cast<double>(k - n);
      sessions.push_back(session);
    }
  }
  SessionTable table;
  std::vector<Session*> sessions;
};

TEST_CASE_TEMPLATE("gathered sessions are what each is alone, on any number of threads", Real,
                   float, double) {
  for (const std::int64_t n_timesteps : {1, 5, 3001}) {
    for (const std::int64_t n_sessions : {1, 2, 37}) {
      const std::int64_t n_synapses = 9;
      const Case c = MakeCase(n_sessions, n_timesteps, std::vector<double>(n_synapses, 0.02), 40,
                              Drive::kSigned);
      const Kernels kernels(c.tau.data(), n_synapses, c.dt, c.window_length);
      const Opened opened(n_sessions, n_synapses);
      const std::atomic<bool> cancelled{false};
      for (const unsigned n_threads : {1u, 3u}) {
        std::vector<Real> output(c.input.size());
        OwnState next(static_cast<std::size_t>(n_sessions * n_synapses));
        SessionsCall<Real> call;
        call.input = {c.input.data(), ElementType::kFloat64, n_sessions, n_timesteps, n_synapses};
        call.sessions = opened.sessions.data();
        call.noise_placement = NoisePlacement::kState;
        call.noise_scale = 0.1;
        call.output = output.data();
        call.next_states = next.next();
        call.n_threads = n_threads;
        std::vector<SessionFailure> failures;
        REQUIRE(EvolveSessions(kernels, call, cancelled, &failures));
        CHECK(failures.empty());
        const auto item = static_cast<std::size_t>(n_timesteps * n_synapses);
        for (std::size_t k = 0; k < opened.sessions.size(); ++k) {
          const Session& session = *opened.sessions[k];
          std::vector<Real> expected(item);
          OwnState expected_next(static_cast<std::size_t>(n_synapses));
          EvolveCall<Real> one;
          one.input = {c.input.data() + k * item, ElementType::kFloat64, 1, n_timesteps,
                       n_synapses};
          one.noise = {NoisePlacement::kState, 0.1, session.seed, session.step};
          one.state = {session.state.isyn, session.state.correction};
          one.output = expected.data();
          one.next_state = expected_next.next();
          Evolve(kernels, one, cancelled);
          CHECK(std::equal(expected.begin(), expected.end(), output.begin() + k * item));
          CHECK(std::equal(expected_next.isyn.begin(), expected_next.isyn.end(),
                           next.isyn.begin() + k * n_synapses));
          CHECK(std::equal(expected_next.correction.begin(), expected_next.correction.end(),
                           next.correction.begin() + k * n_synapses));
        }
      }
    }
  }
}

TEST_CASE("a value that is not finite fails its own session only") {
  const std::int64_t n_synapses = 4, n_timesteps = 70000, n_sessions = 5;
  Case c =
      MakeCase(n_sessions, n_timesteps, std::vector<double>(n_synapses, 0.02), 40, Drive::kSigned);
  const std::int64_t item = n_timesteps * n_synapses;
  c.input[static_cast<std::size_t>(1 * item + 333)] = INFINITY;
  c.input[static_cast<std::size_t>(4 * item)] = NAN;
  const Kernels kernels(c.tau.data(), n_synapses, c.dt, c.window_length);
  Opened opened(n_sessions, n_synapses);
  std::vector<double> output(c.input.size());
  OwnState next(static_cast<std::size_t>(n_sessions * n_synapses), 77);
  SessionsCall<double> call;
  call.input = {c.input.data(), ElementType::kFloat64, n_sessions, n_timesteps, n_synapses};
  call.sessions = opened.sessions.data();
  call.output = output.data();
  call.next_states = next.next();
  for (const unsigned n_threads : {1u, 4u}) {
    call.n_threads = n_threads;
    std::vector<SessionFailure> failures;
    const std::atomic<bool> cancelled{false};
    REQUIRE(EvolveSessions(kernels, call, cancelled, &failures));
    REQUIRE(failures.size() == 2);
    CHECK(failures[0].item == 1);
    CHECK(failures[0].index == item + 333);
    CHECK(failures[1].item == 4);
    CHECK(failures[1].index == 4 * item);
    CHECK(next.isyn[4] == 77);
    CHECK(next.isyn[8] != 77);
  }
}

TEST_CASE("a gathered call that was cancelled computes no further session, however short") {
  const std::int64_t n_synapses = 4, n_sessions = 50000;
  const std::vector<double> tau(n_synapses, 0.02);
  const Kernels kernels(tau.data(), n_synapses, 1e-3, 40);
  const Opened opened(n_sessions, n_synapses);
  const std::vector<double> input(n_sessions * n_synapses, 1);
  const std::atomic<bool> cancelled{true};
  for (const unsigned n_threads : {1u, 4u}) {
    std::vector<double> output(input.size(), 77);
    OwnState next(input.size(), 77);
    SessionsCall<double> call;
    call.input = {input.data(), ElementType::kFloat64, n_sessions, 1, n_synapses};
    call.sessions = opened.sessions.data();
    call.output = output.data();
    call.next_states = next.next();
    call.n_threads = n_threads;
    std::vector<SessionFailure> failures;
    CHECK_FALSE(EvolveSessions(kernels, call, cancelled, &failures));
    CHECK(failures.empty());
    CHECK(std::count(output.begin(), output.end(), 77) == n_sessions * n_synapses);
    CHECK(next == OwnState(input.size(), 77));
  }
}

TEST_CASE("the table gives closed sessions' numbers away, and keeps open ones where they are") {
  SessionTable table(1000);
  std::vector<std::int64_t> numbers;
  for (int i = 0; i < 100; ++i) numbers.push_back(table.Open(1));
  CHECK(std::set<std::int64_t>(numbers.begin(), numbers.end()).size() == 100);
  Session* first = table.Find(numbers[0]);
  first->state.isyn[999] = 5;
  const std::size_t before = table.size_in_bytes();
  CHECK(before >= 100 * 1000 * sizeof(double));
  for (std::size_t i = 1; i < 100; i += 2) {
    Session* session = table.Find(numbers[i]);
    session->state.isyn[0] = session->state.isyn[999] = 3;
    session->state.correction[0] = session->state.correction[999] = 3;
    session->step = 77;
    session->seed = 78;
    table.Close(numbers[i]);
    table.Close(numbers[i]);
    CHECK(table.Find(numbers[i]) == nullptr);
  }
  for (int i = 0; i < 50; ++i) {
    const Session* session = table.Find(table.Open(9));
    for (const std::size_t n : {0, 999}) {
      CHECK(session->state.isyn[n] == 0);
      CHECK(session->state.correction[n] == 0);
    }
    CHECK(session->step == 0);
    CHECK(session->seed == 9);
  }
  CHECK(table.size_in_bytes() == before);
  CHECK(table.Find(numbers[0]) == first);
  CHECK(first->state.isyn[999] == 5);
  CHECK(table.Find(-1) == nullptr);
  CHECK(table.Find(100) == nullptr);
}

TEST_CASE("sessions are opened and closed while a thread computes others") {
  const std::int64_t n_synapses = 3;
  const std::vector<double> tau(n_synapses, 0.02);
  const Kernels kernels(tau.data(), n_synapses, 1e-3, 40);
  Opened opened(8, n_synapses);
  const std::vector<float> input(8 * 50 * n_synapses, 1);
  std::thread computing([&] {
    std::vector<double> output(input.size());
    OwnState next(8 * n_synapses);
    SessionsCall<double> call;
    call.input = {input.data(), ElementType::kFloat32, 8, 50, n_synapses};
    call.sessions = opened.sessions.data();
    call.output = output.data();
    call.next_states = next.next();
    const std::atomic<bool> cancelled{false};
    for (int i = 0; i < 200; ++i) {
      std::vector<SessionFailure> failures;
      EvolveSessions(kernels, call, cancelled, &failures);
    }
  });
  for (int round = 0; round < 20; ++round) {
    std::vector<std::int64_t> numbers;
    for (int i = 0; i < 300; ++i) numbers.push_back(opened.table.Open(1));
    for (const std::int64_t number : numbers) {
      Session& session = *opened.table.Find(number);
      opened.table.Advance(session, {tau.data(), tau.data()}, 1);
      opened.table.Close(number);
    }
  }
  computing.join();
  CHECK(opened.sessions[0]->step == 0);
}

TEST_CASE("scratch memory is kept for the next call, grows, and is counted") {
  SessionTable table(10);
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
  SessionTable table(3);
  const std::int64_t number = table.Open(1);
  const std::int64_t other = table.Open(2);
  Session& session = *table.Find(number);
  const double values[] = {1, 2, 3, 4, 5};
  table.Advance(session, {values, values}, 5);
  table.Advance(session, {values + 1, values + 2}, 7);
  CHECK(session.step == 12);
  CHECK(session.seed == 1);
  CHECK(std::equal(values + 1, values + 4, session.state.isyn));
  CHECK(std::equal(values + 2, values + 5, session.state.correction));
  CHECK(table.Find(other)->state.isyn[0] == 0);
  CHECK(table.Find(other)->state.correction[0] == 0);
  CHECK(table.Find(other)->step == 0);
  CHECK(table.n_synapses() == 3);
}

TEST_CASE("states wider than a block of memory have one of their own each") {
  SessionTable table(20000);
  std::set<const double*> places;
  for (int k = 0; k < 5; ++k) {
    Session* session = table.Find(table.Open(1));
    std::fill_n(session->state.isyn, 20000, k);
    std::fill_n(session->state.correction, 20000, -k);
    places.insert(session->state.isyn);
  }
  CHECK(places.size() == 5);
  for (int k = 0; k < 5; ++k) {
    CHECK(table.Find(k)->state.isyn[19999] == k);
    CHECK(table.Find(k)->state.correction[0] == -k);
  }
}

}  // namespace
}  // namespace expsyn::test
