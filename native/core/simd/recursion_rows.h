#ifndef EXPSYN_CORE_SIMD_RECURSION_ROWS_H_
#define EXPSYN_CORE_SIMD_RECURSION_ROWS_H_

#include <cstdint>

#include "raster.h"

namespace expsyn::simd {

// The maximum number of columns of RecursionRows.
inline constexpr std::int64_t kMaxColumns = 1024;

// Rows (steps) of a recursion over neighbouring synapses (columns). That of first order is a
// truncated IIR filter whose tail is cancelled (Wang and Smith, 1997):
//
//   net_input = input - tail_weight * delayed;  isyn = (isyn + net_input) * decay;  output = isyn
//
// That of second order is
//
//   rising = rising + input;  isyn = isyn * decay + rising * entry;  output = isyn;
//   rising = rising * rise_decay
//
// The same is computed for `local` (and rising_local), the response to the inputs since the sums
// were carried (see carry.h). Arrays without a stride hold one value a synapse. No array needs an
// alignment.
template <typename Real>
struct RecursionRows {
  std::int64_t n_rows;
  std::int64_t n_columns;
  ElementType type;  // of input and delayed
  const void* input;
  const void* delayed;        // the input one window earlier; null as long as there is none
  bool is_repeated;           // whether a row is one value, which all synapses receive
  std::int64_t input_stride;  // elements from a row to the next, also of `delayed`
  Real* output;
  std::int64_t output_stride;
  bool is_streamed;  // whether the output goes past the caches, being too large for them
  const Real* decay;
  const Real* tail_weight;
  // By which input and delayed are multiplied; null if that is 1 for all. The input is then not
  // read in place, so that one set of loops serves both.
  const Real* gain;
  Real* isyn;   // before the rows, then after them
  Real* local;  // before the rows, then after them
  // Of the second order; null for the first.
  const Real* rise_decay = nullptr;
  const Real* entry = nullptr;
  Real* rising = nullptr;
  Real* rising_local = nullptr;
};

template <typename Real>
struct RowOps {
  void (*advance_rows)(const RecursionRows<Real>& rows);
};

}  // namespace expsyn::simd

#endif  // EXPSYN_CORE_SIMD_RECURSION_ROWS_H_
