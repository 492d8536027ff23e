#ifndef EXPSYN_BINDING_HANDLES_H_
#define EXPSYN_BINDING_HANDLES_H_

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <typeinfo>
#include <unordered_set>
#include <utility>
#include <vector>

#include "arguments.h"
#include "evolve.h"
#include "job_queue.h"
#include "kernel/kernel.h"
#include "load.h"
#include "sessions.h"
#include "settings.h"

namespace expsyn::binding {

// What a JavaScript object holds in native memory. It is freed when the object is collected.
class Handle {
 public:
  Handle() = default;
  virtual ~Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  // Called before the handle is destroyed. Must not run JavaScript.
  virtual void Finalize(napi_env) {}
};

// What belongs to one JavaScript environment.
struct Environment {
  explicit Environment(Napi::Env env) : jobs(env) {}

  static Environment& Of(napi_env env) {
    void* data = nullptr;
    Require(env, napi_get_instance_data(env, &data));
    return *static_cast<Environment*>(data);
  }

  EnvironmentLoad load;
  JobQueue jobs;
  // All handles that exist. An object of another addon is recognised because its data is not among
  // them; that takes less time than a type tag.
  std::unordered_set<const void*> handles;
};

// Reports memory that V8 does not see, so that it collects the handles that own it in time.
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

// A kernel that JavaScript can release while synapses and calls still refer to it.
class ReleasableKernel {
 public:
  ReleasableKernel(napi_env env, std::shared_ptr<const Kernel> kernel);

  // Throws a Napi::Error when the kernel has been released. Calls on other threads keep a copy.
  const std::shared_ptr<const Kernel>& Get(napi_env env) const;
  // Frees the kernel now, or when the last call that uses it ends.
  void Release(napi_env env);
  // To be called after the kernel was used: it prepares spectra at first use.
  void ReportMemory(napi_env env) {
    memory_.Report(env, kernel_ == nullptr ? 0 : kernel_->size_in_bytes());
  }

 private:
  std::shared_ptr<const Kernel> kernel_;
  ReportedMemory memory_;
};

// A handle that shares a kernel. The last one of a kernel releases it.
class SharedKernelHandle : public Handle {
 public:
  explicit SharedKernelHandle(std::shared_ptr<ReleasableKernel> kernel)
      : kernel_(std::move(kernel)) {}
  void Finalize(napi_env env) override {
    if (kernel_.use_count() == 1) kernel_->Release(env);
  }

  const std::shared_ptr<ReleasableKernel>& shared_kernel() const { return kernel_; }
  ReleasableKernel& kernel() const { return *kernel_; }

 private:
  std::shared_ptr<ReleasableKernel> kernel_;
};

// new Kernel(name, size, parameters, dt, windowTaus, maxWindowLength, normalise, samples, columns)
class KernelHandle final : public SharedKernelHandle {
 public:
  static constexpr const char* kName = "Kernel";
  explicit KernelHandle(const Arguments& arguments);
};

// The items of a call and, if it is for sessions, their sessions.
struct CallItems {
  std::vector<Item> items;
  std::vector<Session*> sessions;
};

// new Synapses(kernel, settings): a kernel and all that calls have in common.
class SynapsesHandle final : public SharedKernelHandle {
 public:
  static constexpr const char* kName = "Synapses";
  explicit SynapsesHandle(const Arguments& arguments);
  void Finalize(napi_env env) override;

  ElementType dtype() const { return settings_.dtype; }
  const Settings& settings() const { return settings_.settings; }
  // For calls on JavaScript's thread, of which there is one at a time: with thousands of items,
  // allocating them takes a noticeable part of a call of one step.
  CallItems& reused_items() { return reused_items_; }
  // To be called after a call.
  void ReportMemory(napi_env env);

 private:
  ParsedSettings settings_;
  CallItems reused_items_;
  ReportedMemory memory_;
};

// new SessionTable(size, stateSize, inputs)
class SessionTableHandle final : public Handle {
 public:
  static constexpr const char* kName = "SessionTable";
  explicit SessionTableHandle(const Arguments& arguments);
  void Finalize(napi_env env) override { memory_.Report(env, 0); }

  // Calls on other threads keep a copy.
  const std::shared_ptr<SessionTable>& table() const { return table_; }
  // To be called after a session was opened.
  void ReportMemory(napi_env env) { memory_.Report(env, table_->size_in_bytes()); }

 private:
  std::shared_ptr<SessionTable> table_;
  ReportedMemory memory_;
};

// The handle of an object; throws a Napi::Error unless it is one of that kind.
template <typename Kind>
Kind& HandleOf(napi_env env, napi_value value) {
  void* data = nullptr;
  if (napi_unwrap(env, value, &data) == napi_ok && Environment::Of(env).handles.count(data) != 0) {
    auto* const handle = static_cast<Handle*>(data);
    if (typeid(*handle) == typeid(Kind)) return *static_cast<Kind*>(handle);
  }
  throw ArgumentError(env, std::string("Expected a native ") + Kind::kName + ".");
}

}  // namespace expsyn::binding

#endif  // EXPSYN_BINDING_HANDLES_H_
