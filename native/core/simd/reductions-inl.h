#ifndef EXPSYN_CORE_SIMD_REDUCTIONS_INL_H_
#define EXPSYN_CORE_SIMD_REDUCTIONS_INL_H_

#include "simd/reductions.h"
#include "simd/vectors-inl.h"

namespace expsyn::simd::EXPSYN_SIMD_SET {

struct AddRow {
  // In double precision, whatever the rows are.
  template <typename Real>
  using Number = double;
  template <typename V>
  static EXPSYN_INLINE V Of(V sum, V value) {
    return sum + value;
  }
};

struct TakePeak {
  // One of the numbers of the rows.
  template <typename Real>
  using Number = Real;
  template <typename V>
  static EXPSYN_INLINE V Of(V peak, V value) {
    const V size = value < 0 ? -value : value;
    const V peak_size = peak < 0 ? -peak : peak;
    // A comparison with NaN is false: one is taken, and then kept.
    const V larger = size <= peak_size ? peak : value;
    return peak == peak ? larger : peak;
  }
};

// Reduces the columns of kCount vectors of n numbers.
template <typename Step, int n, int kCount, typename Real>
EXPSYN_INLINE void ReduceColumns(const Real* rows, std::int64_t n_rows, std::int64_t stride,
                                 double* numbers) {
  using Number = typename Step::template Number<Real>;
  Vector<Number, n> reduced[kCount];
  for (int k = 0; k < kCount; ++k) {
    Vector<double, n> before;
    Load(numbers + k * n, before);
    reduced[k] = Converted<n, Number, double>(before);
  }
  for (std::int64_t r = 0; r < n_rows; ++r, rows += stride) {
    for (int k = 0; k < kCount; ++k) {
      Vector<Real, n> row;
      Load(rows + k * n, row);
      reduced[k] = Step::Of(reduced[k], Converted<n, Number, Real>(row));
    }
  }
  for (int k = 0; k < kCount; ++k) {
    Store(Converted<n, double, Number>(reduced[k]), numbers + k * n);
  }
}

template <typename Step, typename Real>
void ReduceRows(const Real* rows, std::int64_t n_rows, std::int64_t stride, std::int64_t n_columns,
                double* numbers) {
  constexpr int kN = kFull<typename Step::template Number<Real>>;
  // So many that one can begin while the others are computed.
  constexpr int kCount = 4;
  std::int64_t c = 0;
  for (; c + kCount * kN <= n_columns; c += kCount * kN) {
    ReduceColumns<Step, kN, kCount>(rows + c, n_rows, stride, numbers + c);
  }
  for (; c + kN <= n_columns; c += kN) {
    ReduceColumns<Step, kN, 1>(rows + c, n_rows, stride, numbers + c);
  }
  for (; c < n_columns; ++c) ReduceColumns<Step, 1, 1>(rows + c, n_rows, stride, numbers + c);
}

template <typename Real>
constexpr ReductionOps<Real> kReductionOps{ReduceRows<AddRow, Real>, ReduceRows<TakePeak, Real>};

}  // namespace expsyn::simd::EXPSYN_SIMD_SET

#endif  // EXPSYN_CORE_SIMD_REDUCTIONS_INL_H_
