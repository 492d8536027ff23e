#include <doctest/doctest.h>

#include <atomic>
#include <future>
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
        std::vector<double> next_state(5);
        EvolveCall<double> call;
        call.method = Method::kFft;
        call.input = {c.input.data(), ElementType::kFloat64, 1, 700, 5};
        call.state = c.state.data();
        call.output = output.data();
        call.next_state = next_state.data();
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

TEST_CASE("everybody shares one pool while somebody holds it") {
  const auto a = WorkerPool::Shared();
  const auto b = WorkerPool::Shared();
  CHECK(a == b);
}

}  // namespace
}  // namespace expsyn::test
