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
// which is sum_{k < W} a^(k + 1) x[t - k]: an input enters with weight a, and its tail is cancelled
// when its weight would be a^(W + 1). The state before the call enters like an input of the first
// step. This is a truncated IIR filter (Wang and Smith, 1997).
//
// The recursion runs in plain arithmetic of type Real, but its rounding errors must not grow with
// tau. So the response to the inputs alone is computed too, from 0 over each interval of
// simd::kCarryInterval<Real> steps. At the end of an interval, isyn restarts from
//
//   carried <- carried a^interval + response,
//
// which is computed in twice the precision of Real. The result depends neither on the tile nor on
// the processor. A synapse gets Finding::kRecompute if a sum is not finite or its decay is not a
// normal number.
template <typename Real>
void RecurseVectors(const ExponentialKernel& kernel, const Tile<Real>& tile);

// The same for an item that ends within one interval and one window, so that nothing is carried and
// no tail is cancelled; see Kernel::RecurseFewSteps().
template <typename Real>
bool RecurseFewVectors(const ExponentialKernel& kernel, const Tile<Real>& item);

}  // namespace expsyn

#endif  // EXPSYN_CORE_KERNEL_EXPONENTIAL_RECURSION_H_
