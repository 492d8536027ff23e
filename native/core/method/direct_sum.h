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
// where the inputs before step 0 are the state. Each sum is the same, to the bit, whatever the
// instruction set and the tile. A synapse with a sum that is not finite gets Finding::kRecompute.
// Scratch memory is that of a few hundred steps and one window of a few synapses.
template <typename Real>
void DirectSum(const Kernel& kernel, const Tile<Real>& tile);

// The inputs that the first n_synapses of a state carry, the oldest first:
// target[i * stride + c] is that of synapse c, `size` - i steps before the call.
template <typename Real>
void ReadCarriedInputs(State state, std::int64_t size, std::int64_t n_synapses, Real* target,
                       std::int64_t stride) {
  for (std::int64_t i = 0; i < size; ++i) {
    const double* inputs = state.Plane(size - 1 - i);
    for (std::int64_t c = 0; c < n_synapses; ++c) {
      target[i * stride + c] = static_cast<Real>(inputs[c]);
    }
  }
}

// Those of one synapse, side by side.
template <typename Real>
void ReadCarriedInputs(State state, std::int64_t size, Real* target) {
  ReadCarriedInputs(state, size, 1, target, 1);
}

}  // namespace expsyn

#endif  // EXPSYN_CORE_METHOD_DIRECT_SUM_H_
