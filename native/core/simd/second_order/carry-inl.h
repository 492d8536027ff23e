#ifndef EXPSYN_CORE_SIMD_SECOND_ORDER_CARRY_INL_H_
#define EXPSYN_CORE_SIMD_SECOND_ORDER_CARRY_INL_H_

#include "double_double.h"
#include "simd/elements-inl.h"
#include "simd/first_order/carry-inl.h"
#include "simd/recursion_rows-inl.h"
#include "simd/second_order/carry.h"
#include "simd/vectors-inl.h"

namespace expsyn::simd::EXPSYN_SIMD_SET {

// The arrays are parameters of their own, so that the compiler knows that they do not overlap.
EXPSYN_INLINE void CarrySums(std::int64_t n_columns, const double* __restrict decay,
                             const double* __restrict decay_low, const double* __restrict transfer,
                             const double* __restrict transfer_low, double* __restrict isyn,
                             double* __restrict isyn_low, const double* __restrict rising,
                             const double* __restrict rising_low, double* __restrict local) {
  for (std::int64_t c = 0; c < n_columns; ++c) {
    const DoubleDouble kept =
        DoubleDouble{isyn[c], isyn_low[c]} * DoubleDouble{decay[c], decay_low[c]};
    const DoubleDouble risen =
        DoubleDouble{rising[c], rising_low[c]} * DoubleDouble{transfer[c], transfer_low[c]};
    const DoubleDouble sum = kept + risen + local[c];
    isyn[c] = Flushed(sum.high);
    isyn_low[c] = Flushed(sum.low);
    local[c] = 0;
  }
}

EXPSYN_INLINE void CarryRising(std::int64_t n_columns, const double* __restrict decay,
                               const double* __restrict decay_low, double* __restrict rising,
                               double* __restrict rising_low, double* __restrict local) {
  for (std::int64_t c = 0; c < n_columns; ++c) {
    const DoubleDouble sum =
        DoubleDouble{rising[c], rising_low[c]} * DoubleDouble{decay[c], decay_low[c]} + local[c];
    rising[c] = Flushed(sum.high);
    rising_low[c] = Flushed(sum.low);
    local[c] = 0;
  }
}

EXPSYN_INLINE void CarryColumns(const SecondOrderCarry<double>& carry) {
  const SecondOrderPowers& powers = carry.powers;
  const SecondOrderSums& carried = carry.carried;
  CarrySums(carry.n_columns, powers.decay, powers.decay_low, powers.transfer, powers.transfer_low,
            carried.isyn, carried.isyn_low, carried.rising, carried.rising_low, carry.local);
  CarryRising(carry.n_columns, powers.rise_decay, powers.rise_decay_low, carried.rising,
              carried.rising_low, carry.rising_local);
}

EXPSYN_INLINE void CarryColumns(const SecondOrderCarry<float>& carry) {
  const SecondOrderPowers& powers = carry.powers;
  double* __restrict isyn = carry.carried.isyn;
  double* __restrict rising = carry.carried.rising;
  float* __restrict local = carry.local;
  float* __restrict rising_local = carry.rising_local;
  for (std::int64_t c = 0; c < carry.n_columns; ++c) {
    isyn[c] = Flushed(isyn[c] * powers.decay[c] + rising[c] * powers.transfer[c] +
                      static_cast<double>(local[c]));
    rising[c] = Flushed(rising[c] * powers.rise_decay[c] + static_cast<double>(rising_local[c]));
    local[c] = 0;
    rising_local[c] = 0;
  }
}

template <typename Real>
void CarrySecondOrder(const SecondOrderCarry<Real>& all) {
  const SecondOrderCarry<Real> carry = all;
  for (std::int64_t c = 0; c < carry.n_columns; ++c) {
    carry.fault[c] +=
        FaultOf(carry.isyn[c], carry.local[c]) + FaultOf(carry.rising[c], carry.rising_local[c]);
  }
  CarryColumns(carry);
  for (std::int64_t c = 0; c < carry.n_columns; ++c) {
    carry.isyn[c] = Flushed(static_cast<Real>(carry.carried.isyn[c]));
    carry.rising[c] = Flushed(static_cast<Real>(carry.carried.rising[c]));
  }
}

// What n_rows steps add to isyn from a `rising` of 1:
//
//   entry (decay^n_rows - rise_decay^n_rows) / (decay - rise_decay),
//
// by doubling, in which nothing cancels.
template <int n>
EXPSYN_INLINE Vector<double, n> TransferOverRows(const SecondOrderFactors& factors,
                                                 std::int64_t column, std::int64_t n_rows) {
  using V = Vector<double, n>;
  V entry, offset, rise_offset;
  Load(factors.entry + column, entry);
  if (n_rows == 1) return entry;
  Load(factors.decay_offset + column, offset);
  Load(factors.rise_decay_offset + column, rise_offset);
  V decay = offset < 0.0 ? 1.0 + offset : offset;
  V rise_decay = rise_offset < 0.0 ? 1.0 + rise_offset : rise_offset;
  V sum = V{} + 1.0;
  V total{}, total_decay = V{} + 1.0;
  for (std::int64_t left = n_rows; left > 0; left >>= 1) {
    if ((left & 1) != 0) {
      total = total * rise_decay + total_decay * sum;
      total_decay *= decay;
    }
    sum *= decay + rise_decay;
    decay *= decay;
    rise_decay *= rise_decay;
  }
  return entry * total;
}

// The numbers of n synapses: isyn and rising.
template <int n>
struct CarriedNumbers {
  CarriedVectors<n> isyn, rising;
};

template <int n, typename Real>
EXPSYN_INLINE void FinishNumbers(const CarriedNumbers<n>& carried,
                                 const SecondOrderFactors& factors, std::int64_t column,
                                 std::int64_t n_rows, const Vector<Real, n>& isyn,
                                 const Vector<Real, n>& local, const Vector<Real, n>& rising,
                                 const Vector<Real, n>& rising_local, double* next_isyn,
                                 double* next_isyn_low, double* next_rising,
                                 double* next_rising_low) {
  const Vector<double, n> risen =
      TransferOverRows<n>(factors, column, n_rows) * (carried.rising.high + carried.rising.low);
  FinishVector<n, Real>(carried.isyn, DecayOverRows<n>(factors.decay_offset + column, n_rows), isyn,
                        local, next_isyn, next_isyn_low, risen);
  FinishVector<n, Real>(carried.rising,
                        DecayOverRows<n>(factors.rise_decay_offset + column, n_rows), rising,
                        rising_local, next_rising, next_rising_low);
}

template <int n, typename Real>
EXPSYN_INLINE void FinishSecondOrderColumns(const SecondOrderEnd<Real>& end, std::int64_t column) {
  CarriedNumbers<n> carried;
  Vector<Real, n> isyn, rising, local, rising_local;
  Load(end.carried.isyn + column, carried.isyn.high);
  Load(end.carried.isyn_low + column, carried.isyn.low);
  Load(end.carried.rising + column, carried.rising.high);
  Load(end.carried.rising_low + column, carried.rising.low);
  Load(end.isyn + column, isyn);
  Load(end.rising + column, rising);
  Load(end.local + column, local);
  Load(end.rising_local + column, rising_local);
  FinishNumbers<n, Real>(carried, end.factors, column, end.n_rows, isyn, local, rising,
                         rising_local, end.next.isyn + column, end.next.isyn_low + column,
                         end.next.rising + column, end.next.rising_low + column);
}

template <typename Real>
void FinishSecondOrder(const SecondOrderEnd<Real>& all) {
  constexpr int kN = kFull<double>;
  const SecondOrderEnd<Real> end = all;
  std::int64_t column = 0;
  for (; column + kN <= end.n_columns; column += kN) FinishSecondOrderColumns<kN>(end, column);
  for (; column < end.n_columns; ++column) FinishSecondOrderColumns<1>(end, column);
}

// Advances n neighbouring synapses by all rows of a short call, whose input for them is `inputs`,
// `stride` elements a row. Returns 0 for each synapse whose sums are finite, otherwise NaN.
template <int n, typename Real>
EXPSYN_INLINE Vector<Real, n> AdvanceShortNumbers(const SecondOrderShortCall<Real>& call,
                                                  std::int64_t column, const Real* inputs,
                                                  std::int64_t stride, double* const next[4]) {
  CarriedNumbers<n> carried;
  Vector<double, n> high, low;
  Load(call.state[0] + column, high);
  Load(call.state[1] + column, low);
  TwoSum(high, low, carried.isyn.high, carried.isyn.low);
  Load(call.state[2] + column, high);
  Load(call.state[3] + column, low);
  TwoSum(high, low, carried.rising.high, carried.rising.low);
  StateVectors<RowKind::kSecondOrder, n, Real> state;
  Load(call.decay + column, state.decay);
  Load(call.rise_decay + column, state.rise_decay);
  Load(call.entry + column, state.entry);
  state.isyn = FlushedVector(Converted<n, Real, double>(carried.isyn.high));
  state.rising = FlushedVector(Converted<n, Real, double>(carried.rising.high));
  state.local = state.rising_local = Vector<Real, n>{};
  for (std::int64_t row = 0; row < call.n_rows; ++row) {
    AdvanceRow<RowKind::kSecondOrder>(inputs + row * stride, static_cast<const Real*>(nullptr),
                                      call.output + row * call.output_stride + column,
                                      StoreMode::kPlain, state);
  }
  FinishNumbers<n, Real>(carried, call.factors, column, call.n_rows, state.isyn, state.local,
                         state.rising, state.rising_local, next[0] + column, next[1] + column,
                         next[2] + column, next[3] + column);
  return FaultOf(state.isyn, state.local) + FaultOf(state.rising, state.rising_local);
}

template <typename Real>
bool AdvanceSecondOrder(const SecondOrderShortCall<Real>& given) {
  // As many synapses as a vector of doubles holds: the state is in double precision.
  constexpr int kN = kFull<double>;
  const SecondOrderShortCall<Real> call = given;
  // The next state may replace the previous one, which must stay if a sum is not finite.
  alignas(64) double numbers[4][kMaxColumns];
  double* const next[4] = {numbers[0], numbers[1], numbers[2], numbers[3]};
  alignas(64) Real staged[kCarryInterval<Real> * kN];
  const bool is_in_place = IsReadInPlace(call, reinterpret_cast<std::uintptr_t>(call.input));
  Real fault = 0;
  for (std::int64_t column = 0; column < call.n_columns; column += kN) {
    const std::int64_t left = call.n_columns - column;
    const std::int64_t width = left < kN ? left : kN;
    const Real* inputs = static_cast<const Real*>(call.input) + column;
    std::int64_t stride = call.input_stride;
    if (!is_in_place) {
      for (std::int64_t row = 0; row < call.n_rows; ++row) {
        Real* target = staged + row * kN;
        ConvertElements(call.type, call.input,
                        row * call.input_stride + (call.is_repeated ? 0 : column),
                        call.is_repeated ? 1 : width, target);
        for (std::int64_t c = 1; c < width && call.is_repeated; ++c) target[c] = target[0];
      }
      inputs = staged;
      stride = kN;
    }
    if (width == kN) {
      const Vector<Real, kN> faults = AdvanceShortNumbers<kN>(call, column, inputs, stride, next);
      for (int i = 0; i < kN; ++i) fault += kN == 1 ? Real{0} : faults[i];
    } else {
      for (std::int64_t c = 0; c < width; ++c) {
        fault += AdvanceShortNumbers<1>(call, column + c, inputs + c, stride, next);
      }
    }
  }
  if (fault != 0) return false;
  for (int number = 0; number < 4; ++number) {
    for (std::int64_t c = 0; c < call.n_columns; ++c) call.next[number][c] = numbers[number][c];
  }
  return true;
}

template <typename Real>
constexpr SecondOrderOps<Real> kSecondOrderOps{CarrySecondOrder<Real>, FinishSecondOrder<Real>,
                                               AdvanceSecondOrder<Real>};

}  // namespace expsyn::simd::EXPSYN_SIMD_SET

#endif  // EXPSYN_CORE_SIMD_SECOND_ORDER_CARRY_INL_H_
