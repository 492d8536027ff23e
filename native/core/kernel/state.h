#ifndef EXPSYN_CORE_KERNEL_STATE_H_
#define EXPSYN_CORE_KERNEL_STATE_H_

#include <cmath>
#include <cstdint>

#include "double_double.h"

namespace expsyn {

// The state that N synapses carry from one call to the next, whatever the element type of the call:
// Kernel::state_size() planes of doubles. Element n of plane p is values[p * stride + n].
//
// The state of a kernel with a recursion is the numbers of the recursion, each in two planes:
// number i is the sum of planes 2 i and 2 i + 1. Number 0 is the synaptic current: plane 0 is the
// last step of the output, bit for bit, and plane 1 its correction, which that step lost by
// rounding. Without corrections, the rounding errors of calls of one step could all have the same
// sign and add up to tau / dt times one of them. The correction of a non-finite number is 0.
//
// The state of a kernel without a recursion is its last W - 1 inputs: plane p is the input p steps
// before the last one.
struct State {
  const double* values = nullptr;
  std::int64_t stride = 0;

  State From(std::int64_t synapse) const { return {values + synapse, stride}; }
  const double* Plane(std::int64_t p) const { return values + p * stride; }
  DoubleDouble Number(std::int64_t i, std::int64_t n) const {
    return TwoSum(Plane(2 * i)[n], Plane(2 * i + 1)[n]);
  }
  // Whether all n_numbers numbers of synapse n are finite.
  bool HasFiniteNumbers(std::int64_t n_numbers, std::int64_t n) const {
    for (std::int64_t i = 0; i < n_numbers; ++i) {
      if (!std::isfinite(Plane(2 * i)[n])) return false;
    }
    return true;
  }
};

// Where a call leaves its state.
struct NextState {
  double* values = nullptr;
  std::int64_t stride = 0;

  NextState From(std::int64_t synapse) const { return {values + synapse, stride}; }
  State view() const { return {values, stride}; }
  double* Plane(std::int64_t p) const { return values + p * stride; }
  // Sets number i of synapse n to `sum`; `rounded` is the number as the output has it.
  void SetNumber(std::int64_t i, std::int64_t n, double rounded, DoubleDouble sum) const {
    const double difference = (sum.high - rounded) + sum.low;
    Plane(2 * i)[n] = rounded;
    Plane(2 * i + 1)[n] = difference - difference == 0 ? difference : 0;
  }
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_KERNEL_STATE_H_
