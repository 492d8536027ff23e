#include "method/fft_plan.h"

#include <cstddef>
#include <map>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "aligned_buffer.h"
#include "method/fftw_library.h"

namespace expsyn {

namespace {

// FFTW shares tables between the planner, plans and their destruction.
std::mutex& PlannerLock() {
  static std::mutex lock;
  return lock;
}

// The transforms of one signal or of a pair; the caller of the constructors holds the planner's
// lock.
template <typename Real>
class FftwPlan : public FftPlan<Real> {
 public:
  ~FftwPlan() override {
    const std::lock_guard<std::mutex> guard(PlannerLock());
    Destroy();
  }

 protected:
  FftwPlan(const FftwFunctions<Real>& fftw, std::int64_t length, std::int64_t n_signals)
      : FftPlan<Real>(length, n_signals), fftw_(fftw) {
    // FFTW aborts the process when an allocation inside the planner fails, so ask first for more
    // than its tables of this length take.
    AlignedBuffer<Real> headroom(CheckedProduct(static_cast<std::size_t>(length), 4));
  }

  void Require(FftwPlanHandle* forward, FftwPlanHandle* inverse) {
    forward_ = forward;
    inverse_ = inverse;
    if (forward != nullptr && inverse != nullptr) return;
    Destroy();
    throw std::bad_alloc();
  }

  const FftwFunctions<Real>& fftw_;
  FftwPlanHandle* forward_ = nullptr;
  FftwPlanHandle* inverse_ = nullptr;

 private:
  void Destroy() {
    if (forward_ != nullptr) fftw_.destroy_plan(forward_);
    if (inverse_ != nullptr) fftw_.destroy_plan(inverse_);
    forward_ = inverse_ = nullptr;
  }
};

template <typename Real>
class SingleFftwPlan final : public FftwPlan<Real> {
  using Complex = typename FftwFunctions<Real>::Complex;

 public:
  SingleFftwPlan(const FftwFunctions<Real>& fftw, std::int64_t length)
      : FftwPlan<Real>(fftw, length, 1) {
    AlignedBuffer<Real> signal(static_cast<std::size_t>(this->signals_size()));
    AlignedBuffer<Real> spectrum(static_cast<std::size_t>(this->spectrum_size()));
    auto* complex = reinterpret_cast<Complex*>(spectrum.data());
    this->Require(fftw.plan_dft_r2c_1d(static_cast<int>(length), signal.data(), complex,
                                       kFftwEstimate | kFftwPreserveInput),
                  fftw.plan_dft_c2r_1d(static_cast<int>(length), complex, signal.data(),
                                       kFftwEstimate | kFftwDestroyInput));
  }

  void Forward(const Real* signals, Real* spectrum) const override {
    // FFTW's declaration lacks the const that kFftwPreserveInput promises.
    this->fftw_.execute_dft_r2c(this->forward_, const_cast<Real*>(signals),
                                reinterpret_cast<Complex*>(spectrum));
  }
  void Inverse(Real* spectrum, Real* signals) const override {
    this->fftw_.execute_dft_c2r(this->inverse_, reinterpret_cast<Complex*>(spectrum), signals);
  }
};

// FFTW has no inverse with split arrays, but with real and imaginary parts exchanged, the forward
// transform is the inverse one.
template <typename Real>
class PairFftwPlan final : public FftwPlan<Real> {
 public:
  PairFftwPlan(const FftwFunctions<Real>& fftw, std::int64_t length)
      : FftwPlan<Real>(fftw, length, 2), distance_(FftPlan<Real>::Distance(length)) {
    AlignedBuffer<Real> signals(static_cast<std::size_t>(this->signals_size()));
    AlignedBuffer<Real> spectrum(static_cast<std::size_t>(this->spectrum_size()));
    Real* x = signals.data();
    Real* y = spectrum.data();
    const FftwDimension dimension{static_cast<int>(length), 1, 1};
    this->Require(fftw.plan_guru_split_dft(1, &dimension, 0, nullptr, x, x + distance_, y,
                                           y + distance_, kFftwEstimate | kFftwPreserveInput),
                  fftw.plan_guru_split_dft(1, &dimension, 0, nullptr, y + distance_, y,
                                           x + distance_, x, kFftwEstimate | kFftwDestroyInput));
  }

  void Forward(const Real* signals, Real* spectrum) const override {
    Real* x = const_cast<Real*>(signals);
    this->fftw_.execute_split_dft(this->forward_, x, x + distance_, spectrum, spectrum + distance_);
  }
  void Inverse(Real* spectrum, Real* signals) const override {
    this->fftw_.execute_split_dft(this->inverse_, spectrum + distance_, spectrum,
                                  signals + distance_, signals);
  }

 private:
  std::int64_t distance_;
};

}  // namespace

bool HasTransforms(ElementType dtype) {
  // Spectra of kernels are computed in double precision for both.
  return Fftw<double>().is_loaded() &&
         (dtype == ElementType::kFloat64 || Fftw<float>().is_loaded());
}

bool IsTransformedInPairs(std::int64_t length, ElementType dtype) {
  const std::int64_t longest = dtype == ElementType::kFloat32 ? 4096 : 2048;
  return length <= longest && (length & (length - 1)) == 0;
}

template <typename Real>
std::int64_t FftPlan<Real>::Distance(std::int64_t length) {
  constexpr auto kPerLine = static_cast<std::int64_t>(kAlignment / sizeof(Real));
  return ((length + kPerLine - 1) / kPerLine + 1) * kPerLine;
}

template <typename Real>
std::shared_ptr<const FftPlan<Real>> FftPlan<Real>::Of(std::int64_t length,
                                                       std::int64_t n_signals) {
  const FftwLibrary<Real>& fftw = Fftw<Real>();
  if (!fftw.is_loaded()) throw std::runtime_error("there is no FFTW: " + fftw.reason);
  using Plans =
      std::map<std::pair<std::int64_t, std::int64_t>, std::shared_ptr<const FftPlan<Real>>>;
  // Never destroyed: other threads may still be planning while exit() destroys static objects.
  static auto& plans = *new Plans();
  const std::lock_guard<std::mutex> guard(PlannerLock());
  std::shared_ptr<const FftPlan<Real>>& plan = plans[{length, n_signals}];
  if (plan != nullptr) return plan;
  if (n_signals == 2) {
    plan = std::make_shared<const PairFftwPlan<Real>>(fftw.functions, length);
  } else {
    plan = std::make_shared<const SingleFftwPlan<Real>>(fftw.functions, length);
  }
  return plan;
}

template class FftPlan<float>;
template class FftPlan<double>;

}  // namespace expsyn
