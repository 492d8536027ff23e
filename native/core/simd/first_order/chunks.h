#ifndef EXPSYN_CORE_SIMD_FIRST_ORDER_CHUNKS_H_
#define EXPSYN_CORE_SIMD_FIRST_ORDER_CHUNKS_H_

#include <cstdint>

#include "simd/recursion_rows.h"

namespace expsyn::simd {

// n_chunks * chunk_length rows of few synapses, row-major and without gaps. The recursion runs over
// the chunks side by side, one in each lane of a vector. n_chunks is 16 or 4.
template <typename Real>
struct RecursionChunks {
  std::int64_t n_chunks;
  std::int64_t chunk_length;
  std::int64_t n_synapses;
  const Real* decay;       // one value a synapse
  const void* next_input;  // of the next rows, brought to the cache; any address is allowed
};

template <typename Real>
struct ChunkOps {
  // net_input[i] = gain[n] (input[i] - tail_weight[n] delayed[i]) with n = i mod n_columns, for at
  // most 7 columns without gaps between the rows and a multiple of 64 rows. Other members of `rows`
  // are not used.
  void (*cancel_tails)(const RecursionRows<Real>& rows, Real* net_input);
  // Runs the recursion over each chunk's net input; states[chunk * n_synapses + n] is the state
  // before the chunk, then the one after it.
  void (*sum_chunks)(const RecursionChunks<Real>& chunks, const Real* net_input, Real* states);
  // The same; the state after net_input[i] takes its place.
  void (*run_chunks)(const RecursionChunks<Real>& chunks, Real* net_input, Real* states);
};

}  // namespace expsyn::simd

#endif  // EXPSYN_CORE_SIMD_FIRST_ORDER_CHUNKS_H_
