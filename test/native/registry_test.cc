#include "kernel/registry.h"

#include <doctest/doctest.h>

#include <limits>
#include <stdexcept>

namespace expsyn::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST_CASE("kernels are made by name, of parameters of the right number and size") {
  const KernelArguments right{2, {{0.01, 0.029}}, 1e-3, 10, 1e6};
  const auto kernel = MakeKernel("exp", right);
  CHECK(kernel->n_synapses() == 2);
  CHECK(kernel->window_length() == 291);
  CHECK(kernel->state_size() == 2);
  CHECK(MakeKernel("oscillation", {1, {{0.01}, {5}}, 1e-3, 10, 1e6})->state_size() == 4);
  CHECK(MakeKernel("triangle", {1, {{20}}, 1e-3, 10, 1e6})->state_size() == 19);
  CHECK_THROWS_AS(MakeKernel("none", right), std::invalid_argument);
  CHECK_THROWS_AS(MakeKernel("exp", {2, {{0.01}}, 1e-3, 10, 1e6}), std::invalid_argument);
  CHECK_THROWS_AS(MakeKernel("exp", {2, {}, 1e-3, 10, 1e6}), std::invalid_argument);
  CHECK_THROWS_AS(MakeKernel("oscillation", right), std::invalid_argument);
}

TEST_CASE("a window has the length of the reference's arange") {
  const auto length = [](double tau, double dt, double window_taus, double max_window_length) {
    return WindowLength({1, {}, dt, window_taus, max_window_length}, {tau, tau / 2});
  };
  CHECK(length(0.01, 1e-3, 10, 1e6) == 100);
  CHECK(length(0.029, 1e-3, 10, 1e6) == 291);
  CHECK(length(0.01, 1e-3, 10, 50) == 50);
  CHECK(length(0.01, 1e-3, 10, 50.5) == 51);
  CHECK(length(1e-9, 1, 10, 1e6) == 1);
  CHECK(length(0.01, 1e-3, kInfinity, 1e6) == Kernel::kUnlimited);
  CHECK(length(1e300, 1e300, 1e200, kInfinity) == Kernel::kUnlimited);
  CHECK(length(1e300, 1e300, 1e10, kInfinity) == 10000000000);
}

}  // namespace
}  // namespace expsyn::test
