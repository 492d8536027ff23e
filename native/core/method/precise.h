#ifndef EXPSYN_CORE_METHOD_PRECISE_H_
#define EXPSYN_CORE_METHOD_PRECISE_H_

#include <cstdint>

#include "kernel/kernel.h"
#include "tile.h"

namespace expsyn {

// Computes a tile of one synapse by Kernel::MakeRecursion(), for input that may hold non-finite or
// huge values: these are held by the window as IEEE arithmetic has it, and released afterwards. The
// output before `first_written` is left as it is. Slow.
template <typename Real>
void RecursePrecisely(const Kernel& kernel, const Tile<Real>& tile, std::int64_t first_written);

// The counterpart for kernels without a recursion, by direct sums: corrects the output of a method
// at the steps whose window holds non-finite input and at those where a sum has overflowed. The
// output of the other steps is left as it is. Slow.
template <typename Real>
void SumPrecisely(const Kernel& kernel, const Tile<Real>& tile);

}  // namespace expsyn

#endif  // EXPSYN_CORE_METHOD_PRECISE_H_
