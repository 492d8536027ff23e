#ifndef EXPSYN_CORE_REMEMBERED_NOISE_H_
#define EXPSYN_CORE_REMEMBERED_NOISE_H_

#include "kernel/kernel.h"
#include "tile.h"

namespace expsyn {

// The noise of a kernel with NoiseMemory::kDecay: adds
//
//   sum_{s <= t} noise[s] a^(t - s),   a = Kernel::CurrentDecay(),
//
// to the output after step t of a tile, which was computed without noise, and to its next state.
template <typename Real>
void AddRememberedNoise(const Kernel& kernel, const Tile<Real>& tile);

}  // namespace expsyn

#endif  // EXPSYN_CORE_REMEMBERED_NOISE_H_
