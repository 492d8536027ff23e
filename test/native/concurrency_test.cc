#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "oracle.h"
#include "worker_pool.h"

namespace expsyn::test {
namespace {

TEST_CASE("one kernel serves many threads, which plan transforms at the same time") {
  const Case c = MakeCase(1, 700, std::vector<double>(5, 0.03), 200, Drive::kSigned);
  const ExponentialKernel kernel = KernelOf(c);
  const std::vector<double> expected = Run<double>(c, Method::kFft).output;
  std::vector<std::thread> threads;
  std::atomic<int> n_equal{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      for (int repeat = 0; repeat < 5; ++repeat) {
        std::vector<double> output(c.input.size());
        const OwnState state(c.state);
        OwnState next_state(5);
        EvolveBatch(kernel, {Method::kFft, {}}, {c.input.data(), ElementType::kFloat64, 1, 700, 5},
                    state.view(), output.data(), next_state.next());
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

}  // namespace
}  // namespace expsyn::test
