#ifndef EXPSYN_CORE_INPUT_HISTORY_H_
#define EXPSYN_CORE_INPUT_HISTORY_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>

#include "aligned_buffer.h"
#include "kernel/state.h"
#include "raster.h"

namespace expsyn {

// What a method keeps between the calls of a session. It follows from the inputs of the session and
// its step, so it may be thrown away at any time.
class SessionCache {
 public:
  virtual ~SessionCache() = default;
  virtual std::size_t size_in_bytes() const = 0;
};

// The state of a session whose kernel has no recursion: its last inputs, as a ring of rows in the
// precision of the session's element type.
//
// The thread that computes a call holds `lock`, and so does a change of the inputs, because a call
// that was aborted may still be running. Reading needs no lock: nothing changes the inputs
// meanwhile.
class InputHistory {
 public:
  // Of n_rows steps of n_synapses; all inputs are 0. `dtype` is kFloat32 or kFloat64. Its memory is
  // added to `total`, which many of them share.
  InputHistory(std::int64_t n_synapses, std::int64_t n_rows, ElementType dtype,
               std::shared_ptr<std::atomic<std::size_t>> total);
  ~InputHistory();
  InputHistory(const InputHistory&) = delete;
  InputHistory& operator=(const InputHistory&) = delete;

  std::int64_t n_synapses() const { return n_synapses_; }
  std::int64_t n_rows() const { return n_rows_; }

  void Clear();
  // Replaces the inputs; plane p is the input p steps before the last one.
  void Write(State state);
  // Adds the inputs of n_timesteps steps. `state` has the newest of them, at most n_rows() planes.
  void Append(State state, std::int64_t n_timesteps);
  void Read(NextState to) const;

  // The row of the step `age` steps before the last one, 0 <= age < n_rows().
  template <typename Real>
  const Real* Row(std::int64_t age) const {
    const std::int64_t place = newest_ - age;
    return Values<Real>() + (place < 0 ? place + n_rows_ : place) * n_synapses_;
  }
  // How many rows follow each other in memory from Row(age) on, each a step later.
  std::int64_t RowsFrom(std::int64_t age) const {
    const std::int64_t place = newest_ - age;
    return std::min(place < 0 ? -place : n_rows_ - place, age + 1);
  }
  // Whether an input is NaN or infinite.
  bool HasNonFinite() const { return n_finite_ < n_rows_; }

  std::mutex& lock() const { return lock_; }
  // Guarded by lock().
  SessionCache* cache() const { return cache_.get(); }
  void SetCache(std::unique_ptr<SessionCache> cache);

 private:
  template <typename Real>
  const Real* Values() const {
    if constexpr (sizeof(Real) == sizeof(float)) {
      return values32_.data();
    } else {
      return values64_.data();
    }
  }
  void WriteRow(const double* row);
  std::size_t OwnBytes() const;

  std::int64_t n_synapses_;
  std::int64_t n_rows_;
  bool is_single_;
  AlignedBuffer<float> values32_;
  AlignedBuffer<double> values64_;
  std::int64_t newest_ = 0;    // row of the last step
  std::int64_t n_finite_ = 0;  // rows since the last one with a non-finite input
  std::shared_ptr<std::atomic<std::size_t>> total_;
  mutable std::mutex lock_;
  std::unique_ptr<SessionCache> cache_;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_INPUT_HISTORY_H_
