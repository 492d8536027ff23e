// The vector kernels for x86-64 processors with AVX-512 F, BW, DQ and VL.
#if defined(__x86_64__)

#include <cstdint>
#include <utility>

#include <immintrin.h>

#include "double_double.h"
#include "simd/ops.h"

// All headers come before this, so that nothing of theirs is compiled for the set.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), \
                             apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")
#endif

#define EXPSYN_SIMD_BYTES 64
#define EXPSYN_SIMD_SET avx512
#include "simd/ops-inl.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif

#endif  // __x86_64__
