#ifndef EXPSYN_CORE_KERNEL_EXPONENTIAL_RECURSION_H_
#define EXPSYN_CORE_KERNEL_EXPONENTIAL_RECURSION_H_

#include <cstdint>

#include "kernel/exponential.h"
#include "tile.h"

namespace expsyn {

// Below this number of synapses, vectors run across chunks of time instead of synapses.
inline constexpr std::int64_t kFewSynapses = 8;

// Evaluates, for every synapse n of the tile,
//
//   isyn <- (isyn + x[t] - a^W x[t - W]) a,   a = exp(-dt / tau_n),
//
// which is sum_{k < W} a^(k + 1) x[t - k]: a sample enters with weight a, and leaves when its
// weight would be a^(W + 1). The state before the call enters like an input of the first step.
// This is a truncated IIR filter (Wang and Smith, 1997).
//
// The recursion runs in plain arithmetic of type Real. Its rounding errors must not grow with tau,
// so the same sum is also run from 0 over every simd::kRestartInterval<Real> steps, and carried
// from one such run to the next in arithmetic of twice the precision, from which isyn restarts. The
// result depends neither on the tile nor on the processor. A synapse whose sums are not finite, or
// whose decay is no normal number, is to be recomputed.
template <typename Real>
void RecurseVectors(const ExponentialKernel& kernel, const Tile<Real>& tile);

// The same for an item that ends before a sum has to be carried over, or anything leaves the
// window; see Kernel::RecurseFewSteps().
template <typename Real>
bool RecurseFewVectors(const ExponentialKernel& kernel, const Tile<Real>& item);

}  // namespace expsyn

#endif  // EXPSYN_CORE_KERNEL_EXPONENTIAL_RECURSION_H_
