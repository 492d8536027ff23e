#ifndef EXPSYN_CORE_SIMD_FIRST_ORDER_CARRY_H_
#define EXPSYN_CORE_SIMD_FIRST_ORDER_CARRY_H_

#include <cstdint>

namespace expsyn::simd {

// The recursion runs in plain arithmetic for this many steps; then its sum is carried on in twice
// the precision, and the recursion restarts from there. The rounding error of a run of any length
// is then at most about this many ulps of the response to the absolute values of the input.
template <typename Real>
inline constexpr std::int64_t kCarryInterval = sizeof(Real) == sizeof(float) ? 16 : 64;

// The sums after kCarryInterval<Real> rows, one value a synapse.
template <typename Real>
struct RecursionCarry {
  std::int64_t n_columns;
  // The decay over kCarryInterval<Real> steps, and the sum that was carried last, in twice the
  // precision of Real: for float one double each, for double a high and a low part.
  const double* carry_decay;
  const double* carry_decay_low;
  double* carried;
  double* carried_low;
  Real* isyn;
  Real* local;  // the response to the inputs since then alone (zero-state response)
  Real* fault;  // becomes NaN where a sum is not finite
};

// The sums at the end of a run, or where it is interrupted: one value a synapse.
template <typename Real>
struct RecursionEnd {
  std::int64_t n_columns;
  std::int64_t n_rows;         // since the sum was carried, at most kCarryInterval<Real>
  const double* decay_offset;  // see DecayPowers
  const double* carried;       // the sum that was carried last, in two parts
  const double* carried_low;
  const Real* isyn;
  const Real* local;
  double* next_isyn;
  double* next_correction;
};

template <typename Real>
struct CarryOps {
  // carried = carried * carry_decay + local; then isyn = carried, and local = 0.
  void (*carry_over)(const RecursionCarry<Real>& carry);
  // The same for one chunk after the other: states[chunk * n_columns + c] is the chunk's local sum,
  // and becomes isyn before the chunk.
  void (*carry_over_chunks)(const RecursionCarry<Real>& carry, std::int64_t n_chunks, Real* states);
  // next_isyn + next_correction = carried * decay^n_rows + local, with next_isyn = isyn. The error
  // is one rounding of `local` and of the part of the sum that decays over n_rows steps, so it does
  // not grow with the number of runs.
  void (*finish_rows)(const RecursionEnd<Real>& end);
};

}  // namespace expsyn::simd

#endif  // EXPSYN_CORE_SIMD_FIRST_ORDER_CARRY_H_
