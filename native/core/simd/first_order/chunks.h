#ifndef EXPSYN_CORE_SIMD_FIRST_ORDER_CHUNKS_H_
#define EXPSYN_CORE_SIMD_FIRST_ORDER_CHUNKS_H_

#include <cstdint>

#include "simd/first_order/rows.h"

namespace expsyn::simd {

// A tile of steps of few synapses, row-major and without gaps. The recursion runs over n_chunks
// chunks of chunk_length rows side by side. n_chunks is 16 or 4.
template <typename Real>
struct RecursionChunks {
  std::int64_t n_chunks;
  std::int64_t chunk_length;
  std::int64_t n_synapses;
  const Real* decay;       // one value a synapse
  const void* next_input;  // of the next tile, brought to the cache; any address is allowed
};

template <typename Real>
struct ChunkOps {
  // drive[i] = input[i] - tail_weight[i mod n_columns] delayed[i], for at most 7 columns without
  // gaps between the rows and a multiple of 64 rows. Uses only input, delayed and tail_weight.
  void (*drive)(const RecursionRows<Real>& rows, Real* drive);
  // Runs the recursion over each chunk's drive; states[chunk * n_synapses + n] is the state before
  // the chunk, then the one after it.
  void (*sum_chunks)(const RecursionChunks<Real>& chunks, const Real* drive, Real* states);
  // The same; the state after drive[i] takes its place.
  void (*run_chunks)(const RecursionChunks<Real>& chunks, Real* drive, Real* states);
};

}  // namespace expsyn::simd

#endif  // EXPSYN_CORE_SIMD_FIRST_ORDER_CHUNKS_H_
