// Keeps the C++ library's demangler, a tenth of a release binary, out of it. The library uses it
// only to write the name of an exception that ends the process, and writes the mangled name if
// there is none. Where the library is not a part of the binary, nothing calls this function.

#include <cstddef>

// NOLINTNEXTLINE(bugprone-reserved-identifier): the name is the library's.
extern "C" char* __cxa_demangle(const char* /*mangled*/, char* /*buffer*/, std::size_t* /*size*/,
                                int* status) {
  constexpr int kNotMangled = -2;
  if (status != nullptr) *status = kNotMangled;
  return nullptr;
}
