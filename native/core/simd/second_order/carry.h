#ifndef EXPSYN_CORE_SIMD_SECOND_ORDER_CARRY_H_
#define EXPSYN_CORE_SIMD_SECOND_ORDER_CARRY_H_

#include <cstdint>

#include "raster.h"
#include "simd/first_order/carry.h"

namespace expsyn::simd {

// The second-order recursion
//
//   rising = rising + input;  isyn = isyn decay + rising entry;  rising = rising rise_decay
//
// is carried over intervals as the first-order one is: see kCarryInterval. Arrays have one value a
// synapse. A number in two parts is the sum of `number` and `number_low`.
struct SecondOrderSums {
  double* isyn;
  double* isyn_low;
  double* rising;
  double* rising_low;
};

// The recursion over kCarryInterval<Real> steps without input:
//
//   isyn = isyn decay + rising transfer;  rising = rising rise_decay
//
// in twice the precision of Real: for float one double each, for double in two parts.
struct SecondOrderPowers {
  const double* decay;
  const double* decay_low;
  const double* rise_decay;
  const double* rise_decay_low;
  const double* transfer;
  const double* transfer_low;
};

// The sums after kCarryInterval<Real> rows.
template <typename Real>
struct SecondOrderCarry {
  std::int64_t n_columns;
  SecondOrderPowers powers;
  SecondOrderSums carried;  // for float, the low parts are not used
  Real* isyn;
  Real* rising;
  Real* local;         // isyn in response to the inputs since then alone
  Real* rising_local;  // and rising
  Real* fault;         // becomes NaN where a sum is not finite
};

// The factors of a few steps.
struct SecondOrderFactors {
  const double* decay_offset;  // see DecayPowers
  const double* rise_decay_offset;
  const double* entry;
};

// The sums at the end of a run.
template <typename Real>
struct SecondOrderEnd {
  std::int64_t n_columns;
  std::int64_t n_rows;  // since the sums were carried, at most kCarryInterval<Real>
  SecondOrderFactors factors;
  SecondOrderSums carried;
  const Real* isyn;
  const Real* rising;
  const Real* local;
  const Real* rising_local;
  SecondOrderSums next;  // each number as Real has it, and its correction
};

// A whole call of fewer rows than kCarryInterval<Real>. Other members as in RecursionRows.
template <typename Real>
struct SecondOrderShortCall {
  std::int64_t n_rows;
  std::int64_t n_columns;  // at most kMaxColumns
  ElementType type;
  const void* input;
  bool is_repeated;
  std::int64_t input_stride;
  Real* output;
  std::int64_t output_stride;
  const Real* decay;
  const Real* rise_decay;
  const Real* entry;
  SecondOrderFactors factors;
  const double* state[4];  // isyn, its correction, rising, its correction
  double* next[4];         // may be the state
};

template <typename Real>
struct SecondOrderOps {
  // The carried sums after the interval; isyn and rising restart from there, the others from 0.
  void (*carry_second_order)(const SecondOrderCarry<Real>& carry);
  void (*finish_second_order)(const SecondOrderEnd<Real>& end);
  // Returns whether all sums are finite; if not, the state is as it was.
  bool (*advance_second_order)(const SecondOrderShortCall<Real>& call);
};

}  // namespace expsyn::simd

#endif  // EXPSYN_CORE_SIMD_SECOND_ORDER_CARRY_H_
