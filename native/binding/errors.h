#ifndef EXPSYN_BINDING_ERRORS_H_
#define EXPSYN_BINDING_ERRORS_H_

#include <napi.h>

#include <exception>

namespace expsyn::binding {

// The JavaScript error that stands for a C++ exception, which may be a Napi::Error. Uses no C++
// memory: std::bad_alloc can be reported when there is none left. Null when the environment can
// make no error any more, because it is being torn down.
napi_value ErrorFor(napi_env env, const std::exception_ptr& error) noexcept;

// Throws it in JavaScript, once the entry point returns.
void ThrowInJavaScript(napi_env env, const std::exception_ptr& error) noexcept;

}  // namespace expsyn::binding

#endif  // EXPSYN_BINDING_ERRORS_H_
