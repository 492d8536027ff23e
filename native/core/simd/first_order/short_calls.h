#ifndef EXPSYN_CORE_SIMD_FIRST_ORDER_SHORT_CALLS_H_
#define EXPSYN_CORE_SIMD_FIRST_ORDER_SHORT_CALLS_H_

#include <cstdint>

#include "raster.h"

namespace expsyn::simd {

// A whole call of fewer rows than kCarryInterval<Real>, none beyond the window's length: from the
// state isyn + correction to the next one, which may take its place. Other members as in
// RecursionRows.
template <typename Real>
struct ShortCall {
  std::int64_t n_rows;
  std::int64_t n_columns;
  ElementType type;
  const void* input;
  bool is_repeated;
  std::int64_t input_stride;
  Real* output;
  std::int64_t output_stride;
  const Real* decay;
  const Real* gain;            // as in RecursionRows
  const double* decay_offset;  // see DecayPowers
  const double* isyn;
  const double* correction;
  double* next_isyn;
  double* next_correction;
};

template <typename Real>
struct ShortCallOps {
  // Returns whether all sums are finite; if not, the state is as it was.
  bool (*advance_short_call)(const ShortCall<Real>& call);
};

}  // namespace expsyn::simd

#endif  // EXPSYN_CORE_SIMD_FIRST_ORDER_SHORT_CALLS_H_
