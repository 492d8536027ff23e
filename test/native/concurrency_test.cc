#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <future>
#include <new>
#include <thread>
#include <vector>

#include "oracle.h"
#include "worker_pool.h"

namespace expsyn::test {
namespace {

TEST_CASE("one window serves many threads, which plan transforms at the same time") {
  const Case c = MakeCase(1, 700, std::vector<double>(5, 0.03), 200, Drive::kSigned);
  const Kernels kernels(c.tau.data(), 5, c.dt, c.window_length);
  const std::vector<double> expected = Run<double>(c, Method::kFft).output;
  std::vector<std::thread> threads;
  std::atomic<int> n_equal{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      for (int repeat = 0; repeat < 5; ++repeat) {
        std::vector<double> output(c.input.size());
        const OwnState state(c.state);
        OwnState next_state(5);
        EvolveCall<double> call;
        call.method = Method::kFft;
        call.input = {c.input.data(), ElementType::kFloat64, 1, 700, 5};
        call.state = state.view();
        call.output = output.data();
        call.next_state = next_state.next();
        const std::atomic<bool> cancelled{false};
        Evolve(kernels, call, cancelled);
        n_equal += output == expected;
        // Lengths that no other thread has planned yet.
        Case other = MakeCase(1, 100 + 37 * (i * 5 + repeat), {0.01}, 90, Drive::kSpikes);
        Run<float>(other, Method::kFft);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(n_equal == 40);
}

TEST_CASE("the pool runs every task, in order on one thread") {
  std::vector<int> order;
  {
    WorkerPool pool(1);
    for (int i = 0; i < 100; ++i) pool.Submit([&order, i] { order.push_back(i); });
  }
  REQUIRE(order.size() == 100);
  for (int i = 0; i < 100; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("the pool runs tasks side by side") {
  WorkerPool pool(2);
  std::promise<void> first;
  std::promise<void> second;
  // Each waits for the other: one thread alone would wait for ever.
  pool.Submit([&] {
    first.set_value();
    second.get_future().wait();
  });
  std::promise<void> done;
  pool.Submit([&] {
    first.get_future().wait();
    second.set_value();
    done.set_value();
  });
  done.get_future().wait();
  CHECK(true);
}

TEST_CASE("a short task does not wait for long ones, nor behind other short ones for ever") {
  std::promise<void> release;
  const std::shared_future<void> is_released = release.get_future().share();
  std::vector<int> order;
  std::promise<void> done;
  WorkerPool pool(2);
  for (int i = 0; i < 4; ++i) pool.Submit([is_released] { is_released.wait(); });
  for (int i = 0; i < 10; ++i) {
    pool.Submit(
        [&, i] {
          order.push_back(i);
          if (i == 9) done.set_value();
        },
        WorkerPool::Kind::kShort);
  }
  // All other threads wait for what comes only afterwards.
  done.get_future().wait();
  release.set_value();
  REQUIRE(order.size() == 10);
  for (int i = 0; i < 10; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("shared tasks are each done once, by the caller where no helper comes") {
  for (const unsigned n_threads : {1u, 3u}) {
    WorkerPool pool(n_threads);
    for (const unsigned n_helpers : {0u, 1u, 5u}) {
      for (const int n_tasks : {0, 1, 2, 100}) {
        std::vector<std::atomic<int>> n_done(static_cast<std::size_t>(n_tasks));
        pool.ForEach(n_tasks, n_helpers, [&](std::int64_t i) {
          // From a task, as a call that was submitted does it.
          pool.ForEach(3, 2, [&](std::int64_t) { ++n_done[static_cast<std::size_t>(i)]; });
        });
        for (const std::atomic<int>& n : n_done) CHECK(n == 3);
      }
    }
  }
}

TEST_CASE("shared tasks do not wait for a pool that is busy") {
  // Outlives the pool, whose thread may come to it at the very end.
  std::promise<void> release;
  const std::shared_future<void> is_released = release.get_future().share();
  WorkerPool pool(1);
  pool.Submit([is_released] { is_released.wait(); });
  int n_done = 0;
  pool.ForEach(10, 1, [&](std::int64_t) { ++n_done; });
  CHECK(n_done == 10);
  release.set_value();
}

TEST_CASE("the first exception of a shared task is the caller's, and ends the rest") {
  WorkerPool pool(2);
  std::atomic<int> n_done{0};
  CHECK_THROWS_AS(pool.ForEach(1000, 2,
                               [&](std::int64_t) {
                                 ++n_done;
                                 throw std::bad_alloc();
                               }),
                  std::bad_alloc);
  CHECK(n_done <= 3);
}

TEST_CASE("runs that share the pool, from several threads, give the bits of one thread") {
  const auto pool = WorkerPool::Shared();
  const Case c = MakeCase(3, 1500, std::vector<double>(100, 0.02), 200, Drive::kSigned);
  const Noise noise{NoisePlacement::kState, 0.1, 5, 0};
  for (const Method method : {Method::kFft, Method::kRecursive}) {
    const std::vector<double> expected = Run<double>(c, method, noise).output;
    std::vector<std::thread> threads;
    std::atomic<int> n_equal{0};
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back(
          [&] { n_equal += Run<double>(c, method, noise, true, 4).output == expected; });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(n_equal == 3);
  }
}

TEST_CASE("everybody shares one pool while somebody holds it") {
  const auto a = WorkerPool::Shared();
  const auto b = WorkerPool::Shared();
  CHECK(a == b);
}

}  // namespace
}  // namespace expsyn::test
