// Runs that are cut in time, or whose output is written past the caches, against shorter ones.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "aligned_buffer.h"
#include "input_reader.h"
#include "kernel/exponential.h"
#include "oracle.h"

namespace expsyn::test {
namespace {

// An output that begins `offset` elements after the start of a cache line, and the next state.
template <typename Real>
struct Placed {
  Placed(const Kernel& kernel, const std::vector<std::uint8_t>& input, std::int64_t n_timesteps,
         const Noise& noise, std::size_t offset)
      : n_synapses(kernel.n_synapses()),
        size(static_cast<std::size_t>(n_timesteps * n_synapses)),
        memory(size + offset + 1),
        output(memory.data() + offset),
        next_state(static_cast<std::size_t>(n_synapses)) {
    const OwnState state(static_cast<std::size_t>(n_synapses), 0.25);
    output[size] = 77;
    EvolveBatch(kernel, {Method::kRecursive, noise},
                {input.data(), ElementType::kUint8, 1, n_timesteps, n_synapses}, state.view(),
                output, next_state.next());
    CHECK(output[size] == 77);
  }

  std::int64_t n_synapses;
  std::size_t size;
  AlignedBuffer<Real> memory;
  Real* output;
  OwnState next_state;
};

TEST_CASE_TEMPLATE("an output that goes past the caches holds what a smaller one holds", Real,
                   float, double) {
  const std::int64_t n_samples = (6 << 20) / static_cast<std::int64_t>(sizeof(Real));
  std::vector<std::uint8_t> input(static_cast<std::size_t>(n_samples + 200));
  for (std::size_t i = 0; i < input.size(); ++i) input[i] = i % 17 == 0 || i % 23 == 0;
  ForEachInstructionSet([&] {
    for (const std::int64_t n_synapses : {3, 8, 9, 132}) {
      // The shortest run whose output is streamed; `kept` is one step shorter.
      const std::int64_t n_timesteps = (n_samples + n_synapses - 1) / n_synapses;
      const std::vector<double> tau(static_cast<std::size_t>(n_synapses), 0.02);
      const ExponentialKernel kernel(tau.data(), n_synapses, 1e-3, Kernel::kUnlimited);
      for (const NoisePlacement placement :
           {NoisePlacement::kNone, NoisePlacement::kOutput, NoisePlacement::kState}) {
        const Noise noise{placement, 0.1, 3, 4};
        const Placed<Real> kept(kernel, input, n_timesteps - 1, noise, 0);
        // On a cache line, and where narrower vectors alone are aligned, or none.
        for (const std::size_t offset : {std::size_t{0}, 16 / sizeof(Real), std::size_t{1}}) {
          const Placed<Real> streamed(kernel, input, n_timesteps, noise, offset);
          CAPTURE(n_synapses);
          CAPTURE(static_cast<int>(placement));
          CAPTURE(offset);
          CHECK(std::memcmp(kept.output, streamed.output, kept.size * sizeof(Real)) == 0);
          if (placement == NoisePlacement::kOutput) continue;
          const Real* last = streamed.output + streamed.size - n_synapses;
          for (std::int64_t n = 0; n < n_synapses; ++n) {
            CHECK(streamed.next_state.isyn(static_cast<std::size_t>(n)) == last[n]);
          }
        }
      }
    }
  });
}

TEST_CASE_TEMPLATE("the parts of a long run leave each other's output alone", Real, float, double) {
  constexpr double kTolerance = sizeof(Real) == sizeof(float) ? 5e-6 : 1e-12;
  // A warm-up of a few intervals, and one of many, which runs in chunks side by side.
  for (const std::int64_t length : {40, 300, 1100}) {
    for (const std::int64_t n_synapses : {1, 3, 9}) {
      if (length == 1100 && n_synapses > 1) continue;
      const std::int64_t n_timesteps = 2 * std::max<std::int64_t>(16384, 64 * length) + 7;
      const Case c =
          MakeCase(1, n_timesteps, std::vector<double>(n_synapses, 0.05), length, Drive::kSigned);
      for (const unsigned n_threads : {1u, 3u}) {
        const Answer whole = Run<Real>(c, Method::kRecursive, {}, true, n_threads);
        // Another method, whose runs are not cut.
        const Answer other = Run<double>(c, Method::kFft);
        double worst = 0;
        double peak = 0;
        for (std::size_t i = 0; i < whole.output.size(); ++i) {
          worst = std::max(worst, std::abs(whole.output[i] - other.output[i]));
          peak = std::max(peak, std::abs(other.output[i]));
        }
        CAPTURE(length);
        CAPTURE(n_synapses);
        CHECK(worst < 2 * kTolerance * peak);
      }
    }
  }
}

// The rows from `first_step` on of a tile that begins at that step.
template <typename Real>
std::vector<Real> From(std::int64_t first_step, const Case& c, const Kernel& kernel,
                       const Noise& noise) {
  const std::int64_t n_synapses = c.n_synapses();
  const Raster raster{c.input.data(), ElementType::kFloat64, 1, c.n_timesteps, n_synapses};
  const InputReader reader(raster, noise);
  const OwnState state(c.state.size());
  OwnState last(c.state.size());
  std::vector<Finding> findings(c.state.size());
  std::vector<Real> output(c.input.size(), 77);
  const std::atomic<bool> cancelled{false};
  kernel.Recurse(Tile<Real>{reader, 0, n_synapses, first_step, c.n_timesteps, state.view(),
                            output.data(), n_synapses, false, last.next(), findings.data(),
                            cancelled});
  const auto begin = output.begin() + first_step * n_synapses;
  CHECK(std::all_of(output.begin(), begin, [](Real value) { return value == 77; }));
  return {begin, output.end()};
}

TEST_CASE_TEMPLATE("a run that begins later has the noise of all steps that its window holds", Real,
                   float, double) {
  constexpr double kTolerance = sizeof(Real) == sizeof(float) ? 1e-5 : 1e-12;
  // Noisy drive that is kept until it leaves the window, and more of it than is kept.
  for (const std::int64_t length : {50, sizeof(Real) == sizeof(float) ? 4200 : 2100}) {
    for (const std::int64_t n_synapses : {1, 9, 128}) {
      const std::int64_t n_timesteps = 2 * length + 100;
      const Case c = MakeCase(1, n_timesteps,
                              std::vector<double>(n_synapses, 0.005 * static_cast<double>(length)),
                              length, Drive::kSigned);
      const ExponentialKernel kernel = KernelOf(c);
      for (const NoisePlacement placement :
           {NoisePlacement::kNone, NoisePlacement::kState, NoisePlacement::kInput}) {
        const Noise noise{placement, 10, 3, 4};
        const std::int64_t first_step = length + 7;
        const std::vector<Real> late = From<Real>(first_step, c, kernel, noise);
        const std::vector<Real> early = From<Real>(0, c, kernel, noise);
        const Real* expected = early.data() + first_step * n_synapses;
        double worst = 0;
        double peak = 0;
        for (std::size_t i = 0; i < late.size(); ++i) {
          peak = std::max<double>(peak, std::abs(expected[i]));
          worst = std::max<double>(worst, std::abs(late[i] - expected[i]));
        }
        CAPTURE(length);
        CAPTURE(n_synapses);
        CAPTURE(static_cast<int>(placement));
        CHECK(worst < kTolerance * peak);
      }
    }
  }
}

}  // namespace
}  // namespace expsyn::test
