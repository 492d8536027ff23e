#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

#include "input_reader.h"
#include "kernel/exponential.h"
#include "method/overlap_save.h"
#include "method/precise.h"
#include "oracle.h"

namespace expsyn::test {
namespace {

// No call computes this.
constexpr double kUntouched = 77;

// Evaluates a whole case by `evaluate`, which takes a Tile; returns the output.
template <typename Real, typename Evaluate>
std::vector<Real> Evaluated(const Case& c, const Noise& noise, const std::atomic<bool>& cancelled,
                            Evaluate&& evaluate) {
  const std::int64_t n_synapses = c.n_synapses();
  const Raster raster{c.input.data(), ElementType::kFloat64, 1, c.n_timesteps, n_synapses};
  const InputReader reader(raster, noise);
  const OwnState state(c.state);
  OwnState last(c.state.size());
  std::vector<Finding> findings(c.state.size());
  std::vector<Real> output(c.input.size(), kUntouched);
  evaluate(Tile<Real>{reader, 0, n_synapses, 0, c.n_timesteps, state.view(), output.data(),
                      n_synapses, false, last.next(), findings.data(), cancelled});
  return output;
}

template <typename Real>
std::int64_t Computed(const std::vector<Real>& output) {
  return static_cast<std::int64_t>(output.size()) -
         std::count(output.begin(), output.end(), Real{kUntouched});
}

TEST_CASE_TEMPLATE("what was cancelled before it began computes nothing, in any method and path",
                   Real, float, double) {
  for (const std::int64_t n_synapses : {1, 3, 20}) {
    const Case c = MakeCase(1, 3000, std::vector<double>(n_synapses, 0.02), 100, Drive::kSigned);
    const ExponentialKernel kernel = KernelOf(c);
    for (const NoisePlacement placement :
         {NoisePlacement::kNone, NoisePlacement::kOutput, NoisePlacement::kState}) {
      const Noise noise{placement, 0.1, 3, 4};
      for (const bool is_cancelled : {true, false}) {
        const std::atomic<bool> cancelled{is_cancelled};
        const std::int64_t expected = is_cancelled ? 0 : 3000 * n_synapses;
        const auto run = [&](auto&& evaluate) {
          return Computed(Evaluated<Real>(c, noise, cancelled, evaluate));
        };
        CAPTURE(is_cancelled);
        CHECK(run([&](const Tile<Real>& tile) { kernel.Recurse(tile); }) == expected);
        CHECK(run([&](const Tile<Real>& tile) { OverlapSave(kernel, tile); }) == expected);
        // With prepared spectra too, where the blocks alone look at the flag.
        CHECK(run([&](const Tile<Real>& tile) { OverlapSave(kernel, tile); }) == expected);
        if (n_synapses > 1) continue;
        CHECK(run([&](const Tile<Real>& tile) { RecursePrecisely(kernel, tile, 0); }) == expected);
      }
      const std::atomic<bool> cancelled{true};
      CHECK(Computed(Evaluated<Real>(c, noise, cancelled,
                                     [&](const auto& tile) { OverlapSave(kernel, tile); })) == 0);
    }
  }
}

TEST_CASE("spectra are not prepared for a call that was cancelled") {
  const Case c = MakeCase(1, 3000, {0.02, 0.03}, 100, Drive::kSigned);
  const ExponentialKernel kernel = KernelOf(c);
  const std::size_t before = kernel.size_in_bytes();
  const std::atomic<bool> cancelled{true};
  Evaluated<double>(c, {}, cancelled, [&](const auto& tile) { OverlapSave(kernel, tile); });
  CHECK(kernel.size_in_bytes() == before);
  const std::atomic<bool> going_on{false};
  Evaluated<double>(c, {}, going_on, [&](const auto& tile) { OverlapSave(kernel, tile); });
  CHECK(kernel.size_in_bytes() > before);
}

TEST_CASE("a cancelled call of many tiles touches neither output nor state") {
  const Case c = MakeCase(2, 40000, std::vector<double>(12, 0.02), 30, Drive::kSigned);
  const ExponentialKernel kernel = KernelOf(c);
  for (const Method method : {Method::kFft, Method::kRecursive}) {
    for (const unsigned n_threads : {1u, 4u}) {
      const OwnState state(12);
      OwnState next_state(24, kUntouched);
      std::vector<double> output(c.input.size(), kUntouched);
      const std::atomic<bool> cancelled{true};
      const EvolveResult result =
          EvolveBatch(kernel, {method, {}, true, n_threads},
                      {c.input.data(), ElementType::kFloat64, 2, 40000, 12}, state.view(),
                      output.data(), next_state.next(), cancelled);
      CHECK(result.status == EvolveResult::Status::kCancelled);
      CHECK(Computed(output) == 0);
      CHECK(next_state == OwnState(24, kUntouched));
    }
  }
}

}  // namespace
}  // namespace expsyn::test
