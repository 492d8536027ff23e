#include "define_faults.h"

#include "faults.h"

namespace expsyn::test {

namespace {

template <void (*fail)(std::int64_t first, bool is_lasting)>
void Fail(const Napi::CallbackInfo& info) {
  fail(info[0].As<Napi::Number>().Int64Value(), info[1].As<Napi::Boolean>());
}

Napi::Value Read(const Napi::CallbackInfo& info) {
  Napi::Array counts = Napi::Array::New(info.Env(), 2);
  counts[0u] = Napi::Number::New(info.Env(), static_cast<double>(FailedAllocations()));
  counts[1u] = Napi::Number::New(info.Env(), static_cast<double>(FailedThreads()));
  return counts;
}

}  // namespace

void DefineFaults(Napi::Env env, Napi::Object exports) {
  exports.Set("failAllocations", Napi::Function::New<Fail<FailAllocations>>(env));
  exports.Set("failThreads", Napi::Function::New<Fail<FailThreads>>(env));
  exports.Set("readFaults", Napi::Function::New<Read>(env));
}

}  // namespace expsyn::test
