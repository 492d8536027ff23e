#ifndef EXPSYN_CORE_METHOD_PARTITIONED_H_
#define EXPSYN_CORE_METHOD_PARTITIONED_H_

#include <atomic>
#include <cstdint>

#include "input_history.h"
#include "input_reader.h"
#include "kernel/kernel.h"
#include "kernel/state.h"

namespace expsyn {

// What ConvolveSession() is asked to compute: the next steps of a session whose kernel has no
// recursion. Owns nothing.
template <typename Real>
struct SessionSteps {
  const Kernel& kernel;
  const InputReader& input;
  InputHistory& history;
  std::int64_t step;     // absolute number of the first step
  Real* output;          // row-major
  NextState new_inputs;  // the newest inputs, for InputHistory::Append()
  const std::atomic<bool>& cancelled;
};

// Computes, for every synapse n,
//
//   output[t] = sum_{k < W} w_n[k] input[t - k]
//
// where inputs before the first step are those of the history: by partitioned convolution, or with
// `has_transforms` false by direct sums alone. An output whose window holds no input is exactly 0.
// Rounding errors are relative to the largest output whose window shares inputs with that of the
// output. The history is not changed but for its cache, which is brought up to date; its lock must
// be held.
//
// Returns false, with invalid results, if a sum is not finite, or if inputs are so small or so
// large that transforms would lose digits. Throws as PartitionCache::Get() does.
template <typename Real>
bool ConvolveSession(const SessionSteps<Real>& steps, bool has_transforms);

}  // namespace expsyn

#endif  // EXPSYN_CORE_METHOD_PARTITIONED_H_
