#ifndef EXPSYN_CORE_NOISE_H_
#define EXPSYN_CORE_NOISE_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace expsyn {

// One block of Philox4x32-10, a counter-based generator: Salmon, Moraes, Dror and Shaw, "Parallel
// random numbers: as easy as 1, 2, 3", SC11 (2011).
std::array<std::uint32_t, 4> Philox4x32(const std::array<std::uint32_t, 4>& counter,
                                        const std::array<std::uint32_t, 2>& key);

// A field of independent standard normal numbers zeta(batch, synapse, step) that are all defined
// by `seed` alone: each is computed from its place, so they do not depend on the order or the
// grouping in which they are asked for.
//
// The Philox block with key = seed and counter = (step / 2 (64 bits), synapse, batch) gives two
// uniform numbers of 53 bits, and these by Box and Muller (1958) the numbers of an even step and
// of the odd one after it.
class NormalField {
 public:
  explicit NormalField(std::uint64_t seed) : seed_(seed) {}

  // Fills target[row * stride + column] with zeta(batch, synapse + column, step + row) for
  // n_rows x n_columns places.
  void Fill(std::uint32_t batch, std::uint64_t step, std::int64_t n_rows, std::uint32_t synapse,
            std::int64_t n_columns, double* target, std::ptrdiff_t stride) const;

 private:
  std::uint64_t seed_;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_NOISE_H_
