#ifndef EXPSYN_CORE_TILE_H_
#define EXPSYN_CORE_TILE_H_

#include <atomic>
#include <cstdint>

#include "input_reader.h"
#include "kernel/state.h"
#include "reduced_output.h"
#include "simd/ops.h"

namespace expsyn {

// The maximum number of synapses of a Tile.
inline constexpr std::int64_t kMaxTileWidth = simd::kMaxColumns;

// What a method found in a synapse.
enum class Finding : std::uint8_t {
  kFinite,
  kNonFinite,  // a NaN or infinity came in; the output and the next state are complete
  kRecompute,  // the output from the first non-finite value on and the next state are invalid
};

// What a method is asked to compute: the synaptic current of some neighbouring synapses of one
// item, those from first_synapse on. Owns nothing.
template <typename Real>
struct Tile {
  const InputReader& input;  // of the item
  std::int64_t first_synapse;
  std::int64_t n_synapses;
  // Steps first_step .. end_step - 1. first_step is 0 except for recursions, where it may also be a
  // step after the first window: the window then holds inputs only, and `state` is not read.
  std::int64_t first_step;
  std::int64_t end_step;
  State state;  // before step 0, from first_synapse on
  // Row of step 0, column of first_synapse. Not used if `reduced` is given.
  Real* output;
  std::int64_t row_stride;  // from a step to the next in `output`
  bool is_streamed;         // whether the output is too large for the caches
  // After the last step, from first_synapse on, without the noise that is added to the output.
  // Methods write it only if the kernel has a recursion; Evolve() itself carries inputs.
  NextState next_state;
  Finding* findings;                   // one value a synapse
  const std::atomic<bool>& cancelled;  // once true, the method returns early, with invalid results
  // What takes the rows, if not all of them are kept.
  ReducedOutput<Real>* reduced = nullptr;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_TILE_H_
