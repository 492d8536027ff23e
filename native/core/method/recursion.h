#ifndef EXPSYN_CORE_METHOD_RECURSION_H_
#define EXPSYN_CORE_METHOD_RECURSION_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "input_reader.h"
#include "kernel/state.h"
#include "kernel/window.h"
#include "simd/ops.h"

namespace expsyn {

// Below this number of synapses, vectors run across tiles of time instead of synapses.
inline constexpr std::int64_t kFewSynapses = 8;

// The most synapses of a Tile for Recurse(), without and with noise that acts like input: the
// longer a tile's rows, the better memory is used; noisy input is kept for one window.
inline constexpr std::int64_t kRecursionWidth = simd::kMaxColumns;
inline constexpr std::int64_t kNoisyRecursionWidth = 128;

// What every method is asked to compute: the synaptic current of one batch item's synapses
// first_synapse .. first_synapse + n_synapses - 1.
template <typename Real>
struct Tile {
  const Window& window;
  const InputReader& input;
  std::int64_t batch;
  std::int64_t first_synapse;
  std::int64_t n_synapses;
  // Steps first_step .. end_step - 1. Recurse() can begin later than at step 0, but not before the
  // window's length: the window then holds inputs only, and `state` is not looked at.
  std::int64_t first_step;
  std::int64_t end_step;
  State state;                // before step 0, from first_synapse on
  Real* output;               // row of step 0, column of first_synapse
  std::ptrdiff_t row_stride;  // from a step to the next in `output`
  bool is_streamed;           // whether the output is too large for the caches
  NextState next_state;       // after the last step, free of the noise that is added to the output
  Finding* findings;          // one value a synapse
  const std::atomic<bool>& cancelled;  // once true, the call ends early; results are then void
};

// Evaluates, for every synapse n of the tile,
//
//   isyn <- (isyn + x[t] - a^W x[t - W]) a,   a = exp(-dt / tau_n),
//
// which is sum_{k < W} a^(k + 1) x[t - k]: a sample enters with weight a, and leaves when its
// weight would be a^(W + 1). The state before the call enters like an input of the first step.
//
// The recursion runs in plain arithmetic of type Real. Its rounding errors must not grow with tau,
// so the same sum is also run from 0 over every simd::kRestartInterval<Real> steps, and carried
// from one such run to the next in arithmetic of twice the precision, from which isyn restarts. The
// result depends neither on the grouping of synapses nor on the processor. A synapse whose sums are
// not finite, or whose decay is no normal number, is to be recomputed.
template <typename Real>
void Recurse(const Tile<Real>& tile);

// The same for one synapse, in double-double arithmetic throughout, for input that may hold
// non-finite or huge values: these are held by the window as IEEE arithmetic has it, and released
// afterwards. The output before `first_written` is left as it is. Slow.
template <typename Real>
void RecursePrecisely(const Tile<Real>& tile, std::int64_t first_written);

}  // namespace expsyn

#endif  // EXPSYN_CORE_METHOD_RECURSION_H_
