#ifndef EXPSYN_CORE_METHOD_COST_MODEL_H_
#define EXPSYN_CORE_METHOD_COST_MODEL_H_

#include <cstdint>

namespace expsyn {

enum class Method { kFft, kRecursive };

// How a channel of n_timesteps is cut for the transforms.
struct BlockPlan {
  std::int64_t fft_length;     // transform length L
  std::int64_t kernel_length;  // samples of the kernel in one transform, K
  std::int64_t hop;            // new samples in one block, H = L - K + 1
  double cost;                 // nanoseconds a sample
};

// The block plan of least cost for a window of `window_length` steps (Window::kUnlimited for one
// that is not cut; blocks then hand their state on, so any length of kernel does).
// Returns fft_length 0 when no transform is long enough.
BlockPlan ChooseBlocks(std::int64_t n_timesteps, std::int64_t window_length);

// Nanoseconds a sample of the recursion.
double RecursionCost(std::int64_t n_timesteps, std::int64_t n_synapses, std::int64_t window_length);

// The cheaper method for one call.
Method ChooseMethod(std::int64_t n_timesteps, std::int64_t n_synapses, std::int64_t window_length);

}  // namespace expsyn

#endif  // EXPSYN_CORE_METHOD_COST_MODEL_H_
