// The worker pool: submitted tasks, long and short ones, and the pool that all callers share.
#include "worker_pool.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <utility>
#include <vector>

#include "thread_meetings.h"

namespace expsyn::test {
namespace {

// What tasks use is declared before their pool, whose destructor waits for them.

TEST_CASE("the pool runs every task, in order on one thread") {
  std::vector<int> order;
  {
    WorkerPool pool(1);
    for (int i = 0; i < 100; ++i) pool.Submit([&order, i] { order.push_back(i); });
  }
  REQUIRE(order.size() == 100);
  for (int i = 0; i < 100; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("a pool without threads runs each task when it is submitted, also those of ForEach()") {
  std::vector<int> order;
  WorkerPool pool(0);
  pool.Submit([&order] { order.push_back(0); });
  CHECK(order == std::vector<int>{0});
  pool.ForEach(3, 2, [&order](std::int64_t i) { order.push_back(static_cast<int>(i) + 1); });
  CHECK(order == std::vector<int>{0, 1, 2, 3});
}

TEST_CASE("the pool runs tasks side by side") {
  std::promise<void> first;
  std::promise<void> second;
  std::promise<void> done;
  WorkerPool pool(2);
  // Each task waits for the other, so a single thread would wait for ever.
  pool.Submit([&] {
    first.set_value();
    second.get_future().wait();
  });
  pool.Submit([&] {
    first.get_future().wait();
    second.set_value();
    done.set_value();
  });
  done.get_future().wait();
  CHECK(true);
}

TEST_CASE("a short task waits neither for long ones nor for ever behind other short ones") {
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
  // All other threads wait for the release, which comes only afterwards.
  done.get_future().wait();
  release.set_value();
  REQUIRE(order.size() == 10);
  for (int i = 0; i < 10; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("the pool has its number of threads, and one more for short tasks") {
  Gate gate;
  std::atomic<int> n_running{0};
  const auto wait = [&] {
    ++n_running;
    gate.Wait();
  };
  {
    Meeting meeting(4);
    std::promise<void> is_short_done;
    Gate short_gate;
    Meeting short_meeting(2);
    WorkerPool pool(3);
    // Three tasks wait for each other and this thread; the others need more threads.
    for (int i = 0; i < 3; ++i) {
      pool.Submit([&] {
        meeting.Join();
        wait();
      });
    }
    for (int i = 0; i < 5; ++i) pool.Submit(wait);
    meeting.Join();
    pool.Submit([&] { is_short_done.set_value(); }, WorkerPool::Kind::kShort);
    is_short_done.get_future().wait();
    // A second short task behind one that waits gets no thread of its own.
    pool.Submit(
        [&] {
          short_meeting.Join();
          short_gate.Wait();
        },
        WorkerPool::Kind::kShort);
    pool.Submit([&] { ++n_running; }, WorkerPool::Kind::kShort);
    short_meeting.Join();
    while (n_running < 3) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK(n_running == 3);
    short_gate.Open();
    gate.Open();
  }
  CHECK(n_running == 9);
}

TEST_CASE("tasks that a task submits while the pool is destroyed are run") {
  std::atomic<int> n_done{0};
  Gate gate;
  auto pool = std::make_unique<WorkerPool>(2);
  WorkerPool& running = *pool;
  pool->Submit([&] {
    gate.Wait();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    for (int i = 0; i < 10; ++i) running.Submit([&] { ++n_done; });
    running.Submit([&] { ++n_done; }, WorkerPool::Kind::kShort);
  });
  gate.Open();
  pool.reset();
  CHECK(n_done == 11);
}

TEST_CASE("a task is destroyed before the next one runs") {
  std::promise<bool> is_gone;
  WorkerPool pool(1);
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> observed = held;
  pool.Submit([held] {});
  held.reset();
  pool.Submit([&] { is_gone.set_value(observed.expired()); });
  CHECK(is_gone.get_future().get());
}

TEST_CASE("a task is destroyed without the lock of the pool") {
  std::promise<void> done;
  {
    WorkerPool pool(1);
    // Its destruction submits another task.
    std::shared_ptr<void> held(nullptr, [&](void*) { pool.Submit([&] { done.set_value(); }); });
    pool.Submit([held = std::move(held)] {});
  }
  done.get_future().wait();
}

TEST_CASE("Shared() returns the same pool while it is held") {
  const auto a = WorkerPool::Shared();
  const auto b = WorkerPool::Shared();
  CHECK(a.get() == b.get());
}

TEST_CASE("the shared pool is destroyed with its last holder, and made again") {
  auto pool = WorkerPool::Shared();
  const std::weak_ptr<WorkerPool> observed = pool;
  std::atomic<int> n_done{0};
  for (int i = 0; i < 20; ++i) pool->Submit([&] { ++n_done; });
  pool.reset();
  CHECK(observed.expired());
  CHECK(n_done == 20);
  std::promise<void> done;
  pool = WorkerPool::Shared();
  pool->Submit([&] { done.set_value(); });
  done.get_future().wait();
}

}  // namespace
}  // namespace expsyn::test
