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

// The arguments that every call of the core takes, unpacked. Positions are those in lib/native.ts.
//
// Pointers are taken in the constructors: no JavaScript runs between them and a call on the same
// thread, and the arrays of one on another thread are out of JavaScript's reach.
class Call {
 public:
  enum Position : std::size_t {
    kKernels,
    kMethod,
    kInput,
    kBatches,
    kTimesteps,
    kIsInputPerSynapse,
    kOutput,
    kThrowNonFinite,
    kNoisePlacement,
    kNoiseScale,
    kIsStateNoisy,
    kThreads,
    kOwn,  // the first one that is a kind's own
  };

  // Each input is read again one window later, so it must outlast an output that is put over it.
  bool IsInputWrittenOver() const;
  void CopyInput();
  // Puts back what CopyInput() has copied, if anything, from within that part of the output.
  void RestoreInput(const char* begin, const char* end);
  // To be called on JavaScript's thread when the call is over.
  void ReportMemory(Napi::Env env) const { handle_.ReportMemory(env); }

 protected:
  explicit Call(const Napi::CallbackInfo& info);

  bool HasAtMost(std::int64_t n_samples) const {
    return expsyn::HasAtMost(n_samples, raster_, n_synapses());
  }
  std::int64_t n_synapses() const { return kernel_->n_synapses(); }
  // Runs the items with the call's settings.
  template <typename Real>
  EvolveResult EvolveItems(const std::vector<Item>& items, std::int64_t first_synapse,
                           FailurePolicy policy, const std::atomic<bool>& cancelled) const;

  KernelsHandle& handle_;
  std::shared_ptr<const Kernel> kernel_;
  ElementType dtype_ = ElementType::kFloat64;
  Settings settings_;
  Raster raster_;
  void* output_data_ = nullptr;

 private:
  ArrayView input_{};
  ArrayView output_{};
  AlignedBuffer<char> input_copy_;
};

// A call of evolve(): B batch items with one step and seed.
class BatchCall : public Call {
 public:
  enum Position : std::size_t {
    kState = kOwn,
    kIsStateShared,
    kNextState,
    kSeed,
    kStep,
    kFirstBatch,
    kFirstSynapse,
    kId,  // of evolveAsync() only
  };
  // What must stay alive while the call runs on another thread.
  static constexpr std::size_t kHeld[] = {kKernels, kInput, kOutput, kState, kNextState};

  explicit BatchCall(const Napi::CallbackInfo& info);

  bool IsShort() const { return HasAtMost(kShortSamples); }

  // -1, the flat index of the first non-finite element of the input, or JobQueue::kCancelled.
  double Run(const std::atomic<bool>& cancelled) const;
  // The same on JavaScript's thread. Whatever is refused is found before an output that overlaps
  // the input is written.
  Napi::Value RunHere(Napi::Env env);
  Napi::Value Result(Napi::Env env, double value) const;

 private:
  template <typename Real>
  double RunAs(const std::atomic<bool>& cancelled) const;

  std::vector<Item> items_;
  std::int64_t first_synapse_ = 0;
};

// A call of evolveSessions(): K sessions, each with a state, step and seed of its own.
class GatheredCall : public Call {
 public:
  enum Position : std::size_t {
    kTable = kOwn,
    kNumbers,
    kNextStates,  // of evolveSessionsAsync() only
    kId,          // likewise
  };
  static constexpr std::size_t kHeld[] = {kKernels, kInput, kOutput, kTable, kNextStates};

  // With `is_async`, the next states go to an array and the sessions stay where they are.
  GatheredCall(const Napi::CallbackInfo& info, bool is_async);
  explicit GatheredCall(const Napi::CallbackInfo& info) : GatheredCall(info, true) {}

  // The step of thousands of sessions counts as short too: none of them is to wait for a long call.
  // What is shorter still may wait some milliseconds for it.
  bool IsShort() const {
    return HasAtMost(raster_.n_batches == 1 ? kShortSamples : kShortGatheredSamples);
  }

  // The table's scratch memory may have grown.
  void ReportMemory(Napi::Env env) const {
    Call::ReportMemory(env);
    table_handle_.ReportMemory(env);
  }

  // -1, the number of sessions that failed, or JobQueue::kCancelled.
  double Run(const std::atomic<bool>& cancelled);
  // The same on JavaScript's thread; moves the sessions on that did not fail.
  Napi::Value RunHere(Napi::Env env);
  // -1, JobQueue::kCancelled, or an array [item, index, item, index, ...] of the sessions that
  // failed: `index` is that of the non-finite value, or kOutOfSteps.
  Napi::Value Result(Napi::Env env, double value) const;

 private:
  static constexpr std::int64_t kShortGatheredSamples = 1 << 20;
  // In the place of an index: the call would take the session to step 2^53 or beyond.
  static constexpr std::int64_t kOutOfSteps = -1;

  template <typename Real>
  double RunAs(const std::atomic<bool>& cancelled);
  // Adds the sessions that would go too far to the failures, whatever their input holds.
  void FailOutOfSteps();
  void Advance() const;

  SessionTableHandle& table_handle_;
  std::shared_ptr<SessionTable> table_;
  std::vector<Session*> sessions_;
  std::vector<Item> items_;
  NextState next_states_;
  std::vector<std::int64_t> out_of_steps_;  // items, ascending
  std::vector<ItemFailure> failures_;       // by item, ascending
};

// commitSessions(table, numbers, nextStates, timesteps): moves sessions on after
// evolveSessionsAsync(); numbers that are no session's are passed over.
void CommitSessions(const Napi::CallbackInfo& info);

}  // namespace expsyn::binding

#endif  // EXPSYN_BINDING_CALLS_H_
