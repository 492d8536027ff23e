// The entry points that lib/native.ts declares: each unpacks its arguments, calls the core and
// returns. Nothing is computed here.

#include <napi.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <thread>
#include <unordered_set>
#include <vector>

#include "aligned_buffer.h"
#include "arguments.h"
#include "evolve.h"
#include "instruction_set.h"
#include "job_queue.h"
#include "kernels.h"

namespace expsyn::binding {

namespace {

// What belongs to one JavaScript environment.
struct Environment {
  explicit Environment(Napi::Env env) : jobs(env) {}
  JobQueue jobs;
  // The handles that exist: a foreign object that wraps something is told by its absence, which
  // takes less time than a type tag.
  std::unordered_set<const void*> handles;
};

// JavaScript's handle on kernels; frees them when it is released or collected and no call uses
// them.
class KernelsHandle : public Napi::ObjectWrap<KernelsHandle> {
 public:
  static Napi::Function Define(Napi::Env env) { return DefineClass(env, "Kernels", {}); }

  // new Kernels(tau: Float64Array (seconds, one a synapse), dt (seconds), windowLength (steps; 0
  // for one that is not cut))
  explicit KernelsHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<KernelsHandle>(info) {
    const Arguments arguments(info);
    const double dt = arguments.Number(1);
    const std::int64_t length = arguments.Size(2);
    const ArrayView tau = arguments.Array(0);
    if (tau.type != ElementType::kFloat64) {
      throw Napi::TypeError::New(info.Env(), "Expected a Float64Array as native argument 0.");
    }
    try {
      kernels_ = std::make_shared<const Kernels>(static_cast<const double*>(tau.data),
                                                 static_cast<std::int64_t>(tau.length), dt,
                                                 length == 0 ? Window::kUnlimited : length);
    } catch (const std::exception&) {
      throw ErrorFor(info.Env(), std::current_exception());
    }
    environment_ = info.Env().GetInstanceData<Environment>();
    environment_->handles.insert(this);
    // What V8 does not see: ten arrays of a number a synapse.
    external_bytes_ = static_cast<std::int64_t>(tau.length * 10 * sizeof(double));
    Napi::MemoryManagement::AdjustExternalMemory(info.Env(), external_bytes_);
  }

  ~KernelsHandle() override {
    // The environment's data may be gone before its last objects.
    if (environment_ != nullptr) environment_->handles.erase(this);
  }

  void Finalize(Napi::BasicEnv env) override {
    Napi::MemoryManagement::AdjustExternalMemory(env, -external_bytes_);
  }

  static std::shared_ptr<const Kernels> From(const Napi::CallbackInfo& info, std::size_t position) {
    std::shared_ptr<const Kernels> kernels = HandleFrom(info, position).kernels_;
    if (kernels == nullptr) {
      throw Napi::TypeError::New(info.Env(), "Expected kernels that have not been released.");
    }
    return kernels;
  }

  // release(kernels): frees them now, or when the last call that uses them ends.
  static void Release(const Napi::CallbackInfo& info) {
    KernelsHandle& handle = HandleFrom(info, 0);
    handle.kernels_.reset();
    Napi::MemoryManagement::AdjustExternalMemory(info.Env(), -handle.external_bytes_);
    handle.external_bytes_ = 0;
  }

 private:
  static KernelsHandle& HandleFrom(const Napi::CallbackInfo& info, std::size_t position) {
    void* handle = nullptr;
    if (napi_unwrap(info.Env(), info[position], &handle) != napi_ok ||
        info.Env().GetInstanceData<Environment>()->handles.count(handle) == 0) {
      throw Napi::TypeError::New(info.Env(), "Expected kernels as a native argument.");
    }
    return *static_cast<KernelsHandle*>(handle);
  }

  Environment* environment_ = nullptr;
  std::shared_ptr<const Kernels> kernels_;
  std::int64_t external_bytes_ = 0;
};

std::size_t Product(std::int64_t a, std::int64_t b) {
  return CheckedProduct(static_cast<std::size_t>(a), static_cast<std::size_t>(b));
}

bool Overlap(const ArrayView& a, const ArrayView& b) {
  const auto* a_begin = static_cast<const char*>(a.data);
  const auto* b_begin = static_cast<const char*>(b.data);
  return a_begin < b_begin + b.size_in_bytes() && b_begin < a_begin + a.size_in_bytes();
}

// One call, unpacked. Positions are those of `evolve` in lib/native.ts.
struct UnpackedCall {
  enum Position : std::size_t {
    kKernels,
    kMethod,
    kInput,
    kBatches,
    kTimesteps,
    kIsInputPerSynapse,
    kOutput,
    kState,
    kIsStateShared,
    kNextState,
    kThrowNonFinite,
    kNoisePlacement,
    kNoiseScale,
    kSeed,
    kStep,
    kIsStateNoisy,
    kThreads,
    kId,  // of evolveAsync() only
  };

  std::shared_ptr<const Kernels> kernels;
  ElementType dtype = ElementType::kFloat64;
  EvolveCall<double> call64;
  EvolveCall<float> call32;
  ArrayView input{};
  ArrayView output{};
  AlignedBuffer<char> input_copy;

  // Takes pointers last: no JavaScript runs between here and their use.
  explicit UnpackedCall(const Napi::CallbackInfo& info)
      : kernels(KernelsHandle::From(info, kKernels)) {
    const Arguments arguments(info);
    const std::int64_t n_synapses = kernels->window().n_synapses();
    Raster raster;
    raster.n_batches = arguments.Size(kBatches);
    raster.n_timesteps = arguments.Size(kTimesteps);
    raster.n_columns = arguments.Boolean(kIsInputPerSynapse) ? n_synapses : 1;
    const std::size_t n_rows = Product(raster.n_batches, raster.n_timesteps);
    input = arguments.Array(kInput);
    arguments.Require(input, kInput, input.type,
                      CheckedProduct(n_rows, static_cast<std::size_t>(raster.n_columns)));
    raster.data = input.data;
    raster.type = input.type;
    output = arguments.Array(kOutput);
    dtype = output.type == ElementType::kFloat32 ? ElementType::kFloat32 : ElementType::kFloat64;
    arguments.Require(output, kOutput, dtype,
                      CheckedProduct(n_rows, static_cast<std::size_t>(n_synapses)));
    if (dtype == ElementType::kFloat32) {
      Unpack(arguments, raster, call32);
    } else {
      Unpack(arguments, raster, call64);
    }
  }

  // Each input is read again one window later, so it must outlast an output that is put over it.
  bool IsInputWrittenOver() const { return Overlap(input, output); }

  void CopyInput() {
    input_copy = AlignedBuffer<char>(input.size_in_bytes());
    std::memcpy(input_copy.data(), input.data, input_copy.size());
    call64.input.data = input_copy.data();
    call32.input.data = input_copy.data();
  }

  bool ThrowsNonFinite() const {
    return dtype == ElementType::kFloat32 ? call32.throw_non_finite : call64.throw_non_finite;
  }

  const Raster& RasterOfInput() const {
    return dtype == ElementType::kFloat32 ? call32.input : call64.input;
  }

  // -1, the flat index of the first non-finite element of the input, or JobQueue::kCancelled.
  double Run(const std::atomic<bool>& cancelled) const {
    const EvolveResult result = dtype == ElementType::kFloat32
                                    ? Evolve(*kernels, call32, cancelled)
                                    : Evolve(*kernels, call64, cancelled);
    if (result.status == EvolveResult::Status::kCancelled) return JobQueue::kCancelled;
    return static_cast<double>(result.non_finite_index);
  }

 private:
  template <typename Real>
  void Unpack(const Arguments& arguments, const Raster& raster, EvolveCall<Real>& call) const {
    const std::int64_t n_synapses = kernels->window().n_synapses();
    const std::size_t state_size = Product(raster.n_batches, n_synapses);
    call.method = arguments.Size(kMethod) == 0 ? Method::kFft : Method::kRecursive;
    call.input = raster;
    call.throw_non_finite = arguments.Boolean(kThrowNonFinite);
    call.noise.placement =
        static_cast<NoisePlacement>(std::min<std::int64_t>(arguments.Size(kNoisePlacement), 3));
    call.noise.scale = arguments.Number(kNoiseScale);
    call.noise.seed = static_cast<std::uint64_t>(arguments.Size(kSeed));
    call.noise.step = static_cast<std::uint64_t>(arguments.Size(kStep));
    call.is_state_noisy = arguments.Boolean(kIsStateNoisy);
    call.is_state_shared = arguments.Boolean(kIsStateShared);
    // Asking the system takes longer than a short call.
    static const unsigned n_processors = std::max(1u, std::thread::hardware_concurrency());
    call.n_threads =
        static_cast<unsigned>(std::min<std::int64_t>(arguments.Size(kThreads), n_processors));
    const ArrayView state = arguments.Array(
        kState, dtype, call.is_state_shared ? static_cast<std::size_t>(n_synapses) : state_size);
    call.state = static_cast<const Real*>(state.data);
    call.next_state = static_cast<Real*>(arguments.Array(kNextState, dtype, state_size).data);
    call.output = static_cast<Real*>(output.data);
  }
};

Napi::Value EvolveSync(const Napi::CallbackInfo& info) {
  static const std::atomic<bool> kNeverCancelled{false};
  try {
    UnpackedCall unpacked(info);
    if (unpacked.IsInputWrittenOver()) {
      // Whatever is refused is found before the caller's array changes.
      if (unpacked.ThrowsNonFinite()) {
        const std::int64_t index = FirstNonFinite(unpacked.RasterOfInput());
        if (index >= 0) return Napi::Number::New(info.Env(), static_cast<double>(index));
      }
      unpacked.CopyInput();
    }
    return Napi::Number::New(info.Env(), unpacked.Run(kNeverCancelled));
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception&) {
    throw ErrorFor(info.Env(), std::current_exception());
  }
}

// The arrays must be out of JavaScript's reach, or shared memory, until the promise settles.
Napi::Value EvolveAsync(const Napi::CallbackInfo& info) {
  using Position = UnpackedCall::Position;
  try {
    auto unpacked = std::make_shared<UnpackedCall>(info);
    if (unpacked->IsInputWrittenOver()) unpacked->CopyInput();
    std::vector<Napi::Object> held;
    for (const Position position :
         {Position::kInput, Position::kOutput, Position::kState, Position::kNextState}) {
      held.push_back(info[position].As<Napi::Object>());
    }
    const auto id = static_cast<std::uint64_t>(Arguments(info).Size(Position::kId));
    const bool is_short =
        IsShort(unpacked->RasterOfInput(), unpacked->kernels->window().n_synapses());
    return info.Env().GetInstanceData<Environment>()->jobs.Start(
        info.Env(), id,
        [unpacked](const std::atomic<bool>& cancelled) { return unpacked->Run(cancelled); },
        is_short ? WorkerPool::Kind::kShort : WorkerPool::Kind::kLong, held);
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception&) {
    throw ErrorFor(info.Env(), std::current_exception());
  }
}

// cancel(id): ends the call of evolveAsync() that has this number, if it is not over.
void CancelCall(const Napi::CallbackInfo& info) {
  const auto id = static_cast<std::uint64_t>(Arguments(info).Size(0));
  info.Env().GetInstanceData<Environment>()->jobs.Cancel(info.Env(), id);
}

// instructionSet(): the vector instructions in use.
Napi::Value InstructionSetInUse(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), NameOf(ActiveInstructionSet()));
}

// chooseMethod(kernels, timesteps): 0 for 'fft', 1 for 'recursive'.
Napi::Value ChooseMethodFor(const Napi::CallbackInfo& info) {
  const std::shared_ptr<const Kernels> kernels = KernelsHandle::From(info, 0);
  const std::int64_t n_timesteps = Arguments(info).Size(1);
  const Method method =
      ChooseMethod(n_timesteps, kernels->window().n_synapses(), kernels->window().length());
  return Napi::Number::New(info.Env(), method == Method::kFft ? 0 : 1);
}

Napi::Object Initialize(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Environment(env));
  exports.Set("Kernels", KernelsHandle::Define(env));
  exports.Set("evolve", Napi::Function::New(env, EvolveSync, "evolve"));
  exports.Set("evolveAsync", Napi::Function::New(env, EvolveAsync, "evolveAsync"));
  exports.Set("cancel", Napi::Function::New(env, CancelCall, "cancel"));
  exports.Set("release", Napi::Function::New(env, KernelsHandle::Release, "release"));
  exports.Set("instructionSet", Napi::Function::New(env, InstructionSetInUse, "instructionSet"));
  exports.Set("chooseMethod", Napi::Function::New(env, ChooseMethodFor, "chooseMethod"));
  return exports;
}

}  // namespace

}  // namespace expsyn::binding

namespace {
Napi::Object Initialize(Napi::Env env, Napi::Object exports) {
  return expsyn::binding::Initialize(env, exports);
}
}  // namespace

NODE_API_MODULE(expsyn, Initialize)
