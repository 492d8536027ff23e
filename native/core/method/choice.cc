#include "method/choice.h"

#include <algorithm>
#include <iterator>

#include "kernel/kernel.h"
#include "method/fft_plan.h"
#include "simd/direct_sums.h"

namespace expsyn {

namespace {

// All constants of this file and Kernel::RecursionCost() are nanoseconds that were measured on one
// x86-64 core with AVX-512, 1 MiB of second-level cache and FFTW's ESTIMATE plans; only their
// ratios matter.

// A transform length and what a forward and an inverse transform of this length take for each
// element of a signal.
struct FftLength {
  std::int64_t length;
  double cost32, cost64;
};

// The lengths that are used: those that FFTW transforms fast. The short powers of two are
// transformed in pairs.
constexpr FftLength kFftLengths[] = {
    {16, 1.4, 1.4},     {32, 0.75, 0.8},    {64, 0.5, 0.7},     {128, 0.5, 0.7},
    {256, 0.5, 0.8},    {512, 0.5, 0.95},   {1024, 0.6, 1.12},  {1280, 1.05, 2.1},
    {1536, 1.4, 1.7},   {2048, 0.7, 1.23},  {2560, 1.3, 1.7},   {3072, 1.65, 1.85},
    {4096, 1.45, 1.75}, {5120, 1.5, 1.9},   {6400, 1.85, 2.0},  {8192, 1.8, 2.3},
    {10240, 1.9, 2.05}, {12800, 1.9, 2.15}, {16384, 2.0, 2.75}, {20480, 2.25, 2.3},
    {25600, 1.95, 2.4}, {32768, 2.7, 3.7},  {40960, 2.3, 2.8},  {51200, 2.1, 2.85},
    {65536, 3.1, 3.4},  {81920, 2.6, 3.4},  {102400, 2.6, 4.5}, {122880, 3.0, 4.8},
    {131072, 3.3, 4.3}, {163840, 3.0, 4.1}, {262144, 4.8, 7.3}, {327680, 3.3, 5.8},
    {524288, 4.9, 9.3},
};
// What an element takes in twice as long a transform than the last of these.
constexpr double kGrowthPerDoubling = 1.2;

// The next longer one of the lengths that are used, and its cost; powers of two after the last one
// of the list.
FftLength NextFftLength(std::int64_t length) {
  for (const FftLength& candidate : kFftLengths) {
    if (candidate.length > length) return candidate;
  }
  FftLength next = *std::prev(std::end(kFftLengths));
  while (next.length <= length) {
    next = {next.length * 2, next.cost32 * kGrowthPerDoubling, next.cost64 * kGrowthPerDoubling};
  }
  return next;
}

// A sample of a run of this many steps, by blocks of `hop` steps.
double FftCost(const FftLength& fft, std::int64_t hop, std::int64_t n_timesteps,
               ElementType dtype) {
  constexpr double kPerBlock = 100;
  const bool is_single = dtype == ElementType::kFloat32;
  // A sample that is copied into its block and out again; an element of a product of spectra.
  const double copy = is_single ? 0.8 : 1.3;
  const double product = is_single ? 0.1 : 0.2;
  const std::int64_t n_together = IsTransformedInPairs(fft.length, dtype) ? 2 : 1;
  const std::int64_t n_blocks = (n_timesteps + hop - 1) / hop;
  const std::int64_t n_transformed = (n_blocks + n_together - 1) / n_together * n_together;
  const double of_blocks = static_cast<double>(n_blocks) * kPerBlock +
                           static_cast<double>(n_transformed * fft.length) *
                               ((is_single ? fft.cost32 : fft.cost64) + product);
  return copy + of_blocks / static_cast<double>(n_timesteps);
}

// A direct sum of so many terms. Few synapses are computed along time, and then the vectors of
// inputs are not aligned.
double DirectCost(std::int64_t n_synapses, std::int64_t n_terms, ElementType dtype) {
  const bool is_single = dtype == ElementType::kFloat32;
  const std::int64_t per_group =
      is_single ? simd::kSumsPerGroup<float> : simd::kSumsPerGroup<double>;
  double per_term = is_single ? 0.0165 : 0.0205;
  if (n_synapses < per_group) per_term = is_single ? 0.0185 : 0.031;
  return (is_single ? 0.6 : 0.9) + per_term * static_cast<double>(n_terms);
}

Method WithoutTransforms(const Kernel& kernel) {
  return kernel.has_recursion() ? Method::kRecursive : Method::kDirect;
}

// The method that would be the best one if FFTW were there.
Method PreferredMethod(const Kernel& kernel, Method requested, std::int64_t n_timesteps,
                       ElementType dtype) {
  if (requested != Method::kAuto) return requested;
  const double other_cost = kernel.has_recursion()
                                ? kernel.RecursionCost(n_timesteps)
                                : DirectCost(kernel.n_synapses(), kernel.window_length(), dtype);
  // If the kernel is not cut, each block rolls the numbers of the recursion over.
  constexpr double kRollOverCost = 1.2;
  const BlockPlan blocks = ChooseBlocks(kernel, n_timesteps, dtype);
  const double roll_over_cost = kernel.window_length() == Kernel::kUnlimited
                                    ? kRollOverCost * static_cast<double>(kernel.n_numbers())
                                    : 0;
  return blocks.fft_length > 0 && blocks.cost + roll_over_cost < other_cost
             ? Method::kFft
             : WithoutTransforms(kernel);
}

// The longest window that a session sums directly: longer ones are divided, see PartitionPlan.
constexpr std::int64_t kSessionDirectLength = 256;

// PreferredMethod() for a call of a session.
Method PreferredSessionMethod(const Kernel& kernel, Method requested, std::int64_t n_timesteps,
                              ElementType dtype) {
  const bool is_divided = !kernel.has_recursion() && n_timesteps <= LongestDividedCall(kernel);
  if (requested != Method::kAuto || !is_divided) {
    return PreferredMethod(kernel, requested, n_timesteps, dtype);
  }
  return kernel.window_length() > kSessionDirectLength ? Method::kFft : Method::kDirect;
}

Method Replaced(const Kernel& kernel, Method requested, Method preferred, ElementType dtype) {
  const bool is_replaced =
      requested == Method::kAuto && preferred == Method::kFft && !HasTransforms(dtype);
  return is_replaced ? WithoutTransforms(kernel) : preferred;
}

}  // namespace

std::int64_t LongestDividedCall(const Kernel& kernel) {
  constexpr std::int64_t kAlways = 256;
  return std::max(kAlways, kernel.window_length());
}

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

BlockPlan ChooseBlocks(const Kernel& kernel, std::int64_t n_timesteps, ElementType dtype) {
  const std::int64_t window_length = kernel.window_length();
  n_timesteps = std::max<std::int64_t>(n_timesteps, 1);
  BlockPlan best{0, 0, 0, 0};
  for (FftLength fft = NextFftLength(0); fft.length <= kMaxFftLength;
       fft = NextFftLength(fft.length)) {
    const std::int64_t kernel_length = std::min(window_length, fft.length / 2 + 1);
    const std::int64_t hop = fft.length - kernel_length + 1;
    // A call that is shorter than the window meets only as many samples of the kernel as it has
    // steps. If the state is inputs, it meets all of them.
    const bool is_enough = kernel_length == window_length || window_length == Kernel::kUnlimited ||
                           (kernel.has_recursion() && n_timesteps <= std::min(hop, kernel_length));
    if (!is_enough) continue;
    const double cost = FftCost(fft, hop, n_timesteps, dtype);
    if (best.fft_length == 0 || cost < best.cost) best = {fft.length, kernel_length, hop, cost};
    // Longer blocks than the run, or than sixteen windows, only cost more.
    if (hop >= n_timesteps || fft.length / 16 > window_length) break;
  }
  return best;
}

Method ChooseMethod(const Kernel& kernel, Method requested, std::int64_t n_timesteps,
                    ElementType dtype) {
  return Replaced(kernel, requested, PreferredMethod(kernel, requested, n_timesteps, dtype), dtype);
}

Method ChooseSessionMethod(const Kernel& kernel, Method requested, std::int64_t n_timesteps,
                           ElementType dtype) {
  return Replaced(kernel, requested, PreferredSessionMethod(kernel, requested, n_timesteps, dtype),
                  dtype);
}

bool LacksFftw(const Kernel& kernel, Method requested, std::int64_t n_timesteps, ElementType dtype,
               bool is_session) {
  const Method preferred = is_session
                               ? PreferredSessionMethod(kernel, requested, n_timesteps, dtype)
                               : PreferredMethod(kernel, requested, n_timesteps, dtype);
  return preferred == Method::kFft && !HasTransforms(dtype);
}

}  // namespace expsyn
