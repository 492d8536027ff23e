#ifndef EXPSYN_BINDING_CALLS_H_
#define EXPSYN_BINDING_CALLS_H_

#include <napi.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "aligned_buffer.h"
#include "arguments.h"
#include "call_details.h"
#include "evolve.h"
#include "handles.h"
#include "kernel/kernel.h"
#include "sessions.h"

namespace expsyn::binding {

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

  // The synapses, their kernel and `items` must outlive the call. No other call may use `items`
  // meanwhile.
  SynapsesCall(const Arguments& arguments, SynapsesHandle& synapses, Kind kind, CallItems& items);

  // The number of an asynchronous call.
  std::uint64_t id(const Arguments& arguments) const;
  // Which queue of the worker pool is for the call.
  WorkerPool::Kind queue() const;

  // Copies the input if the output overlaps it, because each input is read again one window later.
  // An asynchronous call needs this before Run().
  void ProtectInput();
  // Computes, on any thread. Returns false when the call was cancelled.
  bool Run(const std::atomic<bool>& cancelled);
  // Computes on JavaScript's thread and advances the sessions. An input that is refused is still
  // complete, even if the output overlaps it.
  napi_value RunHere(napi_env env);
  // Hands the results over to JavaScript, unless they are in its own memory anyway. To be called on
  // JavaScript's thread when Run() has ended there.
  void WriteBack(const Arguments& arguments) const;
  // What the method returns. To be called on JavaScript's thread after Run().
  napi_value Result(napi_env env);

 private:
  void ReadArrays(const Arguments& arguments, std::size_t input_position,
                  std::size_t output_position);
  void ReadDetailedArrays(const Arguments& arguments, std::size_t input_position,
                          std::size_t output_position);
  PartialGroup PartialOf(std::int64_t item) const;
  // Refuses an output that does not hold the steps of each item that are kept.
  void CheckKept(const Arguments& arguments, std::size_t output_position) const;
  napi_value FailureOf(napi_env env, const ItemFailure& failure) const;
  void ReadBatch(const Arguments& arguments);
  void ReadSessions(const Arguments& arguments);

  template <typename Real>
  bool RunAs(const std::atomic<bool>& cancelled);
  // Makes the list of the events that are the input. Returns whether the call can go on.
  bool ListEvents();
  // Adds the sessions that have an event without a place to the failures.
  void FailEvents();
  // Adds the sessions that would go beyond the last step to the failures, whatever their input is.
  void FailOutOfSteps();
  // Restores the input of the items that failed where the output has overwritten it.
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
  CallItems& items_;
  std::int64_t first_synapse_ = 0;
  AlignedBuffer<char> input_copy_;
  std::optional<CallDetails> details_;
  std::optional<EventList> events_;

  // Of sessions only.
  SessionTableHandle* table_handle_ = nullptr;
  std::shared_ptr<SessionTable> table_;
  std::vector<std::int64_t> out_of_steps_;  // items, ascending

  std::vector<ItemFailure> failures_;    // by item, ascending
  const EventFault* refused_ = nullptr;  // an event of none of the sessions
  bool is_done_ = false;
};

// commitSessions(table, numbers, nextStates, timesteps)
napi_value CommitSessions(const Arguments& arguments);

}  // namespace expsyn::binding

#endif  // EXPSYN_BINDING_CALLS_H_
