#include "arguments.h"

#include <optional>

namespace expsyn::binding {

namespace {

std::optional<ElementType> ElementTypeOf(napi_typedarray_type type) {
  switch (type) {
    case napi_int8_array:
      return ElementType::kInt8;
    case napi_uint8_array:
    case napi_uint8_clamped_array:
      return ElementType::kUint8;
    case napi_int16_array:
      return ElementType::kInt16;
    case napi_uint16_array:
      return ElementType::kUint16;
    case napi_int32_array:
      return ElementType::kInt32;
    case napi_uint32_array:
      return ElementType::kUint32;
    case napi_float32_array:
      return ElementType::kFloat32;
    case napi_float64_array:
      return ElementType::kFloat64;
    case napi_bigint64_array:
      return ElementType::kInt64;
    case napi_biguint64_array:
      return ElementType::kUint64;
    default:
      return std::nullopt;
  }
}

}  // namespace

Napi::TypeError ArgumentError(napi_env env, const std::string& message) {
  return WithCode(Napi::TypeError::New(env, message), "ERR_EXPSYN_INTERNAL");
}

Arguments::Arguments(napi_env env, napi_callback_info info) : env_(env), info_(info) {
  Require(env, napi_get_cb_info(env, info, &count_, values_.data(), &receiver_, &data_));
}

bool Arguments::is_construction() const {
  napi_value target = nullptr;
  Require(env_, napi_get_new_target(env_, info_, &target));
  return target != nullptr;
}

bool Arguments::IsUndefined(std::size_t position) const {
  napi_valuetype type = napi_undefined;
  Require(env_, napi_typeof(env_, values_[position], &type));
  return type == napi_undefined;
}

double Arguments::Number(std::size_t position) const {
  double value = 0;
  if (napi_get_value_double(env_, values_[position], &value) != napi_ok) {
    Refuse(position, "a number");
  }
  return value;
}

bool Arguments::Boolean(std::size_t position) const {
  bool value = false;
  if (napi_get_value_bool(env_, values_[position], &value) != napi_ok) {
    Refuse(position, "a boolean");
  }
  return value;
}

std::int64_t Arguments::Size(std::size_t position) const {
  std::int64_t size = 0;
  if (!ReadSize(Number(position), &size)) Refuse(position, "an integer from 0 to 2^53 - 1");
  return size;
}

std::string Arguments::Word(std::size_t position) const {
  std::string word;
  if (!ReadWord(env_, values_[position], &word)) Refuse(position, "a name");
  return word;
}

ArrayView Arguments::Array(std::size_t position, Access access) const {
  ArrayView view;
  if (!ReadArray(values_[position], &view, access)) Refuse(position, "a typed array of numbers");
  return view;
}

#if defined(__wasm__)

ArrayView Arguments::ArrayOf(std::size_t position, ElementType type, Access access) const {
  const ArrayView view = Array(position, access);
  if (view.type != type) {
    Refuse(position, "an array of the element type that the other arguments ask for");
  }
  return view;
}

#else

ArrayView Arguments::ArrayOf(std::size_t position, ElementType type, Access) const {
  bool is_array = false;
  void* data = nullptr;
  std::size_t size_in_bytes = 0;
  // Node-API's buffers are typed arrays of any type.
  if (napi_is_typedarray(env_, values_[position], &is_array) != napi_ok || !is_array ||
      napi_get_buffer_info(env_, values_[position], &data, &size_in_bytes) != napi_ok) {
    Refuse(position, "a typed array of numbers");
  }
  // A power of 2: a division by it would take longer than everything else here.
  const std::size_t element_size = ElementSize(type);
  if (((reinterpret_cast<std::uintptr_t>(data) | size_in_bytes) & (element_size - 1)) != 0) {
    Refuse(position, "an array of the element type that the other arguments ask for");
  }
  const std::size_t length = element_size == sizeof(double) ? size_in_bytes / sizeof(double)
                                                            : size_in_bytes / element_size;
  return {data, length, type};
}

#endif

ArrayView Arguments::Array(std::size_t position, ElementType type, std::size_t length,
                           Access access) const {
  const ArrayView view = Array(position, access);
  if (view.type != type || view.length != length) {
    Refuse(position, "an array of the type and length that the other arguments ask for");
  }
  return view;
}

std::vector<Napi::ObjectReference> Arguments::HoldObjects() const {
  std::vector<Napi::ObjectReference> held;
  held.reserve(kMaxCount + 1);
  held.push_back(Napi::Persistent(Napi::Object(env_, receiver_)));
  for (const napi_value value : values_) {
    napi_valuetype type = napi_undefined;
    Require(env_, napi_typeof(env_, value, &type));
    if (type == napi_object) held.push_back(Napi::Persistent(Napi::Object(env_, value)));
  }
  return held;
}

void Arguments::Refuse(std::size_t position, const std::string& expected) const {
  throw ArgumentError(
      env_, "Expected " + expected + " as native argument " + std::to_string(position) + ".");
}

bool Arguments::ReadArray(napi_value value, ArrayView* view, [[maybe_unused]] Access access) const {
  napi_typedarray_type type;
  void** const data = kArraysAreCopied ? nullptr : &view->data;
  // The array buffer is not asked for: a shared one has no handle in Node-API.
  if (napi_get_typedarray_info(env_, value, &type, &view->length, data, nullptr, nullptr) !=
      napi_ok) {
    return false;
  }
  const std::optional<ElementType> element_type = ElementTypeOf(type);
  if (!element_type.has_value()) return false;
  view->type = *element_type;
#if defined(__wasm__)
  view->data = memory_.For(value, view->size_in_bytes(), access);
#endif
  if (view->data == nullptr) view->length = 0;
  return true;
}

bool ReadSize(double number, std::int64_t* size) {
  constexpr double kMaxSafeInteger = 9007199254740991.0;
  // The conversion of any other number is undefined behaviour.
  const bool is_in_range = number >= 0 && number <= kMaxSafeInteger;
  *size = is_in_range ? static_cast<std::int64_t>(number) : 0;
  return static_cast<double>(*size) == number;
}

bool ReadWord(napi_env env, napi_value value, std::string* word) {
  std::array<char, 64> text;
  std::size_t length = 0;
  if (napi_get_value_string_utf8(env, value, text.data(), text.size(), &length) != napi_ok) {
    return false;
  }
  // Longer strings have been truncated.
  if (length + 1 == text.size()) return false;
  word->assign(text.data(), length);
  return true;
}

}  // namespace expsyn::binding
