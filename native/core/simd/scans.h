#ifndef EXPSYN_CORE_SIMD_SCANS_H_
#define EXPSYN_CORE_SIMD_SCANS_H_

#include <cstdint>

namespace expsyn::simd {

// Properties of an array that are found in one pass.
template <typename Real>
struct ScanOps {
  // The index in [begin, end) of the first, or the last, value that is not 0; -1 if all are 0.
  std::int64_t (*find_first)(const Real* values, std::int64_t begin, std::int64_t end);
  std::int64_t (*find_last)(const Real* values, std::int64_t begin, std::int64_t end);
  // The largest magnitude of `size` values; NaN or infinity if one of them is not finite.
  Real (*peak)(const Real* values, std::int64_t size);
};

}  // namespace expsyn::simd

#endif  // EXPSYN_CORE_SIMD_SCANS_H_
