// The worker pool when threads cannot be started or memory runs out.
#ifdef EXPSYN_FAULTS

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <exception>
#include <future>
#include <memory>
#include <new>
#include <system_error>
#include <vector>

#include "faults.h"
#include "thread_meetings.h"
#include "worker_pool.h"

namespace expsyn::test {
namespace {

// What tasks use is declared before their pool, whose destructor waits for them.

TEST_CASE("a task is refused and released if no thread can be started for it") {
  for (const WorkerPool::Kind kind : {WorkerPool::Kind::kLong, WorkerPool::Kind::kShort}) {
    std::promise<void> done;
    WorkerPool pool(2);
    auto held = std::make_shared<int>(0);
    FailThreads(1, true);
    for (int i = 0; i < 3; ++i) {
      CHECK_THROWS_AS(pool.Submit([held] { ++*held; }, kind), std::system_error);
    }
    CHECK(FailedThreads() == 3);
    FailThreads(0, false);
    CHECK(held.use_count() == 1);
    pool.Submit([&done] { done.set_value(); }, kind);
    done.get_future().wait();
    CHECK(*held == 0);
  }
}

TEST_CASE("existing threads run all tasks if no more can be started") {
  std::vector<int> order;
  {
    Gate gate;
    Meeting meeting(2);
    WorkerPool pool(3);
    pool.Submit([&] {
      meeting.Join();
      gate.Wait();
    });
    meeting.Join();
    FailThreads(1, true);
    // A single thread runs short and long tasks in the order of submission.
    for (int i = 0; i < 20; ++i) {
      pool.Submit([&order, i] { order.push_back(i); },
                  i % 3 == 0 ? WorkerPool::Kind::kShort : WorkerPool::Kind::kLong);
    }
    CHECK(FailedThreads() == 20);
    FailThreads(0, false);
    gate.Open();
  }
  REQUIRE(order.size() == 20);
  for (int i = 0; i < 20; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("short tasks wait for a long one if their thread cannot be started") {
  Gate gate;
  Meeting meeting(2);
  std::promise<void> done;
  std::promise<void> later;
  WorkerPool pool(1);
  pool.Submit([&] {
    meeting.Join();
    gate.Wait();
  });
  meeting.Join();
  FailThreads(1, true);
  pool.Submit([&] { done.set_value(); }, WorkerPool::Kind::kShort);
  CHECK(FailedThreads() == 1);
  FailThreads(0, false);
  // The next short task starts the thread, which runs both.
  pool.Submit([&] { later.set_value(); }, WorkerPool::Kind::kShort);
  done.get_future().wait();
  later.get_future().wait();
  gate.Open();
}

TEST_CASE("an idle thread takes a task, and no other is started") {
  WorkerPool pool(8);
  const auto run_one = [&pool] {
    std::promise<void> done;
    pool.Submit([&done] { done.set_value(); });
    done.get_future().wait();
  };
  run_one();
  // Submit() tries to start another thread only until the first one is idle.
  FailThreads(1, true);
  for (std::int64_t n_failed = -1; n_failed != FailedThreads();) {
    n_failed = FailedThreads();
    run_one();
  }
  FailThreads(0, false);
}

TEST_CASE("a task is either refused or run, whichever allocation fails") {
  for (const WorkerPool::Kind kind : {WorkerPool::Kind::kLong, WorkerPool::Kind::kShort}) {
    for (const bool is_lasting : {false, true}) {
      int n_refused = 0;
      for (int n = 1;; ++n) {
        auto pool = std::make_unique<WorkerPool>(2);
        auto held = std::make_shared<std::atomic<int>>(0);
        int n_accepted = 0;
        FailAllocations(n, is_lasting);
        for (int i = 0; i < 70; ++i) {
          try {
            pool->Submit([held] { ++*held; }, kind);
            ++n_accepted;
          } catch (const std::exception&) {
            ++n_refused;
          }
        }
        const bool is_over = FailedAllocations() == 0;
        FailAllocations(0, false);
        pool.reset();
        CHECK(*held == n_accepted);
        CHECK(held.use_count() == 1);
        if (is_over) break;
      }
      CHECK(n_refused > 0);
    }
  }
}

TEST_CASE("a pool without memory is not made, and the next one is") {
  FailAllocations(1, true);
  CHECK_THROWS_AS(WorkerPool(2), std::bad_alloc);
  FailAllocations(1, true);
  CHECK_THROWS_AS(WorkerPool::Shared(), std::bad_alloc);
  FailAllocations(2, true);
  CHECK_THROWS_AS(WorkerPool::Shared(), std::bad_alloc);
  FailAllocations(0, false);
  std::promise<void> done;
  const auto pool = WorkerPool::Shared();
  pool->Submit([&] { done.set_value(); });
  done.get_future().wait();
}

TEST_CASE("ForEach() runs each task once, whichever allocation or thread fails") {
  for (const bool is_lasting : {false, true}) {
    for (int n = 1;; ++n) {
      WorkerPool pool(3);
      std::vector<std::atomic<int>> n_done(30);
      bool is_refused = false;
      FailAllocations(n, is_lasting);
      FailThreads(n, is_lasting);
      try {
        pool.ForEach(30, 3, [&](std::int64_t i) { ++n_done[static_cast<std::size_t>(i)]; });
      } catch (const std::bad_alloc&) {
        is_refused = true;
      }
      const bool is_over = FailedAllocations() == 0;
      FailAllocations(0, false);
      FailThreads(0, false);
      for (const std::atomic<int>& one : n_done) CHECK(one == (is_refused ? 0 : 1));
      if (is_over) break;
    }
  }
}

}  // namespace
}  // namespace expsyn::test

#endif  // EXPSYN_FAULTS
