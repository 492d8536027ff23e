#ifndef EXPSYN_CORE_METHOD_OVERLAP_SAVE_H_
#define EXPSYN_CORE_METHOD_OVERLAP_SAVE_H_

#include <cstdint>

#include "kernel/kernel.h"
#include "tile.h"

namespace expsyn {

// The most synapses of a Tile for OverlapSave().
inline constexpr std::int64_t kFftWidth = 64;

// Computes, for every synapse n of the tile,
//
//   output[t] = sum_{k < W} w_n[k] input[t - k]  +  what is left of the state
//
// by overlap-save with real transforms, synapse by synapse in groups that fit the cache. Inputs
// that the state carries are part of the sum; numbers of a recursion are rolled over without a
// transform. An output whose window holds no input is exactly what is left of the state, or 0.
// Rounding errors are relative to the largest output of the block. An input that grows by more than
// a small factor is transformed separately, and adds nothing to what came before. A non-finite
// value counts as 0 in the transforms; a kernel with a recursion then shows it for as long as the
// window holds it, and any other is to be recomputed. Scratch memory does not depend on the number
// of steps beyond one window. Throws std::bad_alloc, and std::length_error when the window is too
// long for a transform.
template <typename Real>
void OverlapSave(const Kernel& kernel, const Tile<Real>& tile);

}  // namespace expsyn

#endif  // EXPSYN_CORE_METHOD_OVERLAP_SAVE_H_
