// WorkerPool::ForEach(): tasks that a caller and its helpers run together.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <new>
#include <stdexcept>
#include <thread>
#include <vector>

#include "thread_meetings.h"
#include "worker_pool.h"

namespace expsyn::test {
namespace {

// What tasks use is declared before their pool, whose destructor waits for them.

TEST_CASE("ForEach() runs each task once, with or without helpers") {
  for (const unsigned n_threads : {1u, 3u}) {
    WorkerPool pool(n_threads);
    for (const unsigned n_helpers : {0u, 1u, 5u}) {
      for (const int n_tasks : {0, 1, 2, 100}) {
        std::vector<std::atomic<int>> n_done(static_cast<std::size_t>(n_tasks));
        pool.ForEach(n_tasks, n_helpers, [&](std::int64_t i) {
          // A task may call ForEach() itself.
          pool.ForEach(3, 2, [&](std::int64_t) { ++n_done[static_cast<std::size_t>(i)]; });
        });
        for (const std::atomic<int>& n : n_done) CHECK(n == 3);
      }
    }
  }
}

TEST_CASE("ForEach() does not wait for a busy pool") {
  // Outlives the pool, because a thread may run a helper late.
  std::promise<void> release;
  const std::shared_future<void> is_released = release.get_future().share();
  WorkerPool pool(1);
  pool.Submit([is_released] { is_released.wait(); });
  int n_done = 0;
  pool.ForEach(10, 1, [&](std::int64_t) { ++n_done; });
  CHECK(n_done == 10);
  release.set_value();
}

TEST_CASE("ForEach() throws the first exception of a task and runs no further tasks") {
  std::atomic<int> n_done{0};
  WorkerPool pool(2);
  CHECK_THROWS_AS(pool.ForEach(1000, 2,
                               [&](std::int64_t) {
                                 ++n_done;
                                 throw std::bad_alloc();
                               }),
                  std::bad_alloc);
  CHECK(n_done <= 3);
}

TEST_CASE("a helper runs all other tasks while the caller is busy with one") {
  WorkerPool pool(1);
  const auto caller = std::this_thread::get_id();
  std::atomic<int> n_by_helper{0};
  pool.ForEach(10, 1, [&](std::int64_t) {
    if (std::this_thread::get_id() != caller) {
      ++n_by_helper;
      return;
    }
    while (n_by_helper < 9) std::this_thread::yield();
  });
  CHECK(n_by_helper == 9);
}

TEST_CASE("ForEach() gets as many helpers as it asks for") {
  std::atomic<int> n_running{0};
  std::atomic<int> most{0};
  Meeting meeting(3);
  WorkerPool pool(4);
  pool.ForEach(50, 2, [&](std::int64_t i) {
    const int now = ++n_running;
    for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
    }
    // The first three tasks need the caller and both helpers.
    if (i < 3) meeting.Join();
    --n_running;
  });
  CHECK(most == 3);
}

TEST_CASE("a helper queues again behind other tasks after each of its own") {
  const auto caller = std::this_thread::get_id();
  std::atomic<int> n_by_helper{0};
  std::atomic<int> n_before{-1};
  Gate other_is_done;
  WorkerPool pool(1);
  pool.ForEach(6, 1, [&](std::int64_t) {
    if (std::this_thread::get_id() == caller) {
      other_is_done.Wait();
      return;
    }
    if (++n_by_helper > 1) return;
    pool.Submit([&] {
      n_before = n_by_helper.load();
      other_is_done.Open();
    });
  });
  CHECK(n_before == 1);
}

TEST_CASE("ForEach() returns only after its helpers have finished their tasks") {
  for (const bool is_failing : {false, true}) {
    Meeting meeting(2);
    std::atomic<bool> is_done{false};
    WorkerPool pool(1);
    const auto caller = std::this_thread::get_id();
    const auto run = [&] {
      pool.ForEach(2, 1, [&](std::int64_t) {
        meeting.Join();
        if (std::this_thread::get_id() == caller) {
          if (is_failing) throw std::runtime_error("on purpose");
          return;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        is_done = true;
      });
    };
    if (is_failing) {
      CHECK_THROWS_AS(run(), std::runtime_error);
    } else {
      run();
    }
    CHECK(is_done);
  }
}

TEST_CASE("ForEach() throws the exception of a helper, and the pool can be used again") {
  const auto caller = std::this_thread::get_id();
  Meeting meeting(2);
  std::atomic<int> n_begun{0};
  std::promise<void> done;
  WorkerPool pool(1);
  CHECK_THROWS_WITH(pool.ForEach(100, 1,
                                 [&](std::int64_t) {
                                   if (++n_begun <= 2) meeting.Join();
                                   if (std::this_thread::get_id() != caller) {
                                     throw std::runtime_error("from the helper");
                                   }
                                   std::this_thread::sleep_for(std::chrono::milliseconds(1));
                                 }),
                    "from the helper");
  CHECK(n_begun < 100);
  pool.Submit([&] { done.set_value(); });
  done.get_future().wait();
}

}  // namespace
}  // namespace expsyn::test
