#include "cost_model.h"

#include <algorithm>
#include <cmath>

#include "fft_plan.h"
#include "window.h"

namespace expsyn {

namespace {

constexpr std::int64_t kMinFftLength = 16;

// Lengths that FFTW transforms well, in rising order: 2^k, 5/4 2^k and 3/2 2^k.
std::int64_t NextFftLength(std::int64_t length) {
  std::int64_t power = kMinFftLength;
  while (power * 2 <= length) power *= 2;
  for (const std::int64_t candidate : {power, power / 4 * 5, power / 2 * 3}) {
    if (candidate > length) return candidate;
  }
  return power * 2;
}

// Nanoseconds of a transform forth and back with the product between, measured on a processor with
// 1 MiB of second-level cache and ESTIMATE plans.
double BlockCost(std::int64_t fft_length) {
  constexpr double kPerButterfly = 0.27;
  constexpr double kPerSample = 1.0;
  constexpr double kPerBlock = 60;
  constexpr double kCachedLength = 32768;
  constexpr double kUncachedFactor = 1.6;
  const auto length = static_cast<double>(fft_length);
  const double factor = length > kCachedLength ? kUncachedFactor : 1.0;
  return kPerBlock + factor * length * (kPerButterfly * std::log2(length) + kPerSample);
}

}  // namespace

BlockPlan ChooseBlocks(std::int64_t n_timesteps, std::int64_t window_length) {
  BlockPlan best{0, 0, 0, 0};
  std::int64_t length = kMinFftLength;
  while (length <= kMaxFftLength) {
    const std::int64_t kernel_length = std::min(window_length, length / 2 + 1);
    const std::int64_t hop = length - kernel_length + 1;
    const bool is_enough = kernel_length == window_length || window_length == Window::kUnlimited ||
                           n_timesteps <= std::min(hop, kernel_length);
    if (is_enough) {
      const std::int64_t n_blocks = (n_timesteps + hop - 1) / hop;
      const double cost = static_cast<double>(n_blocks) * BlockCost(length) /
                          static_cast<double>(std::max<std::int64_t>(n_timesteps, 1));
      if (best.fft_length == 0 || cost < best.cost) {
        best = {length, kernel_length, hop, cost};
      }
      // Longer blocks than the run, or than sixteen windows, only cost more.
      if (hop >= n_timesteps || length / 16 > window_length) break;
    }
    length = NextFftLength(length);
  }
  return best;
}

double RecursionCost(std::int64_t n_timesteps, std::int64_t n_synapses,
                     std::int64_t window_length) {
  constexpr double kPerSample = 0.6;
  constexpr double kPerSampleWithFarEnd = 0.8;
  constexpr double kPerSampleAcrossTime = 2.0;
  constexpr std::int64_t kFewSynapses = 8;
  if (n_synapses < kFewSynapses) return kPerSampleAcrossTime;
  return n_timesteps > window_length ? kPerSampleWithFarEnd : kPerSample;
}

Method ChooseMethod(std::int64_t n_timesteps, std::int64_t n_synapses,
                    std::int64_t window_length) {
  const BlockPlan blocks = ChooseBlocks(n_timesteps, window_length);
  if (blocks.fft_length == 0) return Method::kRecursive;
  return blocks.cost < RecursionCost(n_timesteps, n_synapses, window_length) ? Method::kFft
                                                                            : Method::kRecursive;
}

}  // namespace expsyn
