#include "method/choice.h"

#include <algorithm>
#include <cmath>

#include "kernel/kernel.h"
#include "method/fft_plan.h"

namespace expsyn {

namespace {

constexpr std::int64_t kMinFftLength = 16;

// The next longer of the lengths that FFTW transforms fast: 2^k, 5/4 2^k and 3/2 2^k.
std::int64_t NextFftLength(std::int64_t length) {
  std::int64_t power = kMinFftLength;
  while (power * 2 <= length) power *= 2;
  for (const std::int64_t candidate : {power, power / 4 * 5, power / 2 * 3}) {
    if (candidate > length) return candidate;
  }
  return power * 2;
}

// Nanoseconds of a forward transform, the product of spectra and an inverse transform. All
// constants of this file and Kernel::RecursionCost() were measured on one x86-64 core with 1 MiB of
// second-level cache and FFTW's ESTIMATE plans; only their ratios matter.
double BlockCost(std::int64_t fft_length) {
  constexpr double kPerBlock = 60;
  constexpr double kPerSample = 1.0;
  constexpr double kPerButterfly = 0.3;
  constexpr double kPerButterflyUncached = 0.4;
  constexpr std::int64_t kCachedLength = 4096;
  constexpr double kSharedCacheLength = 131072;
  constexpr double kGrowthPerDoubling = 1.2;
  const auto length = static_cast<double>(fft_length);
  double butterfly = fft_length <= kCachedLength ? kPerButterfly : kPerButterflyUncached;
  if (length > kSharedCacheLength) {
    butterfly *= std::pow(kGrowthPerDoubling, std::log2(length / kSharedCacheLength));
  }
  return kPerBlock + length * (butterfly * std::log2(length) + kPerSample);
}

// Nanoseconds to copy a sample into its block and out again.
constexpr double kTransposeCost = 4.0;

// Nanoseconds of one term of the direct sum.
constexpr double kDirectCost = 0.25;

Method WithoutTransforms(const Kernel& kernel) {
  return kernel.has_recursion() ? Method::kRecursive : Method::kDirect;
}

// The method that would be the best one if FFTW were there.
Method PreferredMethod(const Kernel& kernel, Method requested, std::int64_t n_timesteps) {
  if (requested != Method::kAuto) return requested;
  const double other_cost = kernel.has_recursion()
                                ? kernel.RecursionCost(n_timesteps)
                                : kDirectCost * static_cast<double>(kernel.window_length());
  const BlockPlan blocks = ChooseBlocks(kernel, n_timesteps);
  return blocks.fft_length > 0 && blocks.cost < other_cost ? Method::kFft
                                                           : WithoutTransforms(kernel);
}

}  // namespace

const char* NameOf(Method method) {
  switch (method) {
    case Method::kFft:
      return "fft";
    case Method::kRecursive:
      return "recursive";
    case Method::kDirect:
      return "direct";
    case Method::kAuto:
      break;
  }
  return "auto";
}

bool HasMethod(const Kernel& kernel, Method method) {
  if (method == Method::kRecursive) return kernel.has_recursion();
  if (method == Method::kDirect) return !kernel.has_recursion();
  return true;
}

BlockPlan ChooseBlocks(const Kernel& kernel, std::int64_t n_timesteps) {
  const std::int64_t window_length = kernel.window_length();
  n_timesteps = std::max<std::int64_t>(n_timesteps, 1);
  BlockPlan best{0, 0, 0, 0};
  std::int64_t length = kMinFftLength;
  while (length <= kMaxFftLength) {
    const std::int64_t kernel_length = std::min(window_length, length / 2 + 1);
    const std::int64_t hop = length - kernel_length + 1;
    // A call that is shorter than the window meets only as many samples of the kernel as it has
    // steps. If the state is inputs, it meets all of them.
    const bool is_enough = kernel_length == window_length || window_length == Kernel::kUnlimited ||
                           (kernel.has_recursion() && n_timesteps <= std::min(hop, kernel_length));
    if (is_enough) {
      const std::int64_t n_blocks = (n_timesteps + hop - 1) / hop;
      const double cost = kTransposeCost + static_cast<double>(n_blocks) * BlockCost(length) /
                                               static_cast<double>(n_timesteps);
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

Method ChooseMethod(const Kernel& kernel, Method requested, std::int64_t n_timesteps,
                    ElementType dtype) {
  const Method preferred = PreferredMethod(kernel, requested, n_timesteps);
  const bool is_replaced =
      requested == Method::kAuto && preferred == Method::kFft && !HasTransforms(dtype);
  return is_replaced ? WithoutTransforms(kernel) : preferred;
}

bool LacksFftw(const Kernel& kernel, Method requested, std::int64_t n_timesteps,
               ElementType dtype) {
  return PreferredMethod(kernel, requested, n_timesteps) == Method::kFft && !HasTransforms(dtype);
}

}  // namespace expsyn
