// The vector kernels for every processor of the architecture.

#include <cstdint>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "double_double.h"
#include "vector_kernels.h"

#define EXPSYN_VECTOR_BYTES 16
#define EXPSYN_VECTOR_SET baseline
#include "vector_kernels-inl.h"
