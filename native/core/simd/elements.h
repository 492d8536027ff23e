#ifndef EXPSYN_CORE_SIMD_ELEMENTS_H_
#define EXPSYN_CORE_SIMD_ELEMENTS_H_

#include <cstdint>

#include "raster.h"

namespace expsyn::simd {

// Arrays of any element type, read as Real.
template <typename Real>
struct ElementOps {
  // target[i] = element first + i of the source.
  void (*convert)(ElementType type, const void* source, std::int64_t first, std::int64_t size,
                  Real* target);
};

}  // namespace expsyn::simd

#endif  // EXPSYN_CORE_SIMD_ELEMENTS_H_
