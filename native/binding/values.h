#ifndef EXPSYN_BINDING_VALUES_H_
#define EXPSYN_BINDING_VALUES_H_

#include <napi.h>

#include <initializer_list>
#include <string>
#include <utility>

#include "arguments.h"

namespace expsyn::binding {

// JavaScript values that results are made of. Each throws a Napi::Error when it cannot be made.

inline napi_value ToNumber(napi_env env, double number) {
  napi_value value = nullptr;
  Require(env, napi_create_double(env, number, &value));
  return value;
}

inline napi_value ToBoolean(napi_env env, bool is_true) {
  napi_value value = nullptr;
  Require(env, napi_get_boolean(env, is_true, &value));
  return value;
}

inline napi_value ToString(napi_env env, const std::string& text) {
  napi_value value = nullptr;
  Require(env, napi_create_string_utf8(env, text.data(), text.size(), &value));
  return value;
}

// An object with these properties.
inline napi_value ToObject(napi_env env,
                           std::initializer_list<std::pair<const char*, napi_value>> properties) {
  napi_value object = nullptr;
  Require(env, napi_create_object(env, &object));
  for (const auto& [name, value] : properties) {
    Require(env, napi_set_named_property(env, object, name, value));
  }
  return object;
}

}  // namespace expsyn::binding

#endif  // EXPSYN_BINDING_VALUES_H_
