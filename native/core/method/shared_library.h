#ifndef EXPSYN_CORE_METHOD_SHARED_LIBRARY_H_
#define EXPSYN_CORE_METHOD_SHARED_LIBRARY_H_

#include <string>

namespace expsyn {

// Loading libraries at run time, and what it needs of the system. Texts are UTF-8. In WebAssembly,
// nothing can be loaded.

// Between the paths of a list, as in PATH.
#if defined(_WIN32)
inline constexpr char kPathSeparator = ';';
#else
inline constexpr char kPathSeparator = ':';
#endif

// A variable of the environment; empty if it is not set.
std::string EnvironmentVariable(const std::string& name);

bool IsSlash(char letter);
bool IsAbsolutePath(const std::string& path);
bool IsThere(const std::string& path);
bool IsFolder(const std::string& path);

// Loads a library, given its absolute path, or a name that the system looks up where it keeps
// libraries, but not in the working directory. Returns null if that fails, and says why.
void* OpenLibrary(const std::string& file, std::string* reason);
// Undoes one OpenLibrary().
void CloseLibrary(void* library);

// A function or variable of a library or of those that it was linked with; null if it has none of
// that name.
void* FindSymbol(void* library, const std::string& name);

// The file of a library, one of whose functions is at `function`; empty if nobody knows.
std::string PathOfLibrary(void* library, const void* function);

}  // namespace expsyn

#endif  // EXPSYN_CORE_METHOD_SHARED_LIBRARY_H_
