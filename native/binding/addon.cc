// The entry points that lib/native.ts declares: each unpacks its arguments, calls the core and
// returns. Nothing is computed here.

#include <napi.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "aligned_buffer.h"
#include "arguments.h"
#include "evolve.h"
#include "job_queue.h"
#include "kernels.h"

namespace expsyn::binding {

namespace {

constexpr napi_type_tag kKernelsTag = {0x65787073796e4b65, 0x726e656c732d7631};

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
    info.This().As<Napi::Object>().TypeTag(&kKernelsTag);
    // What V8 does not see: seven arrays of a number a synapse.
    external_bytes_ = static_cast<std::int64_t>(tau.length * 7 * sizeof(double));
    Napi::MemoryManagement::AdjustExternalMemory(info.Env(), external_bytes_);
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
    const Napi::Value value = info[position];
    if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kKernelsTag)) {
      throw Napi::TypeError::New(info.Env(), "Expected kernels as a native argument.");
    }
    return *Unwrap(value.As<Napi::Object>());
  }

  std::shared_ptr<const Kernels> kernels_;
  std::int64_t external_bytes_ = 0;
};

// What belongs to one JavaScript environment.
struct Environment {
  explicit Environment(Napi::Env env) : jobs(env) {}
  JobQueue jobs;
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
    kColumns,
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
    EvolveCall<double> call;
    call.method = arguments.Size(kMethod) == 0 ? Method::kFft : Method::kRecursive;
    call.input.n_batches = arguments.Size(kBatches);
    call.input.n_timesteps = arguments.Size(kTimesteps);
    call.input.n_columns = arguments.Boolean(kColumns) ? n_synapses : 1;
    call.is_state_shared = arguments.Boolean(kIsStateShared);
    call.throw_non_finite = arguments.Boolean(kThrowNonFinite);
    call.noise.placement =
        static_cast<NoisePlacement>(std::min<std::int64_t>(arguments.Size(kNoisePlacement), 3));
    call.noise.scale = arguments.Number(kNoiseScale);
    call.noise.seed = static_cast<std::uint64_t>(arguments.Size(kSeed));
    call.noise.step = static_cast<std::uint64_t>(arguments.Size(kStep));
    call.is_state_noisy = arguments.Boolean(kIsStateNoisy);

    const std::size_t n_rows = Product(call.input.n_batches, call.input.n_timesteps);
    const std::size_t state_size = Product(call.input.n_batches, n_synapses);
    input = arguments.Array(kInput);
    input = arguments.Array(kInput, input.type,
                            CheckedProduct(n_rows, static_cast<std::size_t>(call.input.n_columns)));
    call.input.data = input.data;
    call.input.type = input.type;
    output = arguments.Array(kOutput);
    dtype = output.type == ElementType::kFloat32 ? ElementType::kFloat32 : ElementType::kFloat64;
    output = arguments.Array(kOutput, dtype,
                             CheckedProduct(n_rows, static_cast<std::size_t>(n_synapses)));
    const ArrayView state =
        arguments.Array(kState, ElementType::kFloat64,
                        call.is_state_shared ? static_cast<std::size_t>(n_synapses) : state_size);
    call.state = static_cast<const double*>(state.data);
    call.next_state =
        static_cast<double*>(arguments.Array(kNextState, ElementType::kFloat64, state_size).data);
    call.output = static_cast<double*>(output.data);
    call64 = call;
    call32.method = call.method;
    call32.input = call.input;
    call32.noise = call.noise;
    call32.throw_non_finite = call.throw_non_finite;
    call32.state = call.state;
    call32.is_state_shared = call.is_state_shared;
    call32.output = static_cast<float*>(output.data);
    call32.next_state = call.next_state;
    call32.is_state_noisy = call.is_state_noisy;
  }

  // Each input is read again one window later, so it must outlast an output that is put over it.
  bool IsInputWrittenOver() const { return Overlap(input, output); }

  void CopyInput() {
    input_copy = AlignedBuffer<char>(input.size_in_bytes());
    std::memcpy(input_copy.data(), input.data, input_copy.size());
    call64.input.data = input_copy.data();
    call32.input.data = input_copy.data();
  }

  // -1, or the flat index of the first non-finite element of the input.
  double Run(const std::atomic<bool>& cancelled) const {
    const EvolveResult result = dtype == ElementType::kFloat32
                                    ? Evolve(*kernels, call32, cancelled)
                                    : Evolve(*kernels, call64, cancelled);
    return static_cast<double>(result.non_finite_index);
  }
};

Napi::Value EvolveSync(const Napi::CallbackInfo& info) {
  static const std::atomic<bool> kNeverCancelled{false};
  try {
    UnpackedCall unpacked(info);
    if (unpacked.IsInputWrittenOver()) {
      // Whatever is refused is found before the caller's array changes.
      if (unpacked.call64.throw_non_finite) {
        const std::int64_t index = FirstNonFinite(unpacked.call64.input);
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
    return info.Env().GetInstanceData<Environment>()->jobs.Start(
        info.Env(),
        [unpacked](const std::atomic<bool>& cancelled) { return unpacked->Run(cancelled); }, held);
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception&) {
    throw ErrorFor(info.Env(), std::current_exception());
  }
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
  exports.Set("release", Napi::Function::New(env, KernelsHandle::Release, "release"));
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
