#ifndef EXPSYN_CORE_EVOLVE_H_
#define EXPSYN_CORE_EVOLVE_H_

#include <atomic>
#include <cstdint>

#include "input_reader.h"
#include "kernel/kernels.h"
#include "kernel/state.h"
#include "method/cost_model.h"
#include "raster.h"

namespace expsyn {

// One call: B batch items, T steps, N synapses. Owns nothing.
template <typename Real>
struct EvolveCall {
  Method method = Method::kRecursive;
  Raster input;  // (B, T, N), or (B, T, 1) for one column that all synapses receive
  Noise noise;
  bool throw_non_finite = true;  // stop at a NaN or infinity in the input, or let it through
  State state;                   // before the call, (B, N), or (N) for every item
  bool is_state_shared = true;   // whether `state` is (N)
  Real* output = nullptr;        // (B, T, N); must not overlap the input
  NextState next_state;          // after the call, (B, N); may be `state`
  // The most threads that compute, this one and helpers of the shared pool. No bit depends on it.
  unsigned n_threads = 1;
  // Whether the state that is carried on holds the noise added to the output.
  bool is_state_noisy = false;
};

// Samples of a call that takes less than about a millisecond.
constexpr std::int64_t kShortSamples = 1 << 17;

// Whether a call has no more samples than so many.
bool HasAtMost(std::int64_t n_samples, const Raster& input, std::int64_t n_synapses);

struct EvolveResult {
  enum class Status { kDone, kNonFinite, kCancelled };
  Status status = Status::kDone;
  std::int64_t non_finite_index = -1;  // flat index into the input
};

// Computes output and next_state as the module documentation says, by the method asked for; the
// methods differ in rounding only. B = 0, T = 0 and N = 0 do nothing. Unless the status is kDone,
// next_state is untouched and output is void. Subnormal numbers count as 0. Runs on the
// calling thread, whose floating-point mode it keeps, and on helpers. Throws std::bad_alloc, and
// std::length_error when the window is too long for Method::kFft.
template <typename Real>
EvolveResult Evolve(const Kernels& kernels, const EvolveCall<Real>& call,
                    const std::atomic<bool>& cancelled);

}  // namespace expsyn

#endif  // EXPSYN_CORE_EVOLVE_H_
