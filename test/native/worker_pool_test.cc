#include "worker_pool.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <future>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

#ifdef EXPSYN_FAULTS
#include "faults.h"
#endif

namespace expsyn::test {
namespace {

// Whatever tasks use is declared before their pool, which waits for them at its end.

// Where threads wait until somebody opens it.
class Gate {
 public:
  void Open() {
    const std::lock_guard<std::mutex> guard(lock_);
    is_open_ = true;
    opened_.notify_all();
  }
  void Wait() {
    std::unique_lock<std::mutex> guard(lock_);
    opened_.wait(guard, [this] { return is_open_; });
  }

 private:
  std::mutex lock_;
  std::condition_variable opened_;
  bool is_open_ = false;
};

// Waits until so many threads have come.
class Meeting {
 public:
  explicit Meeting(int n_threads) : n_missing_(n_threads) {}
  void Join() {
    std::unique_lock<std::mutex> guard(lock_);
    if (--n_missing_ == 0) complete_.notify_all();
    complete_.wait(guard, [this] { return n_missing_ <= 0; });
  }

 private:
  std::mutex lock_;
  std::condition_variable complete_;
  int n_missing_;
};

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
  std::promise<void> first;
  std::promise<void> second;
  std::promise<void> done;
  WorkerPool pool(2);
  // Each waits for the other: one thread alone would wait for ever.
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

TEST_CASE("the pool has as many threads as it may, and one more for short tasks") {
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
    // Three that wait for each other and this thread; the others would come on top of them.
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
    // A second short one behind a first one that waits gets no thread of its own.
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

TEST_CASE("what is submitted by a task while the pool ends is done") {
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

TEST_CASE("a task and what it holds are gone when the next one runs") {
  std::promise<bool> is_gone;
  WorkerPool pool(1);
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> observed = held;
  pool.Submit([held] {});
  held.reset();
  pool.Submit([&] { is_gone.set_value(observed.expired()); });
  CHECK(is_gone.get_future().get());
}

TEST_CASE("what a task holds is let go of without the pool's lock") {
  std::promise<void> done;
  {
    WorkerPool pool(1);
    // Whose end submits another task.
    std::shared_ptr<void> held(nullptr, [&](void*) { pool.Submit([&] { done.set_value(); }); });
    pool.Submit([held = std::move(held)] {});
  }
  done.get_future().wait();
}

TEST_CASE("a helper does all tasks that are left while the caller is at one") {
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

TEST_CASE("helpers come to the tasks of a caller, as many as it asks for") {
  std::atomic<int> n_running{0};
  std::atomic<int> most{0};
  Meeting meeting(3);
  WorkerPool pool(4);
  pool.ForEach(50, 2, [&](std::int64_t i) {
    const int now = ++n_running;
    for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
    }
    // The caller and both helpers have to come.
    if (i < 3) meeting.Join();
    --n_running;
  });
  CHECK(most == 3);
}

TEST_CASE("a helper queues again behind what others submit, after each task") {
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

TEST_CASE("a caller does not return while a helper is at a task of its own") {
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

TEST_CASE("an exception of a helper's task is the caller's, and the pool goes on") {
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

TEST_CASE("everybody shares one pool while somebody holds it") {
  const auto a = WorkerPool::Shared();
  const auto b = WorkerPool::Shared();
  CHECK(a.get() == b.get());
}

TEST_CASE("the shared pool goes when its last holder lets go of it, and comes anew") {
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

#ifdef EXPSYN_FAULTS

TEST_CASE("a task for which no thread can be started is refused, and not kept") {
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

TEST_CASE("tasks are done by the threads that there are, where no more can be started") {
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
    // Alone, a thread does short and long ones in their order.
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

TEST_CASE("short tasks wait for a long one where the thread for them cannot be started") {
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
  // The next short one tries again, and its thread does both.
  pool.Submit([&] { later.set_value(); }, WorkerPool::Kind::kShort);
  done.get_future().wait();
  later.get_future().wait();
  gate.Open();
}

TEST_CASE("an idle thread takes a task, and no other is started for it") {
  WorkerPool pool(8);
  const auto run_one = [&pool] {
    std::promise<void> done;
    pool.Submit([&done] { done.set_value(); });
    done.get_future().wait();
  };
  run_one();
  // Another thread is tried only until the one that there is has become idle.
  FailThreads(1, true);
  for (std::int64_t n_failed = -1; n_failed != FailedThreads();) {
    n_failed = FailedThreads();
    run_one();
  }
  FailThreads(0, false);
}

TEST_CASE("whatever allocation fails, a task is refused as a whole or done") {
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

TEST_CASE("a pool that has no memory is not made, and the next one is") {
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

TEST_CASE("whatever allocation or thread fails, shared tasks are each done once") {
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
#endif  // EXPSYN_FAULTS

}  // namespace
}  // namespace expsyn::test
