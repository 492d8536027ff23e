#include "method/fftw_library.h"

#include <doctest/doctest.h>
#include <fftw3.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "aligned_buffer.h"
#include "method/fft_plan.h"
#include "method/shared_library.h"

namespace expsyn::test {
namespace {

// What the core declares is what the header declares, in each precision.
#define EXPSYN_CHECK_DECLARATIONS(Real, prefix)                                                  \
  using Declared##Real = FftwFunctions<Real, prefix##_plan, prefix##_iodim>;                     \
  static_assert(std::is_same_v<Declared##Real::Complex, prefix##_complex>);                      \
  static_assert(std::is_same_v<decltype(Declared##Real::plan_dft_r2c_1d),                        \
                               decltype(&prefix##_plan_dft_r2c_1d)>);                            \
  static_assert(std::is_same_v<decltype(Declared##Real::plan_dft_c2r_1d),                        \
                               decltype(&prefix##_plan_dft_c2r_1d)>);                            \
  static_assert(std::is_same_v<decltype(Declared##Real::plan_guru_split_dft),                    \
                               decltype(&prefix##_plan_guru_split_dft)>);                        \
  static_assert(std::is_same_v<decltype(Declared##Real::execute_split_dft),                      \
                               decltype(&prefix##_execute_split_dft)>);                          \
  static_assert(sizeof(FftwDimension) == sizeof(prefix##_iodim));                                \
  static_assert(offsetof(FftwDimension, n) == offsetof(prefix##_iodim, n));                      \
  static_assert(offsetof(FftwDimension, is) == offsetof(prefix##_iodim, is));                    \
  static_assert(offsetof(FftwDimension, os) == offsetof(prefix##_iodim, os));                    \
  static_assert(std::is_same_v<decltype(Declared##Real::execute_dft_r2c),                        \
                               decltype(&prefix##_execute_dft_r2c)>);                            \
  static_assert(std::is_same_v<decltype(Declared##Real::execute_dft_c2r),                        \
                               decltype(&prefix##_execute_dft_c2r)>);                            \
  static_assert(                                                                                 \
      std::is_same_v<decltype(Declared##Real::destroy_plan), decltype(&prefix##_destroy_plan)>); \
  static_assert(std::is_same_v<decltype(prefix##_version), const char[]>);                       \
  static_assert(std::is_same_v<decltype(&prefix##_make_planner_thread_safe), void (*)()>);       \
  static_assert(sizeof(FftwFunctions<Real>) == sizeof(Declared##Real))
EXPSYN_CHECK_DECLARATIONS(double, fftw);
EXPSYN_CHECK_DECLARATIONS(float, fftwf);
static_assert(kFftwDestroyInput == FFTW_DESTROY_INPUT);
static_assert(kFftwPreserveInput == FFTW_PRESERVE_INPUT);
static_assert(kFftwEstimate == FFTW_ESTIMATE);

std::string FolderOf(const std::string& path) {
  std::size_t length = path.size();
  while (!IsSlash(path[length - 1])) --length;
  return path.substr(0, length - 1);
}

// The file of a library that has none of FFTW's functions.
std::string OtherLibrary() {
  std::string reason;
  void* const library = OpenLibrary("libm.so.6", &reason);
  REQUIRE_MESSAGE(library != nullptr, reason);
  std::string path = PathOfLibrary(library, FindSymbol(library, "cos"));
  CloseLibrary(library);
  return path;
}

template <typename Real>
void CheckMissing(const std::string& places, const std::string& reason) {
  CAPTURE(places);
  const FftwLibrary<Real> fftw = LoadFftw<Real>(places);
  CHECK_FALSE(fftw.is_loaded());
  CHECK(fftw.path.empty());
  CHECK(fftw.version.empty());
  CHECK_MESSAGE(fftw.reason.find(reason) != std::string::npos, fftw.reason);
  CHECK(fftw.reason.find('\n') == std::string::npos);
}

template <typename Real>
void CheckFound(const std::string& places) {
  CAPTURE(places);
  const FftwLibrary<Real> fftw = LoadFftw<Real>(places);
  CHECK(fftw.is_loaded());
  const bool is_same = fftw.functions.plan_dft_r2c_1d == Fftw<Real>().functions.plan_dft_r2c_1d;
  CHECK(is_same);
  CHECK(fftw.path == Fftw<Real>().path);
  CHECK(fftw.version == Fftw<Real>().version);
  CHECK(fftw.reason.empty());
}

TEST_CASE_TEMPLATE("FFTW is found where the system has it", Real, float, double) {
  const FftwLibrary<Real>& fftw = Fftw<Real>();
  REQUIRE_MESSAGE(fftw.is_loaded(), fftw.reason);
  CHECK(&fftw == &Fftw<Real>());
  CHECK(IsAbsolutePath(fftw.path));
  CHECK(IsThere(fftw.path));
  CHECK(fftw.version.rfind("fftw-3.", 0) == 0);
  CHECK(HasTransforms(kElementTypeOf<Real>));
  CheckFound<Real>("");
}

TEST_CASE_TEMPLATE("FFTW is found where EXPSYN_FFTW says", Real, float, double) {
  const std::string& path = Fftw<Real>().path;
  const std::string separator(1, kPathSeparator);
  CheckFound<Real>(path);
  CheckFound<Real>(FolderOf(path));
  CheckFound<Real>(FolderOf(path) + "/");
  CheckFound<Real>(separator + "relative" + separator + OtherLibrary() + separator + path);
  // One list for both precisions.
  CheckFound<Real>(Fftw<double>().path + separator + Fftw<float>().path);
}

TEST_CASE_TEMPLATE("it is said why FFTW is not used", Real, float, double) {
  const std::string symbol =
      std::is_same_v<Real, float> ? "fftwf_plan_dft_r2c_1d" : "fftw_plan_dft_r2c_1d";
  const std::string of_other_precision =
      std::is_same_v<Real, float> ? Fftw<double>().path : Fftw<float>().path;
  CheckMissing<Real>("none", "EXPSYN_FFTW is 'none'");
  CheckMissing<Real>("libfftw3.so.3", "EXPSYN_FFTW has 'libfftw3.so.3', which is no absolute path");
  CheckMissing<Real>("./", "no absolute path");
  CheckMissing<Real>(std::string(1, kPathSeparator), "EXPSYN_FFTW has no path");
  CheckMissing<Real>("/not/there", "/not/there does not exist");
  CheckMissing<Real>("/", "does not exist");
  CheckMissing<Real>(OtherLibrary(), " has no " + symbol);
  CheckMissing<Real>(of_other_precision, " has no " + symbol);
  const std::string both = OtherLibrary() + kPathSeparator + "relative";
  CheckMissing<Real>(both, "has no " + symbol);
  CheckMissing<Real>(both, "'relative', which is no absolute path");

  const std::filesystem::path text =
      std::filesystem::temp_directory_path() / ("expsyn-" + std::to_string(std::random_device()()));
  std::ofstream(text) << "This is no library.";
  CheckMissing<Real>(text.string(), text.string());
  std::filesystem::remove(text);
}

// FFTW's planner is not thread-safe by itself: this crashes unless it has been made so. The core
// has a lock of its own, which other users of FFTW in the process do not know.
TEST_CASE_TEMPLATE("others may plan on several threads at the same time", Real, float, double) {
  const FftwFunctions<Real>& fftw = Fftw<Real>().functions;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&fftw, thread] {
      for (int i = 0; i < 200; ++i) {
        const int length = 16 + 4 * ((i * 7 + thread * 13) % 64);
        AlignedBuffer<Real> signal(static_cast<std::size_t>(length));
        AlignedBuffer<Real> spectrum(static_cast<std::size_t>(length + 2));
        auto* const complex =
            reinterpret_cast<typename FftwFunctions<Real>::Complex*>(spectrum.data());
        fftw.destroy_plan(fftw.plan_dft_r2c_1d(length, signal.data(), complex, kFftwEstimate));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace expsyn::test
