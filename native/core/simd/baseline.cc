// The vector kernels for every processor of the architecture.

#include <cstdint>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "double_double.h"
#include "simd/ops.h"

#define EXPSYN_SIMD_BYTES 16
#define EXPSYN_SIMD_SET baseline
#include "simd/ops-inl.h"
