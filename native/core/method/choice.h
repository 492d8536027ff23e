#ifndef EXPSYN_CORE_METHOD_CHOICE_H_
#define EXPSYN_CORE_METHOD_CHOICE_H_

#include <cstdint>

namespace expsyn {

class Kernel;

enum class Method {
  kAuto,       // the fastest that the kernel has
  kFft,        // by transforms: every kernel has it
  kRecursive,  // kernels with a recursion
  kDirect,     // kernels without one, sample by sample
};

// The name that users know, such as 'fft'.
const char* NameOf(Method method);

// Whether the kernel can be computed by this method.
bool HasMethod(const Kernel& kernel, Method method);

// How a channel of n_timesteps is cut for the transforms.
struct BlockPlan {
  std::int64_t fft_length;     // transform length L
  std::int64_t kernel_length;  // samples of the kernel in one transform, K
  std::int64_t hop;            // new samples in one block, H = L - K + 1
  double cost;                 // nanoseconds a sample
};

// The block plan of least cost. Blocks of a kernel that is not cut hand their state on, so any K
// does. Returns fft_length 0 when no transform is long enough.
BlockPlan ChooseBlocks(const Kernel& kernel, std::int64_t n_timesteps);

// The fastest method for calls of n_timesteps. No result tells which it was, beyond rounding.
Method ChooseMethod(const Kernel& kernel, std::int64_t n_timesteps);

}  // namespace expsyn

#endif  // EXPSYN_CORE_METHOD_CHOICE_H_
