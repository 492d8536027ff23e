#ifndef EXPSYN_BINDING_CALLS_H_
#define EXPSYN_BINDING_CALLS_H_

#include <napi.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "aligned_buffer.h"
#include "arguments.h"
#include "evolve.h"
#include "handles.h"
#include "kernel/kernel.h"
#include "sessions.h"

namespace expsyn::binding {

// One element for each item of a call. A single item, as most calls of a server have, needs no
// allocation.
template <typename Element>
class PerItem {
 public:
  PerItem() = default;
  PerItem(const PerItem&) = delete;
  PerItem& operator=(const PerItem&) = delete;

  void Resize(std::int64_t n_items) {
    if (n_items > 1) many_.resize(static_cast<std::size_t>(n_items));
  }
  Element* data() { return many_.empty() ? &single_ : many_.data(); }
  Element& operator[](std::int64_t item) { return data()[item]; }

 private:
  Element single_{};
  std::vector<Element> many_;
};

// One call of the core, from the arguments of a method of `Synapses` to its result.
//
// Pointers are taken in the constructor: no JavaScript runs between it and a call on the same
// thread, and the arrays of a call on another thread are out of JavaScript's reach.
class SynapsesCall {
 public:
  enum class Kind {
    kBatch,          // evolve(...), evolveAsync(...)
    kSessions,       // evolveSessions(...)
    kSessionsAsync,  // evolveSessionsAsync(...): the sessions stay where they are
  };

  // The synapses and their kernel must outlive the call.
  SynapsesCall(const Arguments& arguments, SynapsesHandle& synapses, Kind kind);

  // The number of an asynchronous call.
  std::uint64_t id(const Arguments& arguments) const;
  // Which queue of the worker pool is for the call.
  WorkerPool::Kind queue() const;

  // Copies the input if the output lies over it: each element is read again one window later. To
  // be called before Run() where the call is asynchronous.
  void ProtectInput();
  // Computes, on any thread. Returns false when the call was cancelled.
  bool Run(const std::atomic<bool>& cancelled);
  // Computes on JavaScript's thread and moves the sessions on. Whatever is refused is found before
  // an output over the input is written.
  napi_value RunHere(napi_env env);
  // What JavaScript gets. To be called on its thread after Run().
  napi_value Result(napi_env env);

 private:
  void ReadArrays(const Arguments& arguments, std::size_t input_position,
                  std::size_t output_position);
  void ReadBatch(const Arguments& arguments);
  void ReadSessions(const Arguments& arguments);

  template <typename Real>
  bool RunAs(const std::atomic<bool>& cancelled);
  // Adds the sessions that would go too far to the failures, whatever their input holds.
  void FailOutOfSteps();
  // Gives the items that failed their input back, where the output was written over it.
  void RestoreInput();
  void Advance();

  const Settings& settings() const { return synapses_.settings(); }
  std::int64_t n_synapses() const { return kernel_.n_synapses(); }

  const Kind kind_;
  SynapsesHandle& synapses_;
  const Kernel& kernel_;
  ArrayView input_{};
  ArrayView output_{};
  Raster raster_;
  PerItem<Item> items_;
  std::int64_t first_synapse_ = 0;
  AlignedBuffer<char> input_copy_;

  // Of sessions only.
  SessionTableHandle* table_handle_ = nullptr;
  std::shared_ptr<SessionTable> table_;
  PerItem<Session*> sessions_;
  std::vector<std::int64_t> out_of_steps_;  // items, ascending

  std::vector<ItemFailure> failures_;  // by item, ascending
};

// commitSessions(table, numbers, nextStates, timesteps)
napi_value CommitSessions(const Arguments& arguments);

}  // namespace expsyn::binding

#endif  // EXPSYN_BINDING_CALLS_H_
