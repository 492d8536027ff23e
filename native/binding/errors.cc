#include "errors.h"

#include <cstdio>
#include <new>
#include <stdexcept>
#include <system_error>

namespace expsyn::binding {

namespace {

using Create = napi_status (*)(napi_env, napi_value code, napi_value message, napi_value* result);

napi_value Make(napi_env env, Create create, const char* code, const char* message) noexcept {
  napi_value name = nullptr;
  napi_value text = nullptr;
  napi_value error = nullptr;
  if (napi_create_string_utf8(env, code, NAPI_AUTO_LENGTH, &name) != napi_ok) return nullptr;
  if (napi_create_string_utf8(env, message, NAPI_AUTO_LENGTH, &text) != napi_ok) return nullptr;
  if (create(env, name, text, &error) != napi_ok) return nullptr;
  return error;
}

}  // namespace

napi_value ErrorFor(napi_env env, const std::exception_ptr& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const Napi::Error& thrown) {
    try {
      return thrown.Value();
    } catch (const Napi::Error&) {
      return nullptr;
    }
  } catch (const std::bad_alloc&) {
    return Make(env, napi_create_range_error, "ERR_EXPSYN_OUT_OF_MEMORY",
                "Expected enough memory for the call's scratch space but the system has none left; "
                "use a shorter window or close other programs.");
  } catch (const std::system_error&) {
    return Make(env, napi_create_range_error, "ERR_EXPSYN_OUT_OF_MEMORY",
                "Expected a thread for the call but the system can start none; close other "
                "programs or use evolveSync().");
  } catch (const std::length_error&) {
    const napi_value too_long =
        Make(env, napi_create_range_error, "ERR_EXPSYN_ARGUMENT_VALUE",
             "Expected a window of at most 2^29 steps for method 'fft' but it is longer; use "
             "another method.");
    napi_value argument = nullptr;
    if (too_long != nullptr &&
        napi_create_string_utf8(env, "method", NAPI_AUTO_LENGTH, &argument) == napi_ok) {
      napi_set_named_property(env, too_long, "argument", argument);
    }
    return too_long;
  } catch (const std::invalid_argument& refused) {
    // Its message is a whole sentence.
    return Make(env, napi_create_error, "ERR_EXPSYN_ADDON", refused.what());
  } catch (const std::exception& other) {
    char message[256];
    std::snprintf(message, sizeof(message), "The native core failed: %s.", other.what());
    return Make(env, napi_create_error, "ERR_EXPSYN_INTERNAL", message);
  } catch (...) {
    return Make(env, napi_create_error, "ERR_EXPSYN_INTERNAL", "The native core failed.");
  }
}

void ThrowInJavaScript(napi_env env, const std::exception_ptr& error) noexcept {
  const napi_value value = ErrorFor(env, error);
  // Fails only where no JavaScript can run any more.
  if (value != nullptr) napi_throw(env, value);
}

}  // namespace expsyn::binding
