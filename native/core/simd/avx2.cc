// The vector kernels for x86-64 processors with AVX2.
#if defined(__x86_64__)

#include <cstdint>
#include <utility>

#include <immintrin.h>

#include "double_double.h"
#include "simd/ops.h"

// All headers come before this, so that nothing of theirs is compiled for the set.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC target("avx2")
#endif

#define EXPSYN_SIMD_BYTES 32
#define EXPSYN_SIMD_SET avx2
#include "simd/ops-inl.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif

#endif  // __x86_64__
