#ifndef EXPSYN_CORE_SESSIONS_H_
#define EXPSYN_CORE_SESSIONS_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <vector>

#include "aligned_buffer.h"
#include "evolve.h"
#include "kernel/kernels.h"
#include "kernel/state.h"

namespace expsyn {

// Where one of many independent runs over the same synapses has got to.
struct Session {
  NextState state;         // (N), owned by the table
  std::uint64_t step = 0;  // absolute number of the next step
  std::uint64_t seed = 0;  // of its noise
  bool is_open = false;
};

// The sessions of one module, by number. A closed session's number and memory are given to the next
// that is opened; otherwise memory is kept until the table goes. Not thread-safe, but sessions stay
// where they are: a thread may read one while others are opened and closed.
class SessionTable {
 public:
  explicit SessionTable(std::int64_t n_synapses);

  // A session at step 0 whose state is 0. Throws std::bad_alloc.
  std::int64_t Open(std::uint64_t seed);
  void Close(std::int64_t number);
  // The open session of that number, or null.
  Session* Find(std::int64_t number);
  // Moves a session on by n_timesteps, to the state `state` (N).
  void Advance(Session& session, State state, std::int64_t n_timesteps) const;

  // Memory for the next states of a call on the table's own thread, good until the next one.
  double* Scratch(std::size_t size);

  std::int64_t n_synapses() const { return n_synapses_; }
  std::size_t size_in_bytes() const;

 private:
  std::int64_t n_synapses_;
  std::int64_t sessions_per_block_;
  std::vector<AlignedBuffer<double>> blocks_;
  std::deque<Session> sessions_;
  std::vector<std::int64_t> closed_;
  AlignedBuffer<double> scratch_;
};

// One call for K sessions: item k of the input is the next n_timesteps of session k. Owns nothing.
template <typename Real>
struct SessionsCall {
  Method method = Method::kRecursive;
  Raster input;                              // (K, T, N), or (K, T, 1)
  const Session* const* sessions = nullptr;  // K different ones
  NoisePlacement noise_placement = NoisePlacement::kNone;
  double noise_scale = 0;
  bool throw_non_finite = true;
  bool is_state_noisy = false;
  Real* output = nullptr;  // (K, T, N); must not overlap the input
  NextState next_states;   // (K, N); rows may be the sessions' own
  unsigned n_threads = 1;  // as in EvolveCall
};

// A session whose item held a NaN or infinity.
struct SessionFailure {
  std::int64_t item;
  std::int64_t index;  // flat index of the first one in the whole input
};

// Computes each item as Evolve() would from its session's state, step and seed. A non-finite value
// fails its own session only: its part of output and next_states is void. The sessions themselves
// are left as they are, for SessionTable::Advance() to move on. Returns false when the call was
// cancelled. Throws what Evolve() throws.
template <typename Real>
bool EvolveSessions(const Kernels& kernels, const SessionsCall<Real>& call,
                    const std::atomic<bool>& cancelled, std::vector<SessionFailure>* failures);

}  // namespace expsyn

#endif  // EXPSYN_CORE_SESSIONS_H_
