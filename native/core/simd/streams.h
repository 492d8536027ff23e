#ifndef EXPSYN_CORE_SIMD_STREAMS_H_
#define EXPSYN_CORE_SIMD_STREAMS_H_

#include <cstdint>

namespace expsyn::simd {

// Writing arrays past the caches, for which they are too large. Where the target's alignment does
// not allow that, it is written as usual. The thread that wrote calls finish_streams() at the end.
template <typename Real>
struct StreamOps {
  // target[i] = source[i].
  void (*copy_past_caches)(const Real* source, std::int64_t size, Real* target);
  // target[i] = base[i] + source[i], past the caches if `is_streamed`; the base may be the target.
  void (*add)(const Real* base, const Real* source, std::int64_t size, Real* target,
              bool is_streamed);
};

}  // namespace expsyn::simd

#endif  // EXPSYN_CORE_SIMD_STREAMS_H_
