#ifndef EXPSYN_CORE_SIMD_FIRST_ORDER_SHORT_CALLS_INL_H_
#define EXPSYN_CORE_SIMD_FIRST_ORDER_SHORT_CALLS_INL_H_

#include "simd/elements-inl.h"
#include "simd/first_order/carry-inl.h"
#include "simd/first_order/short_calls.h"
#include "simd/recursion_rows-inl.h"
#include "simd/vectors-inl.h"

namespace expsyn::simd::EXPSYN_SIMD_SET {

// How the input of a short call is read: in place, as bytes in place, or converted.
enum class ShortInput { kInPlace, kBytes, kConverted };

// The input of n neighbouring synapses in one row.
template <int n, ShortInput kInput, typename Real>
EXPSYN_INLINE void LoadInput(const ShortCall<Real>& call, std::int64_t row, std::int64_t column,
                             Vector<Real, n>& input) {
  const std::int64_t first = row * call.input_stride + (call.is_repeated ? 0 : column);
  if constexpr (kInput == ShortInput::kInPlace) {
    LoadAs<n, Real>(static_cast<const Real*>(call.input) + first, input);
  } else if constexpr (kInput == ShortInput::kBytes) {
    LoadAs<n, Real>(static_cast<const std::uint8_t*>(call.input) + first, input);
  } else {
    Real elements[n] = {};
    std::int64_t count = n;
    if (call.is_repeated) count = 1;
    ConvertElements(call.type, call.input, first, count, elements);
    for (int i = 1; i < n && call.is_repeated; ++i) elements[i] = elements[0];
    Load(elements, input);
    if (call.gain != nullptr) {
      Vector<Real, n> gain;
      Load(call.gain + column, gain);
      input = FlushedVector(input * gain);
    }
  }
}

// Advances n neighbouring synapses by all rows. Returns 0 for each synapse whose sums are finite,
// otherwise NaN. The state, in double precision, is read and written kM synapses at a time.
template <int n, ShortInput kInput, typename Real>
EXPSYN_INLINE Vector<Real, n> AdvanceShortColumns(const ShortCall<Real>& call, std::int64_t column,
                                                  double* next_isyn, double* next_correction) {
  constexpr int kM = n < kFull<double> ? n : kFull<double>;
  alignas(64) Real isyns[n];
  alignas(64) Real locals[n];
  CarriedVectors<kM> carried[n / kM];
  for (int part = 0; part < n / kM; ++part) {
    Vector<double, kM> current, correction;
    Load(call.isyn + column + part * kM, current);
    Load(call.correction + column + part * kM, correction);
    TwoSum(current, correction, carried[part].high, carried[part].low);
    Store(FlushedVector(Converted<kM, Real, double>(carried[part].high)), isyns + part * kM);
  }
  Vector<Real, n> decay, net_input, isyn;
  Load(call.decay + column, decay);
  Load(isyns, isyn);
  Vector<Real, n> local{};
  for (std::int64_t row = 0; row < call.n_rows; ++row) {
    LoadInput<n, kInput>(call, row, column, net_input);
    AdvanceState(net_input, decay, isyn, local);
    Store(isyn, call.output + row * call.output_stride + column);
  }
  Store(isyn, isyns);
  Store(local, locals);
  for (int part = 0; part < n / kM; ++part) {
    const std::int64_t first = column + part * kM;
    Vector<Real, kM> last, sum;
    Load(isyns + part * kM, last);
    Load(locals + part * kM, sum);
    FinishVector<kM, Real>(carried[part], DecayOverRows<kM>(call.decay_offset + first, call.n_rows),
                           last, sum, next_isyn + first, next_correction + first);
  }
  return FaultOf(isyn, local);
}

// Advances the remaining columns, from `column` on, which do not fill a vector of 2 * n. Returns 0
// or NaN as AdvanceShortColumns() does, for all of them together.
template <int n, ShortInput kInput, typename Real>
EXPSYN_INLINE Real AdvanceShortRemainder(const ShortCall<Real>& call, std::int64_t column,
                                         double* next_isyn, double* next_correction) {
  Real fault = 0;
  if (column + n <= call.n_columns) {
    Real faults[n];
    Store(AdvanceShortColumns<n, kInput>(call, column, next_isyn, next_correction), faults);
    for (int i = 0; i < n; ++i) fault += faults[i];
    column += n;
  }
  if constexpr (n > 1) {
    fault += AdvanceShortRemainder<n / 2, kInput>(call, column, next_isyn, next_correction);
  }
  return fault;
}

template <ShortInput kInput, typename Real>
bool AdvanceShortCallBy(const ShortCall<Real>& given) {
  constexpr int kN = kFull<Real>;
  const ShortCall<Real> call = given;
  // The next state may replace the previous one, which must stay if a sum is not finite.
  alignas(64) double next_isyn[kMaxColumns];
  alignas(64) double next_correction[kMaxColumns];
  Vector<Real, kN> faults{};
  std::int64_t column = 0;
  for (; column + kN <= call.n_columns; column += kN) {
    faults += AdvanceShortColumns<kN, kInput>(call, column, next_isyn, next_correction);
  }
  Real fault = AdvanceShortRemainder<kN / 2, kInput>(call, column, next_isyn, next_correction);
  for (int i = 0; i < kN; ++i) fault += faults[i];
  if (fault != 0) return false;
  for (std::int64_t n = 0; n < call.n_columns; ++n) {
    call.next_isyn[n] = next_isyn[n];
    call.next_correction[n] = next_correction[n];
  }
  return true;
}

template <typename Real>
bool AdvanceShortCall(const ShortCall<Real>& call) {
  if (call.gain != nullptr) return AdvanceShortCallBy<ShortInput::kConverted>(call);
  if (IsReadInPlace(call, reinterpret_cast<std::uintptr_t>(call.input))) {
    return AdvanceShortCallBy<ShortInput::kInPlace>(call);
  }
  if (call.type == ElementType::kUint8 && !call.is_repeated) {
    return AdvanceShortCallBy<ShortInput::kBytes>(call);
  }
  return AdvanceShortCallBy<ShortInput::kConverted>(call);
}

template <typename Real>
constexpr ShortCallOps<Real> kShortCallOps{AdvanceShortCall<Real>};

}  // namespace expsyn::simd::EXPSYN_SIMD_SET

#endif  // EXPSYN_CORE_SIMD_FIRST_ORDER_SHORT_CALLS_INL_H_
