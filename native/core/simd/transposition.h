#ifndef EXPSYN_CORE_SIMD_TRANSPOSITION_H_
#define EXPSYN_CORE_SIMD_TRANSPOSITION_H_

#include <cstdint>

namespace expsyn::simd {

template <typename Real>
struct TranspositionOps {
  // target[column * target_stride + row] = source[row * source_stride + column].
  void (*transpose)(const Real* source, std::int64_t source_stride, std::int64_t n_rows,
                    std::int64_t n_columns, Real* target, std::int64_t target_stride);
};

}  // namespace expsyn::simd

#endif  // EXPSYN_CORE_SIMD_TRANSPOSITION_H_
