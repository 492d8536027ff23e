#ifndef EXPSYN_BINDING_PROPERTIES_H_
#define EXPSYN_BINDING_PROPERTIES_H_

#include <napi.h>

#include <string>

#include "arguments.h"

namespace expsyn::binding {

// The properties of an object that lib/ has made. Each function throws a Napi::Error for a value of
// another kind.
class Properties {
 public:
  // `what` they are, as errors name them.
  Properties(napi_env env, napi_value object, const char* what)
      : env_(env), object_(object), what_(what) {}

  napi_env env() const { return env_; }

  napi_value Get(const char* name) const {
    napi_value value = nullptr;
    Require(env_, napi_get_named_property(env_, object_, name, &value));
    return value;
  }

  double NumberOf(const char* name, const std::string& expected = "a number") const {
    double value = 0;
    if (napi_get_value_double(env_, Get(name), &value) != napi_ok) Refuse(expected, name);
    return value;
  }

  bool FlagOf(const char* name) const {
    bool value = false;
    if (napi_get_value_bool(env_, Get(name), &value) != napi_ok) Refuse("a boolean", name);
    return value;
  }

  [[noreturn]] void Refuse(const std::string& expected, const char* name) const {
    throw ArgumentError(env_,
                        "Expected " + expected + " for the native " + what_ + " " + name + ".");
  }

 private:
  napi_env env_;
  napi_value object_;
  const char* what_;
};

}  // namespace expsyn::binding

#endif  // EXPSYN_BINDING_PROPERTIES_H_
