#ifndef EXPSYN_CORE_EVOLVE_H_
#define EXPSYN_CORE_EVOLVE_H_

#include <atomic>
#include <cstdint>
#include <vector>

#include "input_history.h"
#include "input_reader.h"
#include "kernel/kernel.h"
#include "kernel/state.h"
#include "method/choice.h"
#include "raster.h"
#include "reduction.h"

namespace expsyn {

// What all calls of a module have in common.
struct Settings {
  Method method = Method::kAuto;
  // kState is for kernels that remember noise: see Kernel::noise_memory().
  NoisePlacement noise = NoisePlacement::kNone;
  double noise_scale = 0;        // noise_std * sqrt(dt)
  bool throw_non_finite = true;  // stop at a NaN or infinity in the input, or let it through
  bool is_state_noisy = false;   // whether the next state holds the noise of the last output
  unsigned n_threads = 1;        // maximum, with the calling one; no bit depends on it
};

// One of the independent runs that a call advances: an item of a batch, or a session.
struct Item {
  State state;           // before the call
  NextState next_state;  // after it; may be `state`
  std::uint64_t seed = 0;
  std::uint64_t step = 0;  // absolute number of the call's first step
  std::int64_t batch = 0;  // index of the item in the raster of the noise
  // Of a session whose kernel has no recursion: its state, in place of `state`. The next state is
  // then the newest inputs, as InputHistory::Append() takes them.
  InputHistory* history = nullptr;
  // Of a call with a reduction that has a memory: the group that began before the call; its values
  // become those of the group that is not over at the end. Unspecified if the item fails.
  PartialGroup partial{};
};

// What a non-finite value in the input of an item lets fail: the whole call or that item.
enum class FailurePolicy { kCall, kItem };

// One call: K items, T steps, N synapses. Owns nothing.
template <typename Real>
struct Call {
  Raster input;  // (K, T, N), or (K, T, 1) for a column that all synapses receive
  // (K, T, N), or (K, T', N) of the T' steps that are kept, of which there must be the same number
  // for all items. Must not overlap the input.
  Real* output = nullptr;
  const Item* items = nullptr;     // K; no next state overlaps the state of another item. All
                                   // or none have a history.
  std::int64_t first_synapse = 0;  // index of synapse 0 in the raster of the noise, a multiple of 4
  FailurePolicy policy = FailurePolicy::kCall;
  Reduction reduction;
};

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

// Computes the output and the next state of every item. They depend on the item's input, state and
// place in the noise, but not on other items or the number of threads; methods differ by rounding
// only. The method must be one that the kernel has. K = 0, T = 0 and N = 0 do nothing.
//
// With Settings::throw_non_finite, a non-finite input fails the call (status kFailed) or its item
// (status kDone). If a call fails or is cancelled, or an item fails, its next states are untouched
// and its output is unspecified. Subnormal numbers count as 0.
//
// Runs on the calling thread, whose floating-point mode it restores, and on helpers of the shared
// pool. Throws std::bad_alloc, and for Method::kFft std::length_error if the window is too long,
// and std::runtime_error if FFTW is missing.
template <typename Real>
EvolveResult Evolve(const Kernel& kernel, const Settings& settings, const Call<Real>& call,
                    const std::atomic<bool>& cancelled);

}  // namespace expsyn

#endif  // EXPSYN_CORE_EVOLVE_H_
