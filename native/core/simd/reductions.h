#ifndef EXPSYN_CORE_SIMD_REDUCTIONS_H_
#define EXPSYN_CORE_SIMD_REDUCTIONS_H_

#include <cstdint>

namespace expsyn::simd {

// What many rows become: one number for each column, which the number before is part of. Columns
// are independent of each other, and rows are taken in their order.
template <typename Real>
struct ReductionOps {
  // sums[c] = (sums[c] + rows[0][c]) + rows[1][c] + ...
  void (*add_rows)(const Real* rows, std::int64_t n_rows, std::int64_t stride,
                   std::int64_t n_columns, double* sums);
  // peaks[c] = the value of the largest magnitude, the first of several; NaN if there is one.
  void (*find_peaks)(const Real* rows, std::int64_t n_rows, std::int64_t stride,
                     std::int64_t n_columns, double* peaks);
};

}  // namespace expsyn::simd

#endif  // EXPSYN_CORE_SIMD_REDUCTIONS_H_
