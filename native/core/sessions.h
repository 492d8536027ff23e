#ifndef EXPSYN_CORE_SESSIONS_H_
#define EXPSYN_CORE_SESSIONS_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "aligned_buffer.h"
#include "input_history.h"
#include "kernel/state.h"

namespace expsyn {

// The state of one of many independent runs over the same synapses.
struct Session {
  NextState state;                        // memory of the table; unless the state is inputs
  std::unique_ptr<InputHistory> history;  // the state, if it is inputs
  std::uint64_t step = 0;                 // absolute number of the next step
  std::uint64_t seed = 0;                 // of its noise
  bool is_open = false;
};

// The sessions of one module, by number. The number and the memory of a closed session are given to
// the next one that is opened; the table frees no memory before it is destroyed itself. Not
// thread-safe, but sessions do not move: a thread may read one while others are opened and closed.
class SessionTable {
 public:
  // For states of n_synapses synapses and state_size planes: see Kernel::state_size(). With
  // `inputs`, for states that are inputs of this element type, kFloat32 or kFloat64.
  SessionTable(std::int64_t n_synapses, std::int64_t state_size,
               std::optional<ElementType> inputs = std::nullopt);

  // A session at step 0 whose state is 0. Throws std::bad_alloc.
  std::int64_t Open(std::uint64_t seed);
  void Close(std::int64_t number);
  // The open session of that number, or null.
  Session* Find(std::int64_t number);
  // How many planes the next state of a call of n_timesteps has: the state, or the newest inputs.
  std::int64_t NextStateSize(std::int64_t n_timesteps) const {
    return inputs_.has_value() ? std::min(state_size_, n_timesteps) : state_size_;
  }
  // Moves a session on by n_timesteps, given the next state of the call.
  void Advance(Session& session, State next_state, std::int64_t n_timesteps) const;
  void Read(const Session& session, NextState to) const;
  void Write(Session& session, State state) const;

  // Memory for the next states of a call, valid until the next call of this function.
  double* Scratch(std::size_t size);

  std::int64_t n_synapses() const { return n_synapses_; }
  std::int64_t state_size() const { return state_size_; }
  bool has_inputs() const { return inputs_.has_value(); }
  std::size_t size_in_bytes() const;
  // Bytes of one session's state.
  std::size_t state_size_in_bytes() const {
    return static_cast<std::size_t>(session_size()) * sizeof(double);
  }

 private:
  void Copy(State from, NextState to) const;
  // Doubles of one session's state.
  std::int64_t session_size() const { return state_size_ * n_synapses_; }

  std::int64_t n_synapses_;
  std::int64_t state_size_;
  std::optional<ElementType> inputs_;
  // Memory of the histories.
  std::shared_ptr<std::atomic<std::size_t>> history_bytes_ =
      std::make_shared<std::atomic<std::size_t>>(0);
  std::int64_t sessions_per_block_;
  std::vector<AlignedBuffer<double>> blocks_;
  std::deque<Session> sessions_;
  std::vector<std::int64_t> closed_;
  AlignedBuffer<double> scratch_;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_SESSIONS_H_
