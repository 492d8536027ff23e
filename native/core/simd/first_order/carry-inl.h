#ifndef EXPSYN_CORE_SIMD_FIRST_ORDER_CARRY_INL_H_
#define EXPSYN_CORE_SIMD_FIRST_ORDER_CARRY_INL_H_

#include "double_double.h"
#include "simd/first_order/carry.h"
#include "simd/vectors-inl.h"

namespace expsyn::simd::EXPSYN_SIMD_SET {

// The sum that n neighbouring synapses carry, in two parts.
template <int n>
struct CarriedVectors {
  Vector<double, n> high, low;
};

// A decay as the fraction of a sum that is kept and the fraction that is lost. Each keeps its
// digits, however close to 0 it is.
template <int n>
struct DecayVectors {
  Vector<double, n> kept, lost;
};

// The decay over n_rows steps of n synapses with these offsets (see DecayPowers).
template <int n>
EXPSYN_INLINE DecayVectors<n> DecayOverRows(const double* decay_offset, std::int64_t n_rows) {
  using V = Vector<double, n>;
  V offset;
  Load(decay_offset, offset);
  DecayVectors<n> one{offset < 0.0 ? 1.0 + offset : offset, offset < 0.0 ? -offset : 1.0 - offset};
  if (n_rows == 1) return one;
  DecayVectors<n> total{V{} + 1.0, V{}};
  for (std::int64_t left = n_rows; left > 0; left >>= 1) {
    if ((left & 1) != 0) {
      total.lost += one.lost * total.kept;
      total.kept *= one.kept;
    }
    one.lost *= 1.0 + one.kept;
    one.kept *= one.kept;
  }
  return total;
}

// Computes the next state of n synapses. The exact sum is carried * decay + local + added:
// next_isyn is `isyn`, and next_correction is what that lacks of the exact sum.
template <int n, typename Real>
EXPSYN_INLINE void FinishVector(const CarriedVectors<n>& carried, const DecayVectors<n>& decay,
                                const Vector<Real, n>& isyn, const Vector<Real, n>& local,
                                double* next_isyn, double* next_correction,
                                const Vector<double, n>& added = Vector<double, n>{}) {
  using V = Vector<double, n>;
  // If the sum is smaller than this, the loss of a single step might be less than a normal number.
  constexpr double kTiny = 0x1p-900;
  const V& high = carried.high;
  const V magnitude = high < 0.0 ? -high : high;
  // If the decay is close to 1, the small loss is subtracted, so that both parts of the sum count.
  V near = decay.kept > 0.5 ? V{} + 1.0 : V{};
  near = magnitude > kTiny ? near : V{};
  const V factor = near > 0.5 ? -decay.lost : decay.kept;
  const V base = near * high;
  V change = factor * high + (Converted<n, double, Real>(local) + added);
  if constexpr (sizeof(Real) == sizeof(double)) change += near * carried.low;
  V sum, error;
  TwoSum(base, change, sum, error);
  const V rounded = Converted<n, double, Real>(isyn);
  V difference = sum - rounded;
  // In single precision, the rounding error of a double does not count.
  if constexpr (sizeof(Real) == sizeof(double)) difference += error;
  difference = FlushedVector(difference);
  const V correction = difference - difference == 0.0 ? difference : V{};
  Store(rounded, next_isyn);
  Store(correction, next_correction);
}

template <int n, typename Real>
EXPSYN_INLINE void FinishColumns(const RecursionEnd<Real>& end, std::int64_t column) {
  CarriedVectors<n> carried;
  Vector<Real, n> isyn, local;
  Load(end.carried + column, carried.high);
  Load(end.carried_low + column, carried.low);
  Load(end.isyn + column, isyn);
  Load(end.local + column, local);
  FinishVector<n, Real>(carried, DecayOverRows<n>(end.decay_offset + column, end.n_rows), isyn,
                        local, end.next_isyn + column, end.next_correction + column);
}

template <typename Real>
void FinishRows(const RecursionEnd<Real>& all) {
  constexpr int kN = kFull<double>;
  const RecursionEnd<Real> end = all;
  std::int64_t column = 0;
  for (; column + kN <= end.n_columns; column += kN) FinishColumns<kN>(end, column);
  for (; column < end.n_columns; ++column) FinishColumns<1>(end, column);
}

// The arrays are parameters of their own, so that the compiler knows that they do not overlap.
EXPSYN_INLINE void CarryOverColumns(std::int64_t n_columns, const double* __restrict decay,
                                    const double* __restrict decay_low, double* __restrict carried,
                                    double* __restrict carried_low, double* __restrict isyn,
                                    double* __restrict local, double* __restrict fault) {
  for (std::int64_t c = 0; c < n_columns; ++c) {
    fault[c] += FaultOf(isyn[c], local[c]);
    const DoubleDouble sum =
        DoubleDouble{carried[c], carried_low[c]} * DoubleDouble{decay[c], decay_low[c]} + local[c];
    carried[c] = Flushed(sum.high);
    carried_low[c] = Flushed(sum.low);
    isyn[c] = carried[c];
    local[c] = 0;
  }
}

EXPSYN_INLINE void CarryOverColumns(std::int64_t n_columns, const double* __restrict decay,
                                    const double* /*decay_low*/, double* __restrict carried,
                                    double* /*carried_low*/, float* __restrict isyn,
                                    float* __restrict local, float* __restrict fault) {
  for (std::int64_t c = 0; c < n_columns; ++c) {
    fault[c] += FaultOf(isyn[c], local[c]);
    const double sum = carried[c] * decay[c] + static_cast<double>(local[c]);
    carried[c] = Flushed(sum);
    isyn[c] = Flushed(static_cast<float>(sum));
    local[c] = 0;
  }
}

template <typename Real>
void CarryOver(const RecursionCarry<Real>& carry) {
  CarryOverColumns(carry.n_columns, carry.carry_decay, carry.carry_decay_low, carry.carried,
                   carry.carried_low, carry.isyn, carry.local, carry.fault);
}

template <typename Real>
void CarryOverChunks(const RecursionCarry<Real>& all, std::int64_t n_chunks, Real* states) {
  const RecursionCarry<Real> carry = all;
  for (std::int64_t chunk = 0; chunk < n_chunks; ++chunk) {
    Real* state = states + chunk * carry.n_columns;
    for (std::int64_t c = 0; c < carry.n_columns; ++c) {
      carry.local[c] = state[c];
      state[c] = carry.isyn[c];
    }
    CarryOverColumns(carry.n_columns, carry.carry_decay, carry.carry_decay_low, carry.carried,
                     carry.carried_low, carry.isyn, carry.local, carry.fault);
  }
}

template <typename Real>
constexpr CarryOps<Real> kCarryOps{CarryOver<Real>, CarryOverChunks<Real>, FinishRows<Real>};

}  // namespace expsyn::simd::EXPSYN_SIMD_SET

#endif  // EXPSYN_CORE_SIMD_FIRST_ORDER_CARRY_INL_H_
