#ifndef EXPSYN_CORE_METHOD_PRECISE_H_
#define EXPSYN_CORE_METHOD_PRECISE_H_

#include <cstdint>

#include "kernel/kernel.h"
#include "tile.h"

namespace expsyn {

// Computes a tile of one synapse by Kernel::MakeRecursion(). While the window holds a non-finite or
// huge input, the output follows IEEE arithmetic; afterwards it is finite again. The output before
// step `first_written` is left as it is. Slow.
template <typename Real>
void RecursePrecisely(const Kernel& kernel, const Tile<Real>& tile, std::int64_t first_written);

// The counterpart for kernels without a recursion: computes by direct sums those steps of a tile of
// one synapse whose window holds a non-finite input or whose output is not finite. The output of
// the other steps is left as it is. Slow.
template <typename Real>
void SumPrecisely(const Kernel& kernel, const Tile<Real>& tile);

}  // namespace expsyn

#endif  // EXPSYN_CORE_METHOD_PRECISE_H_
