#ifndef EXPSYN_CORE_SIMD_OPS_H_
#define EXPSYN_CORE_SIMD_OPS_H_

#include <cstdint>

#include "simd/direct_sums.h"
#include "simd/elements.h"
#include "simd/event_lists.h"
#include "simd/first_order/carry.h"
#include "simd/first_order/chunks.h"
#include "simd/first_order/decay_powers.h"
#include "simd/first_order/short_calls.h"
#include "simd/instruction_set.h"
#include "simd/noise.h"
#include "simd/recursion_rows.h"
#include "simd/reductions.h"
#include "simd/scans.h"
#include "simd/second_order/carry.h"
#include "simd/spectra.h"
#include "simd/streams.h"
#include "simd/transposition.h"

namespace expsyn::simd {

// The loops in which the time is spent, compiled once for each instruction set. Each subject has a
// header that declares its operations and a file <subject>-inl.h that defines them; the recursions
// of first and of second order have a folder of them each. Element by element, all sets do the same
// operations in the same order, without fused multiply-adds, so that every set gives the same bits.
struct Ops : DecayOps, EventOps {
  template <typename Real>
  struct Of : ElementOps<Real>,
              StreamOps<Real>,
              NoiseOps<Real>,
              SpectrumOps<Real>,
              TranspositionOps<Real>,
              ScanOps<Real>,
              DirectSumOps<Real>,
              RowOps<Real>,
              CarryOps<Real>,
              ShortCallOps<Real>,
              ChunkOps<Real>,
              SecondOrderOps<Real>,
              ReductionOps<Real> {};

  Of<float> of_float;
  Of<double> of_double;
  // Makes all that this thread has written past the caches visible to other threads.
  void (*finish_streams)();
  // One Philox4x32-10 block.
  void (*philox)(const std::uint32_t counter[4], const std::uint32_t key[2],
                 std::uint32_t block[4]);
};

// The operations compiled for the active instruction set.
inline const Ops& ActiveOps() { return *ActiveInstructionSet().find_ops(); }

template <typename Real>
const Ops::Of<Real>& OpsOf();
template <>
inline const Ops::Of<float>& OpsOf<float>() {
  return ActiveOps().of_float;
}
template <>
inline const Ops::Of<double>& OpsOf<double>() {
  return ActiveOps().of_double;
}

}  // namespace expsyn::simd

#endif  // EXPSYN_CORE_SIMD_OPS_H_
