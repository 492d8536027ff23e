#ifndef EXPSYN_BINDING_ARRAY_MEMORY_H_
#define EXPSYN_BINDING_ARRAY_MEMORY_H_

#include <napi.h>

#include <cstddef>
#include <memory>
#include <vector>

namespace expsyn::binding {

// What an entry point does with an array of JavaScript's.
enum class Access { kRead, kWrite };

#if defined(__wasm__)

// WebAssembly can address its own memory only, so an array is copied into it, and what was written
// is copied back by an explicit call.
inline constexpr bool kArraysAreCopied = true;

extern "C" {
// Copies all bytes of a typed array to `target`.
__attribute__((import_module("expsyn"), import_name("read"))) void expsyn_read(napi_value array,
                                                                               void* target);
// Copies bytes from `source` into a typed array, from its byte `offset` on.
__attribute__((import_module("expsyn"), import_name("write"))) void expsyn_write(
    napi_value array, std::size_t offset, const void* source, std::size_t size_in_bytes);
}

// The copies of the arrays of one entry point.
class ArrayMemory {
 public:
  // Memory for an array of that size: a copy if it will be read, uninitialised if it will be
  // written.
  void* For(napi_value array, std::size_t size_in_bytes, Access access) {
    copies_.emplace_back(new char[size_in_bytes]);
    char* const copy = copies_.back().get();
    if (access == Access::kRead) expsyn_read(array, copy);
    return copy;
  }

  static void WriteBack(napi_value array, std::size_t offset, const void* source,
                        std::size_t size_in_bytes) {
    if (size_in_bytes > 0) expsyn_write(array, offset, source, size_in_bytes);
  }

 private:
  std::vector<std::unique_ptr<char[]>> copies_;
};

#else

// An addon reads and writes JavaScript's arrays where they are.
inline constexpr bool kArraysAreCopied = false;

class ArrayMemory {
 public:
  static void WriteBack(napi_value, std::size_t, const void*, std::size_t) {}
};

#endif

}  // namespace expsyn::binding

#endif  // EXPSYN_BINDING_ARRAY_MEMORY_H_
