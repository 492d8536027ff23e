#ifndef EXPSYN_CORE_SIMD_NOISE_H_
#define EXPSYN_CORE_SIMD_NOISE_H_

#include <cstdint>

namespace expsyn::simd {

// A block of a field of independent standard normal numbers zeta(batch, step, synapse). Each number
// is computed from `seed` and its own three indices alone, so it does not depend on the order or
// the blocks in which numbers are requested.
//
// The Philox4x32-10 block (Salmon, Moraes, Dror and Shaw, SC11, 2011) with key = seed and
// counter = (step (64 bits), synapse / 4, batch) gives the numbers of four neighbouring synapses.
// Two of its words give a pair by Box and Muller (1958): sqrt(-2 log u) times the cosine and the
// sine of an angle. In double precision u has 40 bits, the first word and the high 8 of the second,
// and the angle the other 24; in single precision u has the high 31 bits of the first word, and the
// angle the 32 of the second.
struct NormalPlaces {
  std::uint64_t seed;
  std::uint32_t batch;
  std::uint64_t step;
  std::int64_t n_rows;  // steps
  std::uint32_t synapse;
  std::int64_t n_columns;
  double scale;
  std::int64_t stride;  // elements of the target from a row to the next
  bool is_streamed;     // whether rows without gaps are written past the caches
  // Memory that is brought to the cache meanwhile; any address is allowed.
  const void* ahead;
  std::int64_t ahead_bytes;
};

template <typename Real>
struct NoiseOps {
  // target[row * stride + column] = base[row * stride + column] +
  //     scale * zeta(batch, step + row, synapse + column); the base may be the target.
  void (*add_normals)(const NormalPlaces& places, const Real* base, Real* target);
};

}  // namespace expsyn::simd

#endif  // EXPSYN_CORE_SIMD_NOISE_H_
