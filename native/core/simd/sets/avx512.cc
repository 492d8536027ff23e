// The operations for x86-64 processors with AVX-512 F, BW, DQ and VL.
#define EXPSYN_SIMD_SET avx512
#define EXPSYN_SIMD_BYTES 64
#if defined(__x86_64__)
#define EXPSYN_SIMD_TARGET "avx512f,avx512bw,avx512dq,avx512vl"
#define EXPSYN_SIMD_IS_SUPPORTED                                              \
  (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && \
   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
#endif
#include "simd/ops-inl.h"
