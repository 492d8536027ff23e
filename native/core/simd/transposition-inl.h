#ifndef EXPSYN_CORE_SIMD_TRANSPOSITION_INL_H_
#define EXPSYN_CORE_SIMD_TRANSPOSITION_INL_H_

#include "simd/transposition.h"
#include "simd/vectors-inl.h"

namespace expsyn::simd::EXPSYN_SIMD_SET {

// Transposes 4 by 4 elements.
template <typename Real>
EXPSYN_INLINE void TransposeSquare(const Real* source, std::int64_t source_stride, Real* target,
                                   std::int64_t target_stride) {
#if defined(EXPSYN_HAS_SHUFFLE)
  using V = Vector<Real, 4>;
  V row[4];
  for (int i = 0; i < 4; ++i) Load(source + i * source_stride, row[i]);
  const V even01 = __builtin_shufflevector(row[0], row[1], 0, 4, 2, 6);
  const V odd01 = __builtin_shufflevector(row[0], row[1], 1, 5, 3, 7);
  const V even23 = __builtin_shufflevector(row[2], row[3], 0, 4, 2, 6);
  const V odd23 = __builtin_shufflevector(row[2], row[3], 1, 5, 3, 7);
  const V column0 = __builtin_shufflevector(even01, even23, 0, 1, 4, 5);
  const V column1 = __builtin_shufflevector(odd01, odd23, 0, 1, 4, 5);
  const V column2 = __builtin_shufflevector(even01, even23, 2, 3, 6, 7);
  const V column3 = __builtin_shufflevector(odd01, odd23, 2, 3, 6, 7);
  Store(column0, target);
  Store(column1, target + target_stride);
  Store(column2, target + 2 * target_stride);
  Store(column3, target + 3 * target_stride);
#else
  for (int column = 0; column < 4; ++column) {
    for (int i = 0; i < 4; ++i) {
      target[column * target_stride + i] = source[i * source_stride + column];
    }
  }
#endif
}

template <typename Real>
void Transpose(const Real* source, std::int64_t source_stride, std::int64_t n_rows,
               std::int64_t n_columns, Real* target, std::int64_t target_stride) {
  constexpr std::int64_t kN = 4;
  // As many rows at a time as a cache line has elements, so that each line of the target is written
  // completely before it leaves the cache.
  constexpr std::int64_t kBand = 64 / static_cast<int>(sizeof(Real));
  const std::int64_t n_squares = n_columns / kN * kN;
  for (std::int64_t band = 0; band < n_rows; band += kBand) {
    const std::int64_t band_end = band + kBand < n_rows ? band + kBand : n_rows;
    const std::int64_t squares_end = band + (band_end - band) / kN * kN;
    for (std::int64_t column = 0; column < n_columns; column += kN) {
      const Real* from = source + column;
      Real* to = target + column * target_stride;
      std::int64_t row = band;
      if (column < n_squares) {
        for (; row < squares_end; row += kN) {
          TransposeSquare(from + row * source_stride, source_stride, to + row, target_stride);
        }
      }
      const std::int64_t width = n_columns - column < kN ? n_columns - column : kN;
      for (; row < band_end; ++row) {
        for (std::int64_t c = 0; c < width; ++c) {
          to[c * target_stride + row] = from[row * source_stride + c];
        }
      }
    }
  }
}

template <typename Real>
constexpr TranspositionOps<Real> kTranspositionOps{Transpose<Real>};

}  // namespace expsyn::simd::EXPSYN_SIMD_SET

#endif  // EXPSYN_CORE_SIMD_TRANSPOSITION_INL_H_
