#ifndef EXPSYN_CORE_KERNEL_STATE_H_
#define EXPSYN_CORE_KERNEL_STATE_H_

#include <cstdint>

#include "double_double.h"

namespace expsyn {

// The state that synapses carry from one call to the next, whatever the element type of the call:
// the synaptic current of synapse n is isyn[n] + correction[n].
//
// isyn is the last step of the output, to the bit; correction is what the rounding of that step
// left out. A single double would not do: over calls of one step, roundings that lean to one side
// add up to tau / dt times the error of one of them. The correction of a current that is not
// finite is 0.
struct State {
  const double* isyn = nullptr;
  const double* correction = nullptr;

  State From(std::int64_t synapse) const { return {isyn + synapse, correction + synapse}; }
  DoubleDouble operator[](std::int64_t n) const { return TwoSum(isyn[n], correction[n]); }
};

// Where a call leaves its state.
struct NextState {
  double* isyn = nullptr;
  double* correction = nullptr;

  NextState From(std::int64_t synapse) const { return {isyn + synapse, correction + synapse}; }
  // Sets synapse n to the current `sum`, which the output shows as `shown`.
  void Set(std::int64_t n, double shown, DoubleDouble sum) const {
    const double difference = (sum.high - shown) + sum.low;
    isyn[n] = shown;
    correction[n] = difference - difference == 0 ? difference : 0;
  }
};

// What a method found in a synapse.
enum class Finding : std::uint8_t {
  kFinite,
  kNonFinite,  // a NaN or infinity came in; what it gave is complete
  kRecompute,  // what it gave from the first value on that is not finite is void
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_KERNEL_STATE_H_
