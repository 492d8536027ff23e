#ifndef EXPSYN_CORE_METHOD_OVERLAP_SAVE_H_
#define EXPSYN_CORE_METHOD_OVERLAP_SAVE_H_

#include <cstdint>

#include "kernel/kernel.h"
#include "tile.h"

namespace expsyn {

// The maximum number of synapses of a Tile for OverlapSave().
inline constexpr std::int64_t kFftWidth = 64;

// Computes, for every synapse n of the tile,
//
//   output[t] = sum_{k < W} w_n[k] input[t - k]  +  what is left of the state
//
// by overlap-save with real transforms. Inputs that the state carries are part of the sum; numbers
// of a recursion are rolled over without a transform. An output whose window holds no input is
// exactly what is left of the state, or 0.
//
// Rounding errors are relative to the largest output of the block. An input that grows by more than
// a small factor is transformed separately, so that it changes nothing before itself. A non-finite
// input counts as 0 in the transforms. If the kernel has a recursion, the output is then set to NaN
// or infinity for as long as the window holds that input; otherwise the synapse gets
// Finding::kRecompute.
//
// Scratch memory does not grow with the number of steps. Throws std::bad_alloc, and
// std::length_error if the window is too long for a transform.
template <typename Real>
void OverlapSave(const Kernel& kernel, const Tile<Real>& tile);

}  // namespace expsyn

#endif  // EXPSYN_CORE_METHOD_OVERLAP_SAVE_H_
