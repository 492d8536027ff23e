#include "handles.h"

#include <exception>

#include "arguments.h"
#include "errors.h"
#include "kernel/exponential.h"

namespace expsyn::binding {

namespace {

// The wrapped object at `position`, which must be among `known`.
template <typename Handle>
Handle& HandleAt(const Napi::CallbackInfo& info, std::size_t position,
                 const std::unordered_set<const void*>& known, const char* expected) {
  void* handle = nullptr;
  if (napi_unwrap(info.Env(), info[position], &handle) != napi_ok || known.count(handle) == 0) {
    throw ArgumentError(info.Env(), expected);
  }
  return *static_cast<Handle*>(handle);
}

// Calls `make`, what it throws as a Napi::Error: the only kind that a constructor passes on whole.
template <typename Make>
void Translated(Napi::Env env, Make&& make) {
  try {
    make();
  } catch (const std::exception&) {
    throw Napi::Error(env, ErrorFor(env, std::current_exception()));
  }
}

}  // namespace

KernelsHandle::KernelsHandle(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<KernelsHandle>(info) {
  const Arguments arguments(info);
  const double dt = arguments.Number(1);
  const std::int64_t length = arguments.Size(2);
  const ArrayView tau = arguments.Array(0);
  if (tau.type != ElementType::kFloat64) {
    throw ArgumentError(info.Env(), "Expected a Float64Array as native argument 0.");
  }
  Translated(info.Env(), [&] {
    kernel_ = std::make_shared<const ExponentialKernel>(static_cast<const double*>(tau.data),
                                                        static_cast<std::int64_t>(tau.length), dt,
                                                        length == 0 ? Kernel::kUnlimited : length);
    info.Env().GetInstanceData<Environment>()->kernels.insert(this);
  });
  environment_ = info.Env().GetInstanceData<Environment>();
  ReportMemory(info.Env());
}

KernelsHandle::~KernelsHandle() {
  // The environment's data may be gone before its last objects.
  if (environment_ != nullptr) environment_->kernels.erase(this);
}

KernelsHandle& KernelsHandle::From(const Napi::CallbackInfo& info, std::size_t position) {
  return HandleAt<KernelsHandle>(info, position, info.Env().GetInstanceData<Environment>()->kernels,
                                 "Expected kernels as a native argument.");
}

const std::shared_ptr<const Kernel>& KernelsHandle::kernel(Napi::Env env) const {
  if (kernel_ == nullptr) {
    throw ArgumentError(env, "Expected kernels that have not been released.");
  }
  return kernel_;
}

void KernelsHandle::Release(Napi::Env env) {
  kernel_.reset();
  ReportMemory(env);
}

void KernelsHandle::ReportMemory(Napi::Env env) {
  memory_.Report(env, kernel_ == nullptr ? 0 : kernel_->size_in_bytes());
}

SessionTableHandle::SessionTableHandle(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<SessionTableHandle>(info) {
  const Arguments arguments(info);
  const std::int64_t size = arguments.Size(0);
  constexpr std::int64_t kLargest = std::int64_t{1} << 32;
  constexpr std::int64_t kStateSize = 2;
  if (size < 1 || size > kLargest) {
    throw ArgumentError(info.Env(), "Expected a number of synapses as native argument 0.");
  }
  Translated(info.Env(), [&] {
    table_ = std::make_shared<SessionTable>(size, kStateSize);
    info.Env().GetInstanceData<Environment>()->session_tables.insert(this);
  });
  environment_ = info.Env().GetInstanceData<Environment>();
}

SessionTableHandle::~SessionTableHandle() {
  if (environment_ != nullptr) environment_->session_tables.erase(this);
}

SessionTableHandle& SessionTableHandle::From(const Napi::CallbackInfo& info, std::size_t position) {
  return HandleAt<SessionTableHandle>(info, position,
                                      info.Env().GetInstanceData<Environment>()->session_tables,
                                      "Expected a session table as a native argument.");
}

void SessionTableHandle::ReportMemory(Napi::Env env) {
  memory_.Report(env, table_->size_in_bytes());
}

}  // namespace expsyn::binding
