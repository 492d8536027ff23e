#ifndef EXPSYN_CORE_EVOLVE_H_
#define EXPSYN_CORE_EVOLVE_H_

#include <atomic>
#include <cstdint>
#include <vector>

#include "input_reader.h"
#include "kernel/kernel.h"
#include "kernel/state.h"
#include "method/choice.h"
#include "raster.h"

namespace expsyn {

// What all calls of a module have in common.
struct Settings {
  Method method = Method::kAuto;
  // kState is for kernels that remember noise: see Kernel::remembers_noise().
  NoisePlacement noise = NoisePlacement::kNone;
  double noise_scale = 0;        // noise_std * sqrt(dt)
  bool throw_non_finite = true;  // stop at a NaN or infinity in the input, or let it through
  bool is_state_noisy = false;   // whether the current that is carried holds the output's noise
  unsigned n_threads = 1;        // the most that compute, this one included; no bit depends on it
};

// One of the independent runs that a call advances: an item of a batch, or a session.
struct Item {
  State state;           // before the call
  NextState next_state;  // after it; may be `state`
  std::uint64_t seed = 0;
  std::uint64_t step = 0;  // absolute number of the call's first step
  std::int64_t batch = 0;  // the item's place in the raster whose noise is drawn
};

// What fails because of a non-finite value in the input of an item: the whole call or that item.
enum class FailurePolicy { kCall, kItem };

// One call: K items, T steps, N synapses. Owns nothing.
template <typename Real>
struct Call {
  Raster input;                    // (K, T, N), or (K, T, 1) for a column that all synapses receive
  Real* output = nullptr;          // (K, T, N); must not overlap the input
  const Item* items = nullptr;     // K; no next state overlaps the state of another item
  std::int64_t first_synapse = 0;  // the place of synapse 0 in that raster, a multiple of 4
  FailurePolicy policy = FailurePolicy::kCall;
};

// Samples of a call that takes less than about a millisecond.
constexpr std::int64_t kShortSamples = 1 << 17;

// Whether a call has no more samples than so many.
bool HasAtMost(std::int64_t n_samples, const Raster& input, std::int64_t n_synapses);

// An item whose input holds a NaN or infinity.
struct ItemFailure {
  std::int64_t item;
  std::int64_t index;  // flat index of the first one in the whole input
};

struct EvolveResult {
  enum class Status { kDone, kFailed, kCancelled };
  Status status = Status::kDone;
  // The items that failed, ascending; only the first one if the call fails as a whole.
  std::vector<ItemFailure> failures;
};

// Computes the output and the next state of every item, which depend on its input, its state and
// its place in the noise alone: not on the other items or the number of threads, and on the method
// in rounding only. The method must be one that the kernel has. K = 0, T = 0 and N = 0 do nothing.
//
// With Settings::throw_non_finite, a non-finite input fails the call (status kFailed) or its item
// (status kDone). The next states of a call that failed or was cancelled, and of an item that
// failed, are untouched, and the output is void. Subnormal numbers count as 0.
//
// Runs on the calling thread, whose floating-point mode it keeps, and on helpers of the shared
// pool. Throws std::bad_alloc, and std::length_error when the window is too long for Method::kFft.
template <typename Real>
EvolveResult Evolve(const Kernel& kernel, const Settings& settings, const Call<Real>& call,
                    const std::atomic<bool>& cancelled);

}  // namespace expsyn

#endif  // EXPSYN_CORE_EVOLVE_H_
