#ifndef EXPSYN_BINDING_ARGUMENTS_H_
#define EXPSYN_BINDING_ARGUMENTS_H_

#include <napi.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "array_memory.h"
#include "raster.h"

namespace expsyn::binding {

// What a JavaScript typed array holds at this moment. The pointer is valid until JavaScript runs
// again, or, for an array that no JavaScript can reach, while a reference to the array is held. In
// WebAssembly, it is valid as long as the Arguments that it was read from.
// A detached array has length 0.
struct ArrayView {
  void* data;
  std::size_t length;  // elements
  ElementType type;
  std::size_t size_in_bytes() const { return length * ElementSize(type); }
};

// Sets the error's `code`, which programs read: lib/errors/error-codes.ts lists the codes.
template <typename Error>
Error WithCode(Error error, const char* code) {
  error.Set("code", code);
  return error;
}

// An error about a native argument, which only a mistake in lib/ can cause.
Napi::TypeError ArgumentError(napi_env env, const std::string& message);

// Throws unless a call of Node-API has succeeded: the JavaScript exception that is pending, if any.
inline void Require(napi_env env, napi_status status) {
  if (status != napi_ok) throw Napi::Error::New(env);
}

// The arguments of an entry point, by position. lib/native/native.ts is the only caller and has
// checked what users passed. These checks keep memory safe whatever it does; they throw a
// Napi::Error. Reads Node-API directly: wrapping each value would take longer than a short call.
class Arguments {
 public:
  static constexpr std::size_t kMaxCount = 11;

  Arguments(napi_env env, napi_callback_info info);

  napi_env env() const { return env_; }
  // The object that a method was called on, or that a constructor makes.
  napi_value receiver() const { return receiver_; }
  // What the entry point was made with.
  void* data() const { return data_; }
  // Whether the entry point was called with `new`.
  bool is_construction() const;
  // Whether there is an argument at that position.
  bool Has(std::size_t position) const { return position < count_; }
  // Arguments that were not given are undefined.
  napi_value operator[](std::size_t position) const { return values_[position]; }
  bool IsUndefined(std::size_t position) const;

  double Number(std::size_t position) const;
  bool Boolean(std::size_t position) const;
  // An integer from 0 to 2^53 - 1.
  std::int64_t Size(std::size_t position) const;
  // A short string, as names and settings are.
  std::string Word(std::size_t position) const;
  ArrayView Array(std::size_t position, Access access = Access::kRead) const;
  // The memory of a typed array, read as elements of `type` whatever its own type. Takes half the
  // time of Array(), which has to ask for the type.
  ArrayView ArrayOf(std::size_t position, ElementType type, Access access) const;
  // An array of `length` elements of `type`.
  ArrayView Array(std::size_t position, ElementType type, std::size_t length, Access access) const;
  // Reads a typed array of numbers. Returns false for any other value.
  bool ReadArray(napi_value value, ArrayView* view, Access access = Access::kRead) const;
  // Hands what was written to bytes of an array over to JavaScript; `data` is where the array's
  // view begins. To be called, on the thread of JavaScript, for every array that was written.
  void WriteBack(std::size_t position, const void* data, std::size_t offset,
                 std::size_t size_in_bytes) const {
    ArrayMemory::WriteBack(values_[position], offset, static_cast<const char*>(data) + offset,
                           size_in_bytes);
  }

  // Keeps every argument that is an object, and the receiver, from being collected.
  std::vector<Napi::ObjectReference> HoldObjects() const;

  [[noreturn]] void Refuse(std::size_t position, const std::string& expected) const;

 private:
  napi_env env_;
  napi_callback_info info_;
  std::size_t count_ = kMaxCount;
  napi_value receiver_ = nullptr;
  void* data_ = nullptr;
  std::array<napi_value, kMaxCount> values_;
  mutable ArrayMemory memory_;
};

// Whether a number is an integer from 0 to 2^53 - 1, which is then read.
bool ReadSize(double number, std::int64_t* size);

// Reads a string of at most 62 bytes. Returns false for any other value.
bool ReadWord(napi_env env, napi_value value, std::string* word);

}  // namespace expsyn::binding

#endif  // EXPSYN_BINDING_ARGUMENTS_H_
