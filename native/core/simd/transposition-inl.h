#ifndef EXPSYN_CORE_SIMD_TRANSPOSITION_INL_H_
#define EXPSYN_CORE_SIMD_TRANSPOSITION_INL_H_

#include <utility>

#include "simd/transposition.h"
#include "simd/vectors-inl.h"

namespace expsyn::simd::EXPSYN_SIMD_SET {

#if defined(EXPSYN_HAS_SHUFFLE)
// The lower or the upper halves of two vectors of n elements, interleaved.
template <int n, int half, typename V, int... lane>
EXPSYN_INLINE V Interleaved(const V& a, const V& b, std::integer_sequence<int, lane...>) {
  return __builtin_shufflevector(a, b, (half * n / 2 + lane / 2 + lane % 2 * n)...);
}

// Interleaves rows i and i + n / 2 of n. After log2(n) times, the square is transposed.
template <typename V, int... i>
EXPSYN_INLINE void InterleaveRows(V* rows, std::integer_sequence<int, i...>) {
  constexpr int kN = 2 * sizeof...(i);
  constexpr std::make_integer_sequence<int, kN> kLanes{};
  const V result[kN / 2][2] = {{Interleaved<kN, 0>(rows[i], rows[i + kN / 2], kLanes),
                                Interleaved<kN, 1>(rows[i], rows[i + kN / 2], kLanes)}...};
  ((rows[2 * i] = result[i][0], rows[2 * i + 1] = result[i][1]), ...);
}
#endif

// The rows and columns of the squares that are transposed at a time: a row fills a vector.
template <typename Real>
constexpr int kSquare = kFull<Real> < 4 ? 4 : kFull<Real>;

template <typename Real, int... i>
EXPSYN_INLINE void TransposeSquare(const Real* source, std::int64_t source_stride, Real* target,
                                   std::int64_t target_stride, std::integer_sequence<int, i...>) {
#if defined(EXPSYN_HAS_SHUFFLE)
  constexpr int kN = sizeof...(i);
  constexpr std::make_integer_sequence<int, kN / 2> kPairs{};
  Vector<Real, kN> rows[kN];
  (Load(source + i * source_stride, rows[i]), ...);
  InterleaveRows(rows, kPairs);
  InterleaveRows(rows, kPairs);
  if constexpr (kN >= 8) InterleaveRows(rows, kPairs);
  if constexpr (kN >= 16) InterleaveRows(rows, kPairs);
  (Store(rows[i], target + i * target_stride), ...);
#else
  for (int column = 0; column < static_cast<int>(sizeof...(i)); ++column) {
    ((target[column * target_stride + i] = source[i * source_stride + column]), ...);
  }
#endif
}

// target[i * target_stride] = source[i * source_stride].
template <typename Real>
EXPSYN_INLINE void CopyStrided(const Real* source, std::int64_t source_stride, std::int64_t size,
                               Real* target, std::int64_t target_stride) {
  if (source_stride == 1 && target_stride == 1) {
    for (std::int64_t i = 0; i < size; ++i) target[i] = source[i];
    return;
  }
  for (std::int64_t i = 0; i < size; ++i) target[i * target_stride] = source[i * source_stride];
}

template <typename Real>
void Transpose(const Real* source, std::int64_t source_stride, std::int64_t n_rows,
               std::int64_t n_columns, Real* target, std::int64_t target_stride) {
  constexpr std::int64_t kN = kSquare<Real>;
  constexpr std::make_integer_sequence<int, kSquare<Real>> kRows{};
  // As many rows at a time as a cache line has elements, so that each line of the target is written
  // completely before it leaves the cache.
  constexpr std::int64_t kBand = 64 / static_cast<int>(sizeof(Real));
  if (n_columns == 1) return CopyStrided(source, source_stride, n_rows, target, 1);
  if (n_rows == 1) return CopyStrided(source, 1, n_columns, target, target_stride);
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
          TransposeSquare(from + row * source_stride, source_stride, to + row, target_stride,
                          kRows);
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
