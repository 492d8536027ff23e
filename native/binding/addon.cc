// The entry points that lib/native/native.ts declares and documents: each unpacks its arguments,
// calls the core and returns. Nothing is computed here.

#include <napi.h>

#include <atomic>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "arguments.h"
#include "calls.h"
#include "errors.h"
#include "event_lists.h"
#include "handles.h"
#include "job_queue.h"
#include "load.h"
#include "method/fftw_library.h"
#include "settings.h"
#include "simd/instruction_set.h"
#include "values.h"
#ifdef EXPSYN_FAULTS
#include "define_faults.h"
#endif

namespace expsyn::binding {

namespace {

// `function` as JavaScript calls it: every exception, also one from unpacking the arguments,
// becomes a JavaScript error.
template <napi_value (*function)(const Arguments&)>
napi_value Entry(napi_env env, napi_callback_info info) noexcept {
  try {
    return function(Arguments(env, info));
  } catch (...) {
    ThrowInJavaScript(env, std::current_exception());
  }
  return nullptr;
}

using Kind = SynapsesCall::Kind;

// synapses.evolve(...), synapses.evolveSessions(...): functions that are made with their object;
// see AddFunction().
template <Kind kind>
napi_value RunHere(const Arguments& arguments) {
  auto& synapses = *static_cast<SynapsesHandle*>(arguments.data());
  SynapsesCall call(arguments, synapses, kind, synapses.reused_items());
  const napi_value result = call.RunHere(arguments.env());
  call.WriteBack(arguments);
  return result;
}

// synapses.evolveAsync(...), synapses.evolveSessionsAsync(...)
template <Kind kind>
napi_value RunOnPool(const Arguments& arguments) {
  auto& synapses = HandleOf<SynapsesHandle>(arguments.env(), arguments.receiver());
  // The kernel may be released while the call runs.
  const std::shared_ptr<const Kernel> kernel = synapses.kernel().Get(arguments.env());
  const auto items = std::make_shared<CallItems>();
  auto call = std::make_shared<SynapsesCall>(arguments, synapses, kind, *items);
  call->ProtectInput();
  JobQueue::Job job;
  job.id = call->id(arguments);
  job.kind = call->queue();
  job.held = arguments.HoldObjects();
  job.work = [call, kernel, items](const std::atomic<bool>& cancelled) {
    return call->Run(cancelled);
  };
  job.result = [call](napi_env env) { return call->Result(env); };
  const Napi::Value promise =
      Environment::Of(arguments.env()).jobs.Start(arguments.env(), std::move(job));
  call->WriteBack(arguments);
  return promise;
}

// synapses.methodFor(timesteps, isSession)
napi_value MethodFor(const Arguments& arguments) {
  const napi_env env = arguments.env();
  auto& synapses = HandleOf<SynapsesHandle>(env, arguments.receiver());
  const auto choose = arguments.Boolean(1) ? ChooseSessionMethod : ChooseMethod;
  const Method method = choose(*synapses.kernel().Get(env), synapses.settings().method,
                               arguments.Size(0), synapses.dtype());
  return ToString(env, NameOf(method));
}

// synapses.lacksFftw(timesteps, isSession)
napi_value SynapsesLackFftw(const Arguments& arguments) {
  const napi_env env = arguments.env();
  auto& synapses = HandleOf<SynapsesHandle>(env, arguments.receiver());
  return ToBoolean(env, LacksFftw(*synapses.kernel().Get(env), synapses.settings().method,
                                  arguments.Size(0), synapses.dtype(), arguments.Boolean(1)));
}

template <typename Real>
napi_value DescribeFftw(napi_env env) {
  const FftwLibrary<Real>& fftw = Fftw<Real>();
  if (!fftw.is_loaded()) return ToObject(env, {{"reason", ToString(env, fftw.reason)}});
  return ToObject(env,
                  {{"path", ToString(env, fftw.path)}, {"version", ToString(env, fftw.version)}});
}

// fftw(dtype)
napi_value FftwInUse(const Arguments& arguments) {
  const std::string dtype = arguments.Word(0);
  if (dtype == "float64") return DescribeFftw<double>(arguments.env());
  if (dtype == "float32") return DescribeFftw<float>(arguments.env());
  arguments.Refuse(0, "float64 or float32");
}

// takeFftwWarning()
napi_value TakeFftwWarning(const Arguments& arguments) {
  // One for all environments.
  static std::atomic_flag is_taken = ATOMIC_FLAG_INIT;
  return ToBoolean(arguments.env(), !is_taken.test_and_set());
}

// describeKernel(kernel)
napi_value DescribeKernel(const Arguments& arguments) {
  const napi_env env = arguments.env();
  const Kernel& kernel = *HandleOf<KernelHandle>(env, arguments[0]).kernel().Get(env);
  const std::int64_t length = kernel.window_length();
  const double window_length = length == Kernel::kUnlimited
                                   ? std::numeric_limits<double>::infinity()
                                   : static_cast<double>(length);
  napi_value methods = nullptr;
  Require(env, napi_create_array(env, &methods));
  std::uint32_t next = 0;
  for (const Method method : kMethods) {
    if (method == Method::kAuto || !HasMethod(kernel, method)) continue;
    Require(env, napi_set_element(env, methods, next++, ToString(env, NameOf(method))));
  }
  return ToObject(env, {{"windowLength", ToNumber(env, window_length)},
                        {"stateSize", ToNumber(env, static_cast<double>(kernel.state_size()))},
                        {"methods", methods},
                        {"largestEventRate", ToNumber(env, kernel.LargestEventRate())}});
}

// releaseKernel(kernel)
napi_value ReleaseKernel(const Arguments& arguments) {
  const napi_env env = arguments.env();
  HandleOf<KernelHandle>(env, arguments[0]).kernel().Release(env);
  return nullptr;
}

// openSession(table, seed)
napi_value OpenSession(const Arguments& arguments) {
  const napi_env env = arguments.env();
  auto& handle = HandleOf<SessionTableHandle>(env, arguments[0]);
  const auto seed = static_cast<std::uint64_t>(arguments.Size(1));
  const std::int64_t number = handle.table()->Open(seed);
  handle.ReportMemory(env);
  return ToNumber(env, static_cast<double>(number));
}

// closeSession(table, session)
napi_value CloseSession(const Arguments& arguments) {
  HandleOf<SessionTableHandle>(arguments.env(), arguments[0]).table()->Close(arguments.Size(1));
  return nullptr;
}

// A session of a table, and an array for its state.
struct SessionAndState {
  SessionTable& table;
  Session& session;
  NextState state;  // the array; its values are null if none was given
};

// Argument 0 is the table, argument 1 the session's number, argument 2 the array or undefined.
SessionAndState SessionOf(const Arguments& arguments, Access access) {
  SessionTable& table = *HandleOf<SessionTableHandle>(arguments.env(), arguments[0]).table();
  Session* session = table.Find(arguments.Size(1));
  if (session == nullptr) arguments.Refuse(1, "an open session");
  NextState state{nullptr, table.n_synapses()};
  if (!arguments.IsUndefined(2)) {
    const auto size = static_cast<std::size_t>(table.state_size() * table.n_synapses());
    state.values =
        static_cast<double*>(arguments.Array(2, ElementType::kFloat64, size, access).data);
  }
  return {table, *session, state};
}

// readSession(table, session, state)
napi_value ReadSession(const Arguments& arguments) {
  const auto [table, session, state] = SessionOf(arguments, Access::kWrite);
  if (state.values != nullptr) {
    table.Read(session, state);
    arguments.WriteBack(2, state.values, 0, table.state_size_in_bytes());
  }
  return ToNumber(arguments.env(), static_cast<double>(session.step));
}

// writeSession(table, session, state, step, seed)
napi_value WriteSession(const Arguments& arguments) {
  const auto step = static_cast<std::uint64_t>(arguments.Size(3));
  const auto seed = static_cast<std::uint64_t>(arguments.Size(4));
  const auto [table, session, state] = SessionOf(arguments, Access::kRead);
  if (state.values != nullptr) table.Write(session, state.view());
  session.step = step;
  session.seed = seed;
  return nullptr;
}

// cancel(id, isDetached)
napi_value CancelCall(const Arguments& arguments) {
  const auto id = static_cast<std::uint64_t>(arguments.Size(0));
  const bool is_detached = arguments.Boolean(1);
  Environment::Of(arguments.env()).jobs.Cancel(arguments.env(), id, is_detached);
  return nullptr;
}

// acquire(bytes)
napi_value AcquireCall(const Arguments& arguments) {
  const std::int64_t bytes = arguments.Size(0);
  return ToBoolean(arguments.env(), Environment::Of(arguments.env()).load.Acquire(bytes));
}

// release(bytes, outcome, seconds)
napi_value ReleaseCall(const Arguments& arguments) {
  using Outcome = ProcessLoad::Outcome;
  constexpr std::pair<const char*, Outcome> kOutcomes[] = {
      {"done", Outcome::kDone}, {"failed", Outcome::kFailed}, {"aborted", Outcome::kAborted}};
  const std::int64_t bytes = arguments.Size(0);
  const std::string word = arguments.Word(1);
  const double seconds = arguments.Number(2);
  for (const auto& [name, outcome] : kOutcomes) {
    if (word != name) continue;
    Environment::Of(arguments.env()).load.Release(bytes, outcome, seconds);
    return nullptr;
  }
  arguments.Refuse(1, "an outcome");
}

// setLimits(calls, bytes, isDefault)
napi_value SetLimits(const Arguments& arguments) {
  ProcessLoad::Shared().SetLimits(arguments.Size(0), arguments.Size(1), arguments.Boolean(2));
  return nullptr;
}

// readLoad()
napi_value ReadLoad(const Arguments& arguments) {
  const ProcessLoad::Snapshot now = ProcessLoad::Shared().Read();
  const auto number = [&](auto value) {
    return ToNumber(arguments.env(), static_cast<double>(value));
  };
  return ToObject(arguments.env(), {{"calls", number(now.calls)},
                                    {"bytes", number(now.bytes)},
                                    {"running", number(now.running)},
                                    {"detached", number(now.detached)},
                                    {"done", number(now.done)},
                                    {"failed", number(now.failed)},
                                    {"aborted", number(now.aborted)},
                                    {"rejected", number(now.rejected)},
                                    {"pendingSeconds", number(now.pending_seconds)},
                                    {"runningSeconds", number(now.running_seconds)},
                                    {"maxCalls", number(now.max_calls)},
                                    {"maxBytes", number(now.max_bytes)},
                                    {"memory", number(now.memory)}});
}

// instructionSet()
napi_value InstructionSetInUse(const Arguments& arguments) {
  return ToString(arguments.env(), simd::ActiveInstructionSet().name);
}

void Destroy(napi_env env, void* data, void* environment) noexcept {
  auto* const handle = static_cast<Handle*>(data);
  static_cast<Environment*>(environment)->handles.erase(handle);
  handle->Finalize(env);
  delete handle;
}

// Gives the object under construction a function of its own, which knows the object's handle and
// keeps the object alive. A method would have to look up the handle of its receiver, which takes as
// long as everything else that a short call does besides arithmetic.
template <napi_value (*function)(const Arguments&)>
void AddFunction(const Arguments& arguments, const char* name, Handle* handle) {
  const napi_env env = arguments.env();
  napi_value entry = nullptr;
  Require(env, napi_create_function(env, name, NAPI_AUTO_LENGTH, Entry<function>, handle, &entry));
  const napi_property_descriptor owner = {
      "owner", nullptr, nullptr, nullptr, nullptr, arguments.receiver(), napi_default, nullptr};
  Require(env, napi_define_properties(env, entry, 1, &owner));
  Require(env, napi_set_named_property(env, arguments.receiver(), name, entry));
}

// new Object(...): what the arguments describe, owned by the new object.
template <typename Object>
napi_value Construct(const Arguments& arguments) {
  const napi_env env = arguments.env();
  if (!arguments.is_construction()) {
    throw ArgumentError(env, std::string("Expected new before ") + Object::kName + ".");
  }
  Environment& environment = Environment::Of(env);
  std::unique_ptr<Handle> handle = std::make_unique<Object>(arguments);
  const auto entry = environment.handles.insert(handle.get()).first;
  if (napi_wrap(env, arguments.receiver(), handle.get(), Destroy, &environment, nullptr) !=
      napi_ok) {
    environment.handles.erase(entry);
    handle->Finalize(env);
    throw Napi::Error::New(env);
  }
  // The object owns it from now on.
  Handle* const wrapped = handle.release();
  if constexpr (std::is_same_v<Object, SynapsesHandle>) {
    AddFunction<RunHere<Kind::kBatch>>(arguments, "evolve", wrapped);
    AddFunction<RunHere<Kind::kSessions>>(arguments, "evolveSessions", wrapped);
  }
  return arguments.receiver();
}

template <napi_value (*function)(const Arguments&)>
napi_property_descriptor Define(const char* name) {
  return {name, nullptr, Entry<function>, nullptr, nullptr, nullptr, napi_default_method, nullptr};
}

template <typename Object>
void DefineClass(napi_env env, napi_value exports,
                 std::initializer_list<napi_property_descriptor> methods) {
  napi_value constructor = nullptr;
  Require(env, napi_define_class(env, Object::kName, NAPI_AUTO_LENGTH, Entry<Construct<Object>>,
                                 nullptr, methods.size(), methods.begin(), &constructor));
  Require(env, napi_set_named_property(env, exports, Object::kName, constructor));
}

void Initialize(napi_env env, napi_value exports) {
  // Throws now, rather than in the first call, if the environment names an unknown set.
  simd::ActiveInstructionSet();
  Napi::Env(env).SetInstanceData(new Environment(env));
  DefineClass<KernelHandle>(env, exports, {});
  DefineClass<SynapsesHandle>(
      env, exports,
      {Define<MethodFor>("methodFor"), Define<SynapsesLackFftw>("lacksFftw"),
       Define<RunOnPool<Kind::kBatch>>("evolveAsync"),
       Define<RunOnPool<Kind::kSessionsAsync>>("evolveSessionsAsync")});
  DefineClass<SessionTableHandle>(env, exports, {});
  DefineClass<TimeSurveyHandle>(env, exports,
                                {Define<AddTimes>("add"), Define<LargestSingle>("largestSingle")});
  DefineClass<EventClockHandle>(env, exports,
                                {Define<StepsOfEvents>("stepsOf"), Define<IsEventEarly>("isEarly"),
                                 Define<ToleranceOfClock>("tolerance")});
  const std::initializer_list<napi_property_descriptor> functions = {
      Define<DescribeKernel>("describeKernel"),
      Define<ReleaseKernel>("releaseKernel"),
      Define<OpenSession>("openSession"),
      Define<CloseSession>("closeSession"),
      Define<ReadSession>("readSession"),
      Define<WriteSession>("writeSession"),
      Define<CommitSessions>("commitSessions"),
      Define<CancelCall>("cancel"),
      Define<AcquireCall>("acquire"),
      Define<ReleaseCall>("release"),
      Define<SetLimits>("setLimits"),
      Define<ReadLoad>("readLoad"),
      Define<InstructionSetInUse>("instructionSet"),
      Define<FftwInUse>("fftw"),
      Define<TakeFftwWarning>("takeFftwWarning"),
      Define<CountEvents>("countEvents"),
  };
  Require(env, napi_define_properties(env, exports, functions.size(), functions.begin()));
#ifdef EXPSYN_FAULTS
  test::DefineFaults(env, Napi::Object(env, exports));
#endif
}

}  // namespace

}  // namespace expsyn::binding

NAPI_MODULE_INIT() {
  try {
    expsyn::binding::Initialize(env, exports);
    return exports;
  } catch (...) {
    expsyn::binding::ThrowInJavaScript(env, std::current_exception());
    return nullptr;
  }
}
