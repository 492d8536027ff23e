#ifndef EXPSYN_CORE_METHOD_FFTW_LIBRARY_H_
#define EXPSYN_CORE_METHOD_FFTW_LIBRARY_H_

#include <string>

namespace expsyn {

struct FftwPlanHandle;

// One dimension of a transform: its length and the distances between elements.
struct FftwDimension {
  int n, is, os;
};

// The functions of FFTW 3 that are used, in one precision. `Plan` is fftw_plan or fftwf_plan, and
// `Dimension` is fftw_iodim or fftwf_iodim. They are declared here and not by fftw3.h, so that
// building needs no FFTW; the tests of the core compare both declarations.
template <typename Real, typename Plan = FftwPlanHandle*, typename Dimension = FftwDimension>
struct FftwFunctions {
  using Complex = Real[2];
  Plan (*plan_dft_r2c_1d)(int n, Real* in, Complex* out, unsigned flags) = nullptr;
  Plan (*plan_dft_c2r_1d)(int n, Complex* in, Real* out, unsigned flags) = nullptr;
  Plan (*plan_guru_split_dft)(int rank, const Dimension* dims, int howmany_rank,
                              const Dimension* howmany_dims, Real* ri, Real* ii, Real* ro, Real* io,
                              unsigned flags) = nullptr;
  void (*execute_dft_r2c)(Plan plan, Real* in, Complex* out) = nullptr;
  void (*execute_dft_c2r)(Plan plan, Complex* in, Real* out) = nullptr;
  void (*execute_split_dft)(Plan plan, Real* ri, Real* ii, Real* ro, Real* io) = nullptr;
  void (*destroy_plan)(Plan plan) = nullptr;
};

inline constexpr unsigned kFftwDestroyInput = 1U << 0;
inline constexpr unsigned kFftwPreserveInput = 1U << 4;
inline constexpr unsigned kFftwEstimate = 1U << 6;

// FFTW in one precision: libfftw3 for double, libfftw3f for float. It is loaded and never linked,
// because it is under the GNU General Public License and the package is not. Texts are UTF-8.
template <typename Real>
struct FftwLibrary {
  FftwFunctions<Real> functions;  // null unless it is loaded
  std::string path;               // its file
  std::string version;            // as FFTW names it, such as fftw-3.3.10-sse2-avx
  std::string reason;             // why it is not loaded; empty if it is

  bool is_loaded() const { return functions.destroy_plan != nullptr; }
};

// Loads FFTW, for good. `places` says from where, as the environment variable EXPSYN_FFTW does:
// absolute paths of libraries, or of folders that have them, with the separator of PATH between
// them; 'none' for nowhere; empty for where the system keeps libraries. A library that lacks a
// function is not used. If there is the library of FFTW's threads beside it, its planner is made
// safe to be called by other code of the process at the same time. Throws std::bad_alloc.
template <typename Real>
FftwLibrary<Real> LoadFftw(const std::string& places);

// The FFTW of the process, loaded from where EXPSYN_FFTW says at the first call. Thread-safe.
template <typename Real>
const FftwLibrary<Real>& Fftw();

}  // namespace expsyn

#endif  // EXPSYN_CORE_METHOD_FFTW_LIBRARY_H_
