// The operations for x86-64 processors with AVX-512 F, BW, DQ and VL.
#define EXPSYN_SIMD_SET avx512
#define EXPSYN_SIMD_BYTES 64
#if defined(__x86_64__)
#define EXPSYN_SIMD_TARGET "avx512f,avx512bw,avx512dq,avx512vl"
#define EXPSYN_SIMD_IS_SUPPORTED HasAvx512(ReadX86Registers())
#endif
#include "simd/ops-inl.h"
