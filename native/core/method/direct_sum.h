#ifndef EXPSYN_CORE_METHOD_DIRECT_SUM_H_
#define EXPSYN_CORE_METHOD_DIRECT_SUM_H_

#include <cstdint>

#include "kernel/kernel.h"
#include "tile.h"

namespace expsyn {

// Computes a tile of a kernel without a recursion as the definition has it,
//
//   output[t] = sum_{k < W} w_n[k] input[t - k],
//
// in double precision, where the inputs before step 0 are the state. A synapse with a sum that is
// not finite gets Finding::kRecompute.
template <typename Real>
void DirectSum(const Kernel& kernel, const Tile<Real>& tile);

// The inputs that the first synapse of a state carries, the oldest first: target[i] is that of
// `size` - i steps before the call.
template <typename Real>
void ReadCarriedInputs(State state, std::int64_t size, Real* target) {
  for (std::int64_t i = 0; i < size; ++i) {
    target[i] = static_cast<Real>(state.Plane(size - 1 - i)[0]);
  }
}

}  // namespace expsyn

#endif  // EXPSYN_CORE_METHOD_DIRECT_SUM_H_
