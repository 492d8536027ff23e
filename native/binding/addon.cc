// The entry points that lib/native.ts declares: each unpacks its arguments, calls the core and
// returns. Nothing is computed here.

#include <napi.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <iterator>
#include <memory>

#include "arguments.h"
#include "calls.h"
#include "errors.h"
#include "handles.h"
#include "job_queue.h"
#include "load.h"
#include "simd/instruction_set.h"
#ifdef EXPSYN_FAULTS
#include "define_faults.h"
#endif

namespace expsyn::binding {

namespace {

// A function as JavaScript calls it: whatever is thrown, by unpacking the arguments too, becomes a
// JavaScript error.
template <auto function>
napi_value Entry(napi_env env, napi_callback_info info) noexcept {
  try {
    const Napi::CallbackInfo arguments(env, info);
    if constexpr (std::is_void_v<decltype(function(arguments))>) {
      function(arguments);
    } else {
      return function(arguments);
    }
  } catch (...) {
    ThrowInJavaScript(env, std::current_exception());
  }
  return nullptr;
}

template <typename Kind>
Napi::Value RunHere(const Napi::CallbackInfo& info, Kind&& call) {
  const Napi::Value result = call.RunHere(info.Env());
  call.ReportMemory(info.Env());
  return result;
}

// evolve(...): see lib/native.ts, as for the others.
Napi::Value EvolveHere(const Napi::CallbackInfo& info) { return RunHere(info, BatchCall(info)); }

Napi::Value EvolveSessionsHere(const Napi::CallbackInfo& info) {
  return RunHere(info, GatheredCall(info, false));
}

// evolveAsync(...), evolveSessionsAsync(...). The arrays must be out of JavaScript's reach, or
// shared memory, until the promise settles.
template <typename Kind>
Napi::Value RunOnPool(const Napi::CallbackInfo& info) {
  auto call = std::make_shared<Kind>(info);
  if (call->IsInputWrittenOver()) call->CopyInput();
  JobQueue::Job job;
  job.id = static_cast<std::uint64_t>(Arguments(info).Size(Kind::kId));
  job.kind = call->IsShort() ? WorkerPool::Kind::kShort : WorkerPool::Kind::kLong;
  job.held.reserve(std::size(Kind::kHeld));
  for (const std::size_t position : Kind::kHeld) {
    job.held.push_back(Napi::Persistent(info[position].As<Napi::Object>()));
  }
  job.work = [call](const std::atomic<bool>& cancelled) { return call->Run(cancelled); };
  job.result = [call](Napi::Env env, double value) {
    call->ReportMemory(env);
    return call->Result(env, value);
  };
  return info.Env().GetInstanceData<Environment>()->jobs.Start(info.Env(), std::move(job));
}

// admit(bytes): whether the process's limits leave room for a call.
Napi::Value AdmitCall(const Napi::CallbackInfo& info) {
  const std::int64_t bytes = Arguments(info).Size(0);
  return Napi::Boolean::New(info.Env(),
                            info.Env().GetInstanceData<Environment>()->load.Admit(bytes));
}

// leave(bytes, outcome, seconds): the end of a call that was admitted.
void LeaveCall(const Napi::CallbackInfo& info) {
  const Arguments arguments(info);
  const auto outcome =
      static_cast<ProcessLoad::Outcome>(std::min<std::int64_t>(arguments.Size(1), 2));
  info.Env().GetInstanceData<Environment>()->load.Leave(arguments.Size(0), outcome,
                                                        arguments.Number(2));
}

// setLimits(calls, bytes, isDefault)
void SetLimits(const Napi::CallbackInfo& info) {
  const Arguments arguments(info);
  const std::int64_t calls = arguments.Size(0);
  const std::int64_t bytes = arguments.Size(1);
  if (arguments.Boolean(2)) {
    ProcessLoad::Shared().SetDefaultLimits(calls, bytes);
  } else {
    ProcessLoad::Shared().SetLimits(calls, bytes);
  }
}

// readLoad(): the numbers of ProcessLoad::Snapshot, in its order.
Napi::Value ReadLoad(const Napi::CallbackInfo& info) {
  const ProcessLoad::Snapshot now = ProcessLoad::Shared().Read();
  const double values[] = {static_cast<double>(now.calls),
                           static_cast<double>(now.bytes),
                           static_cast<double>(now.running),
                           static_cast<double>(now.done),
                           static_cast<double>(now.failed),
                           static_cast<double>(now.aborted),
                           static_cast<double>(now.rejected),
                           now.pending_seconds,
                           now.running_seconds,
                           static_cast<double>(now.max_calls),
                           static_cast<double>(now.max_bytes),
                           static_cast<double>(now.memory),
                           static_cast<double>(now.abandoned)};
  Napi::Array array = Napi::Array::New(info.Env(), std::size(values));
  for (std::uint32_t i = 0; i < std::size(values); ++i) {
    array[i] = Napi::Number::New(info.Env(), values[i]);
  }
  return array;
}

// cancel(id, isAbandoned): ends the call that has this number, if it is not over.
void CancelCall(const Napi::CallbackInfo& info) {
  const auto id = static_cast<std::uint64_t>(Arguments(info).Size(0));
  const bool is_abandoned = Arguments(info).Boolean(1);
  info.Env().GetInstanceData<Environment>()->jobs.Cancel(info.Env(), id, is_abandoned);
}

// release(kernels)
void ReleaseKernels(const Napi::CallbackInfo& info) {
  KernelsHandle::From(info, 0).Release(info.Env());
}

// openSession(table, seed): the number of a session at step 0 whose state is 0.
Napi::Value OpenSession(const Napi::CallbackInfo& info) {
  SessionTableHandle& handle = SessionTableHandle::From(info, 0);
  const auto seed = static_cast<std::uint64_t>(Arguments(info).Size(1));
  const std::int64_t number = handle.table()->Open(seed);
  handle.ReportMemory(info.Env());
  return Napi::Number::New(info.Env(), static_cast<double>(number));
}

// closeSession(table, number)
void CloseSession(const Napi::CallbackInfo& info) {
  SessionTableHandle::From(info, 0).table()->Close(Arguments(info).Size(1));
}

// A session of a table, and an array for its state.
struct SessionAndState {
  SessionTable& table;
  Session& session;
  double* state;  // (2, N), or null
};

// Argument 0 is the table, argument 1 the session's number, argument 2 the array or undefined.
SessionAndState SessionOf(const Napi::CallbackInfo& info) {
  const Arguments arguments(info);
  SessionTable& table = *SessionTableHandle::From(info, 0).table();
  Session* session = table.Find(arguments.Size(1));
  if (session == nullptr) throw ArgumentError(info.Env(), "Expected an open session.");
  double* state = nullptr;
  if (!info[2].IsUndefined()) {
    const auto size = static_cast<std::size_t>(table.state_size() * table.n_synapses());
    state = static_cast<double*>(arguments.Array(2, ElementType::kFloat64, size).data);
  }
  return {table, *session, state};
}

// readSession(table, number, state): fills state, if there is one, and returns the step.
Napi::Value ReadSession(const Napi::CallbackInfo& info) {
  const auto [table, session, state] = SessionOf(info);
  if (state != nullptr) {
    table.Copy(session.state.view(), {state, table.n_synapses()});
  }
  return Napi::Number::New(info.Env(), static_cast<double>(session.step));
}

// writeSession(table, number, state, step, seed): sets them; without a state, that is left as it
// is.
void WriteSession(const Napi::CallbackInfo& info) {
  const auto step = static_cast<std::uint64_t>(Arguments(info).Size(3));
  const auto seed = static_cast<std::uint64_t>(Arguments(info).Size(4));
  const auto [table, session, state] = SessionOf(info);
  if (state != nullptr) {
    table.Copy({state, table.n_synapses()}, session.state);
  }
  session.step = step;
  session.seed = seed;
}

// instructionSet(): the vector instructions in use.
Napi::Value InstructionSetInUse(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), simd::ActiveInstructionSet().name);
}

// chooseMethod(kernels, timesteps): 0 for 'fft', 1 for 'recursive'.
Napi::Value ChooseMethodFor(const Napi::CallbackInfo& info) {
  const Kernel& kernel = *KernelsHandle::From(info, 0).kernel(info.Env());
  const Method method = ChooseMethod(kernel, Arguments(info).Size(1));
  return Napi::Number::New(info.Env(), method == Method::kFft ? 0 : 1);
}

template <auto function>
void Define(Napi::Object exports, const char* name) {
  napi_value entry = nullptr;
  if (napi_create_function(exports.Env(), name, NAPI_AUTO_LENGTH, Entry<function>, nullptr,
                           &entry) != napi_ok) {
    throw Napi::Error::New(exports.Env());
  }
  exports.Set(name, entry);
}

Napi::Object Initialize(Napi::Env env, Napi::Object exports) {
  // Found wrong now rather than by the first call.
  simd::ActiveInstructionSet();
  env.SetInstanceData(new Environment(env));
  exports.Set("Kernels", KernelsHandle::Define(env));
  exports.Set("SessionTable", SessionTableHandle::Define(env));
  Define<EvolveHere>(exports, "evolve");
  Define<RunOnPool<BatchCall>>(exports, "evolveAsync");
  Define<EvolveSessionsHere>(exports, "evolveSessions");
  Define<RunOnPool<GatheredCall>>(exports, "evolveSessionsAsync");
  Define<CommitSessions>(exports, "commitSessions");
  Define<CancelCall>(exports, "cancel");
  Define<AdmitCall>(exports, "admit");
  Define<LeaveCall>(exports, "leave");
  Define<SetLimits>(exports, "setLimits");
  Define<ReadLoad>(exports, "readLoad");
  Define<ReleaseKernels>(exports, "release");
  Define<OpenSession>(exports, "openSession");
  Define<CloseSession>(exports, "closeSession");
  Define<ReadSession>(exports, "readSession");
  Define<WriteSession>(exports, "writeSession");
  Define<InstructionSetInUse>(exports, "instructionSet");
  Define<ChooseMethodFor>(exports, "chooseMethod");
#ifdef EXPSYN_FAULTS
  test::DefineFaults(env, exports);
#endif
  return exports;
}

}  // namespace

}  // namespace expsyn::binding

NAPI_MODULE_INIT() {
  try {
    return expsyn::binding::Initialize(env, Napi::Object(env, exports));
  } catch (...) {
    expsyn::binding::ThrowInJavaScript(env, std::current_exception());
    return nullptr;
  }
}
