#ifndef EXPSYN_CORE_SIMD_OPS_INL_H_
#define EXPSYN_CORE_SIMD_OPS_INL_H_

// The operations of one instruction set. Each file of sets/ defines these macros and then includes
// this one:
//
//   EXPSYN_SIMD_SET           the set's name in instruction_set.h, which becomes a namespace
//   EXPSYN_SIMD_BYTES         the width of a vector register
//   EXPSYN_SIMD_TARGET        the compiler's words for the set, unless it compiles for it anyway
//   EXPSYN_SIMD_IS_SUPPORTED  whether the processor has the set, in words of x86_features.h; not
//                             defined on architectures that do not know it
//
// The operations may only call each other and functions that are always inlined. An inline function
// of the standard library would be compiled for the set, the linker keeps one copy for the whole
// program, and that copy may be one that the processor cannot run. For the same reason all other
// headers are included before the target is set.

#include <cstddef>
#include <cstdint>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "double_double.h"
#include "raster.h"
#include "simd/ops.h"
#include "simd/x86_features.h"

#if defined(EXPSYN_SIMD_IS_SUPPORTED)

#define EXPSYN_PRAGMA_OF(text) _Pragma(#text)
#define EXPSYN_PRAGMA(text) EXPSYN_PRAGMA_OF(text)
#if defined(EXPSYN_SIMD_TARGET) && defined(__clang__)
EXPSYN_PRAGMA(clang attribute push(__attribute__((target(EXPSYN_SIMD_TARGET))),
                                   apply_to = function))
#elif defined(EXPSYN_SIMD_TARGET)
EXPSYN_PRAGMA(GCC push_options)
EXPSYN_PRAGMA(GCC target(EXPSYN_SIMD_TARGET))
#endif

#include "simd/direct_sums-inl.h"
#include "simd/elements-inl.h"
#include "simd/event_lists-inl.h"
#include "simd/first_order/carry-inl.h"
#include "simd/first_order/chunks-inl.h"
#include "simd/first_order/decay_powers-inl.h"
#include "simd/first_order/short_calls-inl.h"
#include "simd/noise-inl.h"
#include "simd/recursion_rows-inl.h"
#include "simd/reductions-inl.h"
#include "simd/scans-inl.h"
#include "simd/second_order/carry-inl.h"
#include "simd/spectra-inl.h"
#include "simd/streams-inl.h"
#include "simd/transposition-inl.h"

namespace expsyn::simd::EXPSYN_SIMD_SET {

template <typename Real>
constexpr Ops::Of<Real> kOpsOf{kElementOps<Real>,   kStreamOps<Real>,        kNoiseOps<Real>,
                               kSpectrumOps<Real>,  kTranspositionOps<Real>, kScanOps<Real>,
                               kDirectSumOps<Real>, kRowOps<Real>,           kCarryOps<Real>,
                               kShortCallOps<Real>, kChunkOps<Real>,         kSecondOrderOps<Real>,
                               kReductionOps<Real>};

constexpr Ops kOps{kDecayOps, kEventOps, kOpsOf<float>, kOpsOf<double>, FinishStreams, Philox};

}  // namespace expsyn::simd::EXPSYN_SIMD_SET

#if defined(EXPSYN_SIMD_TARGET) && defined(__clang__)
EXPSYN_PRAGMA(clang attribute pop)
#elif defined(EXPSYN_SIMD_TARGET)
EXPSYN_PRAGMA(GCC pop_options)
#endif

const expsyn::simd::Ops* expsyn::simd::EXPSYN_SIMD_SET::FindOps() {
  // Asked once: every call of the core comes here, and a virtual machine takes microseconds for it.
  static const bool is_supported = EXPSYN_SIMD_IS_SUPPORTED;
  return is_supported ? &kOps : nullptr;
}

#else

const expsyn::simd::Ops* expsyn::simd::EXPSYN_SIMD_SET::FindOps() { return nullptr; }

#endif

#endif  // EXPSYN_CORE_SIMD_OPS_INL_H_
