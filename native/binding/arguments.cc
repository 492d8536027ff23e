#include "arguments.h"

namespace expsyn::binding {

Napi::TypeError ArgumentError(Napi::Env env, const std::string& message) {
  return WithCode(Napi::TypeError::New(env, message), "ERR_EXPSYN_INTERNAL");
}

double Arguments::Number(std::size_t position) const {
  double value = 0;
  if (napi_get_value_double(info_.Env(), info_[position], &value) != napi_ok) {
    Refuse(position, "a number");
  }
  return value;
}

bool Arguments::Boolean(std::size_t position) const {
  bool value = false;
  if (napi_get_value_bool(info_.Env(), info_[position], &value) != napi_ok) {
    Refuse(position, "a boolean");
  }
  return value;
}

std::int64_t Arguments::Size(std::size_t position) const {
  constexpr double kMaxSafeInteger = 9007199254740991.0;
  const double value = Number(position);
  if (!(value >= 0 && value <= kMaxSafeInteger)) {
    Refuse(position, "a whole number from 0 to 2^53 - 1");
  }
  const auto whole = static_cast<std::int64_t>(value);
  if (static_cast<double>(whole) != value) Refuse(position, "a whole number from 0 to 2^53 - 1");
  return whole;
}

ArrayView Arguments::Array(std::size_t position) const {
  napi_typedarray_type type;
  ArrayView view{};
  // The array buffer is not asked for: a shared one has no handle in Node-API.
  if (napi_get_typedarray_info(info_.Env(), info_[position], &type, &view.length, &view.data,
                               nullptr, nullptr) != napi_ok) {
    Refuse(position, "a typed array of numbers");
  }
  if (view.data == nullptr) view.length = 0;
  switch (type) {
    case napi_int8_array:
      view.type = ElementType::kInt8;
      return view;
    case napi_uint8_array:
    case napi_uint8_clamped_array:
      view.type = ElementType::kUint8;
      return view;
    case napi_int16_array:
      view.type = ElementType::kInt16;
      return view;
    case napi_uint16_array:
      view.type = ElementType::kUint16;
      return view;
    case napi_int32_array:
      view.type = ElementType::kInt32;
      return view;
    case napi_uint32_array:
      view.type = ElementType::kUint32;
      return view;
    case napi_float32_array:
      view.type = ElementType::kFloat32;
      return view;
    case napi_float64_array:
      view.type = ElementType::kFloat64;
      return view;
    case napi_bigint64_array:
      view.type = ElementType::kInt64;
      return view;
    case napi_biguint64_array:
      view.type = ElementType::kUint64;
      return view;
    default:
      Refuse(position, "a typed array of a known element type");
  }
}

ArrayView Arguments::Array(std::size_t position, ElementType type, std::size_t length) const {
  const ArrayView view = Array(position);
  Require(view, position, type, length);
  return view;
}

void Arguments::Require(const ArrayView& view, std::size_t position, ElementType type,
                        std::size_t length) const {
  if (view.type != type || view.length != length) {
    Refuse(position, "an array of the type and length that the other arguments ask for");
  }
}

void Arguments::Refuse(std::size_t position, const char* expected) const {
  throw ArgumentError(info_.Env(), std::string("Expected ") + expected + " as native argument " +
                                       std::to_string(position) + ".");
}

}  // namespace expsyn::binding
