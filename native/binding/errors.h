#ifndef EXPSYN_BINDING_ERRORS_H_
#define EXPSYN_BINDING_ERRORS_H_

#include <napi.h>

#include <exception>

namespace expsyn::binding {

// The JavaScript error for a C++ exception, which may be a Napi::Error. Allocates no C++ memory, so
// that std::bad_alloc can be reported when none is left. Null if the environment is being torn down
// and can make no error any more.
napi_value ErrorFor(napi_env env, const std::exception_ptr& error) noexcept;

// Makes that error pending: JavaScript throws it when the entry point returns.
void ThrowInJavaScript(napi_env env, const std::exception_ptr& error) noexcept;

}  // namespace expsyn::binding

#endif  // EXPSYN_BINDING_ERRORS_H_
