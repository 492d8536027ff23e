#ifndef EXPSYN_CORE_METHOD_CHOICE_H_
#define EXPSYN_CORE_METHOD_CHOICE_H_

#include <cstdint>

#include "raster.h"

namespace expsyn {

class Kernel;

enum class Method {
  kAuto,       // the fastest of those that the kernel has
  kFft,        // by transforms; every kernel has it
  kRecursive,  // by the recursion of the kernel
  kDirect,     // by direct sums; only kernels without a recursion have it
};

inline constexpr Method kMethods[] = {Method::kAuto, Method::kFft, Method::kRecursive,
                                      Method::kDirect};

// The name that users know, such as 'fft'.
const char* NameOf(Method method);

// Whether the kernel can be computed by this method.
bool HasMethod(const Kernel& kernel, Method method);

// How the steps of a call are cut into blocks for the transforms.
struct BlockPlan {
  std::int64_t fft_length;     // transform length L
  std::int64_t kernel_length;  // samples of the kernel in one transform, K
  std::int64_t hop;            // new samples in one block, H = L - K + 1
  double cost;                 // nanoseconds a sample
};

// The block plan of least cost. For a kernel that is not cut, K may be any length, because a block
// continues from the numbers of the recursion after the one before it. fft_length is 0 if no
// transform is long enough.
BlockPlan ChooseBlocks(const Kernel& kernel, std::int64_t n_timesteps, ElementType dtype);

// The method for calls of n_timesteps: `requested`, or for kAuto the one that is expected to be the
// fastest of those that can be used. Results of the methods differ in rounding only. For kAuto,
// FFTW is loaded only if transforms are expected to be the fastest. Throws std::bad_alloc.
Method ChooseMethod(const Kernel& kernel, Method requested, std::int64_t n_timesteps,
                    ElementType dtype);

// The longest call of a session that is computed by partitioned convolution, for a kernel without a
// recursion. Longer ones are computed as whole runs are.
std::int64_t LongestDividedCall(const Kernel& kernel);

// The same for calls of sessions, which keep what partitioned convolution needs.
Method ChooseSessionMethod(const Kernel& kernel, Method requested, std::int64_t n_timesteps,
                           ElementType dtype);

// Whether such calls would be computed by transforms if FFTW were there. They are computed by the
// other method of the kernel instead, or, if transforms were requested, not at all.
bool LacksFftw(const Kernel& kernel, Method requested, std::int64_t n_timesteps, ElementType dtype,
               bool is_session = false);

}  // namespace expsyn

#endif  // EXPSYN_CORE_METHOD_CHOICE_H_
