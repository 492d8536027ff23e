#include "method/fftw_library.h"

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <vector>

#include "method/shared_library.h"

namespace expsyn {

namespace {

// The beginning of FFTW's names in one precision.
template <typename Real>
constexpr const char* kPrefix = std::is_same_v<Real, float> ? "fftwf_" : "fftw_";

// The beginning of the name of its file, and that of its threads.
template <typename Real>
constexpr const char* kStem = std::is_same_v<Real, float> ? "libfftw3f" : "libfftw3";
template <typename Real>
constexpr const char* kThreadsStem =
    std::is_same_v<Real, float> ? "libfftw3f_threads" : "libfftw3_threads";

// The names that a file of FFTW may have.
std::vector<std::string> FileNames(const std::string& stem) {
#if defined(_WIN32)
  // Of the binaries by FFTW's authors, and of builds by CMake.
  return {stem + "-3.dll", stem.substr(3) + ".dll"};
#elif defined(__APPLE__)
  return {stem + ".3.dylib"};
#else
  return {stem + ".so.3"};
#endif
}

// Where the system may have a library.
std::vector<std::string> SystemFiles(const std::string& stem) {
#if defined(__APPLE__)
  // By Homebrew for Apple silicon and for Intel, and by MacPorts. A name alone would be looked up
  // in the working directory, too.
  std::vector<std::string> files;
  for (const char* const folder : {"/opt/homebrew/lib/", "/usr/local/lib/", "/opt/local/lib/"}) {
    for (const std::string& name : FileNames(stem)) files.push_back(folder + name);
  }
  return files;
#else
  return FileNames(stem);
#endif
}

void AddReason(const std::string& reason, std::string* reasons) {
  *reasons += (reasons->empty() ? "" : ", ") + reason;
}

// The files to try, one after the other. What is wrong with the places is added to the reasons.
std::vector<std::string> FilesAt(const std::string& places, const std::string& stem,
                                 std::string* reasons) {
  if (places.empty()) return SystemFiles(stem);
  std::vector<std::string> files;
  for (std::size_t begin = 0; begin < places.size();) {
    const std::size_t end = std::min(places.find(kPathSeparator, begin), places.size());
    const std::string place = places.substr(begin, end - begin);
    begin = end + 1;
    if (place.empty()) continue;
    if (!IsAbsolutePath(place)) {
      AddReason("EXPSYN_FFTW has '" + place + "', which is no absolute path", reasons);
    } else if (IsFolder(place)) {
      const std::string folder = IsSlash(place.back()) ? place : place + '/';
      for (const std::string& name : FileNames(stem)) files.push_back(folder + name);
    } else {
      files.push_back(place);
    }
  }
  return files;
}

// Makes FFTW's planner safe to be called by several threads, if there is the function that does so:
// in the library itself or in that of FFTW's threads beside it. That is for other code of the
// process that plans, since it does not know the lock of fft_plan.cc.
template <typename Real>
void MakePlannerThreadSafe(void* library, const std::string& path) {
  using Function = void (*)();
  const std::string name = std::string(kPrefix<Real>) + "make_planner_thread_safe";
  void* function = FindSymbol(library, name);
  if (function == nullptr) {
    std::size_t length = path.size();
    while (length > 0 && !IsSlash(path[length - 1])) --length;
    const std::string beside = path.substr(0, length) + FileNames(kThreadsStem<Real>).front();
    std::string ignored;
    void* const threads = OpenLibrary(beside, &ignored);
    if (threads == nullptr) return;
    function = FindSymbol(threads, name);
  }
  if (function != nullptr) reinterpret_cast<Function>(function)();
}

// Takes functions and version from a library that is open. Returns the name of the first one that
// it lacks, or nothing.
template <typename Real>
std::string TakeFunctions(void* library, FftwLibrary<Real>* taken) {
  std::string lacking;
  const auto take = [&](const char* name, auto* target) {
    const std::string symbol = std::string(kPrefix<Real>) + name;
    void* const found = FindSymbol(library, symbol);
    if (found == nullptr && lacking.empty()) lacking = symbol;
    *target = reinterpret_cast<std::remove_pointer_t<decltype(target)>>(found);
  };
  FftwFunctions<Real> functions;
  take("plan_dft_r2c_1d", &functions.plan_dft_r2c_1d);
  take("plan_dft_c2r_1d", &functions.plan_dft_c2r_1d);
  take("plan_guru_split_dft", &functions.plan_guru_split_dft);
  take("execute_dft_r2c", &functions.execute_dft_r2c);
  take("execute_dft_c2r", &functions.execute_dft_c2r);
  take("execute_split_dft", &functions.execute_split_dft);
  take("destroy_plan", &functions.destroy_plan);
  // A variable: an array of characters.
  const char* version = nullptr;
  take("version", &version);
  if (!lacking.empty()) return lacking;
  taken->version = version;
  taken->functions = functions;
  return {};
}

}  // namespace

template <typename Real>
FftwLibrary<Real> LoadFftw(const std::string& places) {
  FftwLibrary<Real> fftw;
  if (places == "none") {
    fftw.reason = "EXPSYN_FFTW is 'none'";
    return fftw;
  }
  std::string reasons;
  for (const std::string& file : FilesAt(places, kStem<Real>, &reasons)) {
    if (IsAbsolutePath(file) && !IsThere(file)) {
      AddReason(file + " does not exist", &reasons);
      continue;
    }
    std::string reason;
    void* const library = OpenLibrary(file, &reason);
    if (library == nullptr) {
      AddReason(reason, &reasons);
      continue;
    }
    std::string lacking = TakeFunctions(library, &fftw);
    if (!lacking.empty()) {
      AddReason(lacking.insert(0, file + " has no "), &reasons);
      CloseLibrary(library);
      continue;
    }
    fftw.path = PathOfLibrary(library, reinterpret_cast<void*>(fftw.functions.destroy_plan));
    MakePlannerThreadSafe<Real>(library, fftw.path);
    return fftw;
  }
  fftw.reason = reasons.empty() ? "EXPSYN_FFTW has no path" : reasons;
  return fftw;
}

template <typename Real>
const FftwLibrary<Real>& Fftw() {
  // Never destroyed: other threads may still use it while exit() destroys static objects.
  static const auto& fftw =
      *new FftwLibrary<Real>(LoadFftw<Real>(EnvironmentVariable("EXPSYN_FFTW")));
  return fftw;
}

template FftwLibrary<float> LoadFftw<float>(const std::string& places);
template FftwLibrary<double> LoadFftw<double>(const std::string& places);
template const FftwLibrary<float>& Fftw<float>();
template const FftwLibrary<double>& Fftw<double>();

}  // namespace expsyn
