#ifndef EXPSYN_CORE_RECURSION_H_
#define EXPSYN_CORE_RECURSION_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "input_reader.h"
#include "window.h"

namespace expsyn {

// The most synapses that are computed together.
inline constexpr std::int64_t kStretchWidth = 64;

// Below this number of synapses, vectors run across stretches of time instead of synapses.
inline constexpr std::int64_t kFewSynapses = 8;

// What every method is asked to compute: the synaptic current of one batch item's synapses
// first_synapse .. first_synapse + n_synapses - 1, without the noise that goes to the output.
template <typename Real>
struct Stretch {
  const Window& window;
  const InputReader& input;
  std::int64_t batch;
  std::int64_t first_synapse;
  std::int64_t n_synapses;    // at most kStretchWidth
  const double* state;        // isyn before the first step, one value a synapse of the stretch
  Real* output;               // row of step 0, column of first_synapse
  std::ptrdiff_t row_stride;  // from a step to the next in `output`
  Real* last;                 // receives the last step's current, one value a synapse
  bool* is_sound;             // receives false for a synapse that met a non-finite value or sum
  const std::atomic<bool>& cancelled;  // once true, the call ends early; results are then void
};

// Evaluates, for every synapse n of the stretch,
//
//   isyn <- (isyn + x[t] - a^W x[t - W]) a,   a = exp(-dt / tau_n),
//
// which is sum_{k < W} a^(k + 1) x[t - k]: a sample enters with weight a, and leaves when its
// weight would be a^(W + 1). The state before the call enters like an input of the first step.
//
// Rounding errors must not grow with tau, so the sum is split: isyn = z + d, where z starts from 0
// every kRestartInterval steps and d is the decaying rest, renewed from double-double arithmetic.
// The result depends neither on vector width nor on the processor.
template <typename Real>
void Recurse(const Stretch<Real>& stretch);

// The same for one synapse, in double-double arithmetic throughout, for input that may hold
// non-finite or huge values: these are held by the window as IEEE arithmetic has it, and let go of
// afterwards. Slow.
template <typename Real>
void RecurseCarefully(const Stretch<Real>& stretch);

}  // namespace expsyn

#endif  // EXPSYN_CORE_RECURSION_H_
