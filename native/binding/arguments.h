#ifndef EXPSYN_BINDING_ARGUMENTS_H_
#define EXPSYN_BINDING_ARGUMENTS_H_

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "raster.h"

namespace expsyn::binding {

// What a JavaScript typed array holds at this moment. The pointer is good until JavaScript runs
// again, or, for an array that no JavaScript can reach, while a reference to the array is held.
// The length of a detached array is 0.
struct ArrayView {
  void* data;
  std::size_t length;  // elements
  ElementType type;
  std::size_t size_in_bytes() const { return length * ElementSize(type); }
};

// The error with a `code` for programs: lib/error-codes.ts has the list.
template <typename Error>
Error WithCode(Error error, const char* code) {
  error.Set("code", code);
  return error;
}

// An error about a native argument, which only a mistake in lib/ can cause.
Napi::TypeError ArgumentError(Napi::Env env, const std::string& message);

// The arguments of an entry point, by position. lib/native.ts is the only caller and has checked
// what users passed; these checks keep memory safe whatever it does, and throw a Napi::Error.
class Arguments {
 public:
  explicit Arguments(const Napi::CallbackInfo& info) : info_(info) {}

  double Number(std::size_t position) const;
  bool Boolean(std::size_t position) const;
  // A whole number from 0 to 2^53 - 1.
  std::int64_t Size(std::size_t position) const;
  ArrayView Array(std::size_t position) const;
  // An array of `length` elements of `type`.
  ArrayView Array(std::size_t position, ElementType type, std::size_t length) const;
  // Throws unless the view, of the argument at `position`, is one.
  void Require(const ArrayView& view, std::size_t position, ElementType type,
               std::size_t length) const;

 private:
  [[noreturn]] void Refuse(std::size_t position, const char* expected) const;

  const Napi::CallbackInfo& info_;
};

}  // namespace expsyn::binding

#endif  // EXPSYN_BINDING_ARGUMENTS_H_
