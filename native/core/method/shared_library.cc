#include "method/shared_library.h"

#if defined(_WIN32)
#include <windows.h>

#include <cstddef>
#elif !defined(__wasm__)
#include <dlfcn.h>
#include <sys/stat.h>

#include <cstdlib>
#endif

namespace expsyn {

#if defined(_WIN32)

namespace {

std::wstring ToWide(const std::string& text) {
  const auto size = static_cast<int>(text.size());
  std::wstring wide(text.size(), L'\0');
  const int length = MultiByteToWideChar(CP_UTF8, 0, text.data(), size, wide.data(), size);
  wide.resize(static_cast<std::size_t>(length));
  return wide;
}

std::string ToUtf8(const std::wstring& wide) {
  const auto size = static_cast<int>(wide.size());
  std::string text(3 * wide.size(), '\0');
  const int length =
      WideCharToMultiByte(CP_UTF8, 0, wide.data(), size, text.data(), 3 * size, nullptr, nullptr);
  text.resize(static_cast<std::size_t>(length));
  return text;
}

DWORD AttributesOf(const std::string& path) { return GetFileAttributesW(ToWide(path).c_str()); }

// Longer paths, and longer values of variables, do not exist.
constexpr std::size_t kMaxLength = 32768;

}  // namespace

// Not by the C library, whose copy of the environment does not follow what Node sets.
std::string EnvironmentVariable(const std::string& name) {
  std::wstring value(kMaxLength, L'\0');
  value.resize(GetEnvironmentVariableW(ToWide(name).c_str(), value.data(),
                                       static_cast<DWORD>(value.size())));
  return ToUtf8(value);
}

bool IsSlash(char letter) { return letter == '\\' || letter == '/'; }

bool IsAbsolutePath(const std::string& path) {
  if (path.size() < 3) return false;
  return (path[1] == ':' && IsSlash(path[2])) || (IsSlash(path[0]) && IsSlash(path[1]));
}

bool IsThere(const std::string& path) { return AttributesOf(path) != INVALID_FILE_ATTRIBUTES; }

bool IsFolder(const std::string& path) {
  const DWORD attributes = AttributesOf(path);
  return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
}

void* OpenLibrary(const std::string& file, std::string* reason) {
  std::wstring path = ToWide(file);
  DWORD flags = LOAD_LIBRARY_SEARCH_DEFAULT_DIRS;
  if (IsAbsolutePath(file)) {
    // The libraries that it needs may be beside it. This flag does not permit other slashes.
    flags |= LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR;
    for (wchar_t& letter : path) letter = letter == L'/' ? L'\\' : letter;
  }
  HMODULE library = LoadLibraryExW(path.c_str(), nullptr, flags);
  if (library != nullptr) return reinterpret_cast<void*>(library);
  switch (const DWORD error = GetLastError()) {
    case ERROR_MOD_NOT_FOUND:
      *reason = file + " was not found, or a library that it needs";
      break;
    case ERROR_BAD_EXE_FORMAT:
      *reason = file + " is no library for this processor";
      break;
    default:
      *reason = file + " could not be loaded, error " + std::to_string(error) + " of Windows";
  }
  return nullptr;
}

void CloseLibrary(void* library) { FreeLibrary(static_cast<HMODULE>(library)); }

void* FindSymbol(void* library, const std::string& name) {
  return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(library), name.c_str()));
}

std::string PathOfLibrary(void* library, const void* /*function*/) {
  std::wstring path(kMaxLength, L'\0');
  path.resize(GetModuleFileNameW(static_cast<HMODULE>(library), path.data(),
                                 static_cast<DWORD>(path.size())));
  return ToUtf8(path);
}

#elif defined(__wasm__)

std::string EnvironmentVariable(const std::string& /*name*/) { return {}; }
bool IsSlash(char letter) { return letter == '/'; }
bool IsAbsolutePath(const std::string& path) { return !path.empty() && IsSlash(path[0]); }
bool IsThere(const std::string& /*path*/) { return false; }
bool IsFolder(const std::string& /*path*/) { return false; }
void* OpenLibrary(const std::string& /*file*/, std::string* reason) {
  *reason = "WebAssembly cannot load libraries";
  return nullptr;
}
void CloseLibrary(void* /*library*/) {}
void* FindSymbol(void* /*library*/, const std::string& /*name*/) { return nullptr; }
std::string PathOfLibrary(void* /*library*/, const void* /*function*/) { return {}; }

#else

std::string EnvironmentVariable(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  return value == nullptr ? "" : value;
}

bool IsSlash(char letter) { return letter == '/'; }

bool IsAbsolutePath(const std::string& path) { return !path.empty() && IsSlash(path[0]); }

bool IsThere(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0;
}

bool IsFolder(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

void* OpenLibrary(const std::string& file, std::string* reason) {
  void* const library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library != nullptr) return library;
  const char* const error = dlerror();
  *reason = error == nullptr ? file + " could not be loaded" : error;
  // It becomes a part of a sentence.
  for (char& letter : *reason) letter = letter == '\n' ? ' ' : letter;
  return nullptr;
}

void CloseLibrary(void* library) { dlclose(library); }

void* FindSymbol(void* library, const std::string& name) { return dlsym(library, name.c_str()); }

std::string PathOfLibrary(void* /*library*/, const void* function) {
  Dl_info info{};
  return dladdr(function, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : "";
}

#endif

}  // namespace expsyn
