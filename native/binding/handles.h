#ifndef EXPSYN_BINDING_HANDLES_H_
#define EXPSYN_BINDING_HANDLES_H_

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_set>

#include "job_queue.h"
#include "kernel/kernel.h"
#include "load.h"
#include "sessions.h"

namespace expsyn::binding {

// What belongs to one JavaScript environment.
struct Environment {
  explicit Environment(Napi::Env env) : jobs(env) {}
  EnvironmentLoad load;
  JobQueue jobs;
  // The handles that exist, by kind: a foreign object that wraps something is told by its absence,
  // which takes less time than a type tag.
  std::unordered_set<const void*> kernels;
  std::unordered_set<const void*> session_tables;
};

// Tells V8 of memory that it does not see, so that it collects the handles that hold it.
class ReportedMemory {
 public:
  void Report(Napi::BasicEnv env, std::size_t size_in_bytes) {
    const auto now = static_cast<std::int64_t>(size_in_bytes);
    if (now == reported_) return;
    Napi::MemoryManagement::AdjustExternalMemory(env, now - reported_);
    ProcessLoad::Shared().AddMemory(now - reported_);
    reported_ = now;
  }

 private:
  std::int64_t reported_ = 0;
};

// JavaScript's handle on kernels; frees them when it is released or collected and no call uses
// them.
class KernelsHandle : public Napi::ObjectWrap<KernelsHandle> {
 public:
  static Napi::Function Define(Napi::Env env) { return DefineClass(env, "Kernels", {}); }

  // new Kernels(tau: Float64Array (seconds, one a synapse), dt (seconds), windowLength (steps; 0
  // for one that is not cut))
  explicit KernelsHandle(const Napi::CallbackInfo& info);
  ~KernelsHandle() override;
  void Finalize(Napi::BasicEnv env) override { memory_.Report(env, 0); }

  // The handle that is the argument at `position`. Throws a Napi::Error for anything else.
  static KernelsHandle& From(const Napi::CallbackInfo& info, std::size_t position);

  // Throws a Napi::Error when they have been released.
  const std::shared_ptr<const Kernel>& kernel(Napi::Env env) const;
  // Frees them now, or when the last call that uses them ends.
  void Release(Napi::Env env);
  // To be called after the kernels were used: they prepare spectra at first use.
  void ReportMemory(Napi::Env env);

 private:
  Environment* environment_ = nullptr;
  std::shared_ptr<const Kernel> kernel_;
  ReportedMemory memory_;
};

// JavaScript's handle on the sessions of a module.
class SessionTableHandle : public Napi::ObjectWrap<SessionTableHandle> {
 public:
  static Napi::Function Define(Napi::Env env) { return DefineClass(env, "SessionTable", {}); }

  // new SessionTable(size (synapses))
  explicit SessionTableHandle(const Napi::CallbackInfo& info);
  ~SessionTableHandle() override;
  void Finalize(Napi::BasicEnv env) override { memory_.Report(env, 0); }

  static SessionTableHandle& From(const Napi::CallbackInfo& info, std::size_t position);

  // Calls hold on to it.
  const std::shared_ptr<SessionTable>& table() const { return table_; }
  // To be called after a session was opened.
  void ReportMemory(Napi::Env env);

 private:
  Environment* environment_ = nullptr;
  std::shared_ptr<SessionTable> table_;
  ReportedMemory memory_;
};

}  // namespace expsyn::binding

#endif  // EXPSYN_BINDING_HANDLES_H_
