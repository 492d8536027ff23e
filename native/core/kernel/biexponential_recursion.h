#ifndef EXPSYN_CORE_KERNEL_BIEXPONENTIAL_RECURSION_H_
#define EXPSYN_CORE_KERNEL_BIEXPONENTIAL_RECURSION_H_

#include "kernel/biexponential.h"
#include "tile.h"

namespace expsyn {

// Kernel::Recurse() of the double-exponential kernel. The recursion runs in plain arithmetic of
// type Real, in vectors across synapses, and is carried over intervals as that of the exponential
// kernel is. Tiles with a cut window are computed synapse by synapse in more than double precision.
template <typename Real>
void RecurseVectors(const BiexponentialKernel& kernel, const Tile<Real>& tile);

// Kernel::RecurseFewSteps().
template <typename Real>
bool RecurseFewVectors(const BiexponentialKernel& kernel, const Tile<Real>& item);

}  // namespace expsyn

#endif  // EXPSYN_CORE_KERNEL_BIEXPONENTIAL_RECURSION_H_
