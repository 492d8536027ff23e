// The operations for x86-64 processors with AVX2.
#define EXPSYN_SIMD_SET avx2
#define EXPSYN_SIMD_BYTES 32
#if defined(__x86_64__)
#define EXPSYN_SIMD_TARGET "avx2"
#define EXPSYN_SIMD_IS_SUPPORTED HasAvx2(ReadX86Registers())
#endif
#include "simd/ops-inl.h"
