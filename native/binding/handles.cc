#include "handles.h"

#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "kernel/registry.h"

namespace expsyn::binding {

namespace {

// The numbers of an array of Float64Arrays.
std::vector<std::vector<double>> ParametersAt(const Arguments& arguments, std::size_t position) {
  const napi_env env = arguments.env();
  bool is_array = false;
  Require(env, napi_is_array(env, arguments[position], &is_array));
  if (!is_array) arguments.Refuse(position, "an array of parameters");
  std::uint32_t length = 0;
  Require(env, napi_get_array_length(env, arguments[position], &length));
  std::vector<std::vector<double>> parameters(length);
  for (std::uint32_t i = 0; i < length; ++i) {
    // This may run JavaScript, so the numbers are copied before the next one.
    napi_value element = nullptr;
    Require(env, napi_get_element(env, arguments[position], i, &element));
    ArrayView view;
    if (!arguments.ReadArray(element, &view) || view.type != ElementType::kFloat64) {
      arguments.Refuse(position, "an array of Float64Arrays");
    }
    const auto* const numbers = static_cast<const double*>(view.data);
    parameters[i].assign(numbers, numbers + view.length);
  }
  return parameters;
}

Normalisation NormalisationAt(const Arguments& arguments, std::size_t position) {
  const std::string name = arguments.Word(position);
  for (const Normalisation normalisation : kNormalisations) {
    if (name == NameOf(normalisation)) return normalisation;
  }
  arguments.Refuse(position, "'peak' or 'area'");
}

// A Float64Array, if it is given, with as many columns as the argument after it says. The kernel
// copies what it keeps, before any JavaScript runs.
Samples SamplesAt(const Arguments& arguments, std::size_t position) {
  if (arguments.IsUndefined(position)) return {};
  const std::int64_t n_columns = arguments.Size(position + 1);
  const ArrayView view = arguments.Array(position);
  const auto n_values = static_cast<std::int64_t>(view.length);
  if (view.type != ElementType::kFloat64 || n_columns < 1 || n_values % n_columns != 0) {
    arguments.Refuse(position, "a Float64Array of whole rows");
  }
  return {static_cast<const double*>(view.data), n_values / n_columns, n_columns};
}

// The kernel that the arguments describe.
std::shared_ptr<const Kernel> KernelOf(const Arguments& arguments) {
  const std::string name = arguments.Word(0);
  try {
    KernelArguments kernel{arguments.Size(1),   ParametersAt(arguments, 2),
                           arguments.Number(3), arguments.Number(4),
                           arguments.Number(5), NormalisationAt(arguments, 6)};
    // Last, because reading parameters may run JavaScript.
    kernel.samples = SamplesAt(arguments, 7);
    return MakeKernel(name, kernel);
  } catch (const RefusedKernel& refused) {
    const Refusal& refusal = refused.refusal();
    Napi::RangeError error = WithCode(Napi::RangeError::New(arguments.env(), refused.what()),
                                      "ERR_EXPSYN_ARGUMENT_VALUE");
    error.Set("argument", refusal.argument);
    error.Set("expected", refusal.expected);
    error.Set("received", refusal.received);
    error.Set("advice", refusal.advice);
    throw error;
  } catch (const std::invalid_argument& refused) {
    throw ArgumentError(arguments.env(), refused.what());
  }
}

}  // namespace

ReleasableKernel::ReleasableKernel(napi_env env, std::shared_ptr<const Kernel> kernel)
    : kernel_(std::move(kernel)) {
  ReportMemory(env);
}

const std::shared_ptr<const Kernel>& ReleasableKernel::Get(napi_env env) const {
  if (kernel_ == nullptr) {
    throw ArgumentError(env, "Expected a kernel that has not been released.");
  }
  return kernel_;
}

void ReleasableKernel::Release(napi_env env) {
  kernel_.reset();
  ReportMemory(env);
}

KernelHandle::KernelHandle(const Arguments& arguments)
    : SharedKernelHandle(std::make_shared<ReleasableKernel>(arguments.env(), KernelOf(arguments))) {
}

SynapsesHandle::SynapsesHandle(const Arguments& arguments)
    : SharedKernelHandle(HandleOf<KernelHandle>(arguments.env(), arguments[0]).shared_kernel()),
      settings_(ReadSettings(arguments.env(), arguments[1], *kernel().Get(arguments.env()))) {}

void SynapsesHandle::Finalize(napi_env env) {
  memory_.Report(env, 0);
  SharedKernelHandle::Finalize(env);
}

void SynapsesHandle::ReportMemory(napi_env env) {
  kernel().ReportMemory(env);
  memory_.Report(env, reused_items_.items.capacity() * sizeof(Item) +
                          reused_items_.sessions.capacity() * sizeof(void*));
}

SessionTableHandle::SessionTableHandle(const Arguments& arguments) {
  const std::int64_t size = arguments.Size(0);
  const std::int64_t state_size = arguments.Size(1);
  // No machine has memory for so many numbers.
  constexpr std::int64_t kMaxSize = std::int64_t{1} << 48;
  if (size < 1 || size > kMaxSize) arguments.Refuse(0, "a number of synapses");
  if (state_size > kMaxSize / size) arguments.Refuse(1, "the size of a synapse's state");
  std::optional<ElementType> inputs;
  if (!arguments.IsUndefined(2)) {
    const std::string dtype = arguments.Word(2);
    if (dtype != "float32" && dtype != "float64") arguments.Refuse(2, "'float32' or 'float64'");
    inputs = dtype == "float32" ? ElementType::kFloat32 : ElementType::kFloat64;
  }
  table_ = std::make_shared<SessionTable>(size, state_size, inputs);
}

}  // namespace expsyn::binding
