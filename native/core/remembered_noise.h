#ifndef EXPSYN_CORE_REMEMBERED_NOISE_H_
#define EXPSYN_CORE_REMEMBERED_NOISE_H_

#include <cstdint>
#include <vector>

#include "double_double.h"
#include "input_reader.h"
#include "kernel/kernel.h"
#include "tile.h"

namespace expsyn {

// The noise of some neighbouring synapses that the current remembers by itself, for kernels with
// NoiseMemory::kDecay: a number that is drawn after a step decays by Kernel::CurrentDecay() in each
// later one. It starts from 0: what the state holds of earlier noise decays like the current.
template <typename Real>
class RememberedNoise {
 public:
  RememberedNoise(const Kernel& kernel, const InputReader& input, std::int64_t first_synapse,
                  std::int64_t n_synapses);

  // Adds the noise to n_rows rows of some columns, which are the next ones of these columns.
  void AddTo(std::int64_t step, std::int64_t n_rows, std::int64_t column, std::int64_t n_columns,
             Real* rows, std::int64_t stride);
  // Adds it to the next state; `last_row` is the output of the last step, with its noise.
  void AddToState(const Real* last_row, NextState next_state) const;

 private:
  const InputReader& input_;
  std::int64_t first_synapse_;
  std::vector<DoubleDouble> decays_, sums_;
  std::vector<Real> drawn_;
};

// Adds such noise to all of a tile that was computed without noise, and to its next state.
template <typename Real>
void AddRememberedNoise(const Kernel& kernel, const Tile<Real>& tile);

}  // namespace expsyn

#endif  // EXPSYN_CORE_REMEMBERED_NOISE_H_
