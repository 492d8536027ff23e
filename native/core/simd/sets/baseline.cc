// The operations for every processor of the architecture: SSE2 on x86-64, NEON on ARM.
#define EXPSYN_SIMD_SET baseline
#define EXPSYN_SIMD_BYTES 16
#define EXPSYN_SIMD_IS_SUPPORTED true
#include "simd/ops-inl.h"
