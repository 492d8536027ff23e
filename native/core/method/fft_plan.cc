#include "method/fft_plan.h"

#include <cstddef>
#include <map>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>

#include "aligned_buffer.h"
#include "method/fftw_library.h"

namespace expsyn {

namespace {

// FFTW shares tables between the planner, plans and their destruction.
std::mutex& PlannerLock() {
  static std::mutex lock;
  return lock;
}

template <typename Real>
class FftwPlan final : public FftPlan<Real> {
  using Functions = FftwFunctions<Real>;
  using Complex = typename Functions::Complex;

 public:
  // The caller holds the planner's lock.
  FftwPlan(const Functions& fftw, std::int64_t length) : fftw_(fftw) {
    const auto n = static_cast<std::size_t>(length);
    AlignedBuffer<Real> signal(n);
    AlignedBuffer<std::complex<Real>> spectrum(n / 2 + 1);
    {
      // FFTW aborts the process when an allocation inside the planner fails, so ask first for
      // more than its tables of this length take.
      AlignedBuffer<std::complex<Real>> headroom(CheckedProduct(n, 2));
    }
    auto* complex = reinterpret_cast<Complex*>(spectrum.data());
    forward_ = fftw.plan_dft_r2c_1d(static_cast<int>(length), signal.data(), complex,
                                    kFftwEstimate | kFftwPreserveInput);
    inverse_ = fftw.plan_dft_c2r_1d(static_cast<int>(length), complex, signal.data(),
                                    kFftwEstimate | kFftwDestroyInput);
    if (forward_ == nullptr || inverse_ == nullptr) {
      Destroy();
      throw std::bad_alloc();
    }
  }

  ~FftwPlan() override {
    const std::lock_guard<std::mutex> guard(PlannerLock());
    Destroy();
  }

  void Forward(const Real* signal, std::complex<Real>* spectrum) const override {
    // FFTW's declaration lacks the const that kFftwPreserveInput promises.
    fftw_.execute_dft_r2c(forward_, const_cast<Real*>(signal),
                          reinterpret_cast<Complex*>(spectrum));
  }

  void Inverse(std::complex<Real>* spectrum, Real* signal) const override {
    fftw_.execute_dft_c2r(inverse_, reinterpret_cast<Complex*>(spectrum), signal);
  }

 private:
  void Destroy() {
    if (forward_ != nullptr) fftw_.destroy_plan(forward_);
    if (inverse_ != nullptr) fftw_.destroy_plan(inverse_);
  }

  const Functions& fftw_;
  FftwPlanHandle* forward_ = nullptr;
  FftwPlanHandle* inverse_ = nullptr;
};

}  // namespace

bool HasTransforms(ElementType dtype) {
  // Spectra of kernels are computed in double precision for both.
  return Fftw<double>().is_loaded() &&
         (dtype == ElementType::kFloat64 || Fftw<float>().is_loaded());
}

template <typename Real>
std::shared_ptr<const FftPlan<Real>> FftPlan<Real>::OfLength(std::int64_t length) {
  const FftwLibrary<Real>& fftw = Fftw<Real>();
  if (!fftw.is_loaded()) throw std::runtime_error("there is no FFTW: " + fftw.reason);
  // Never destroyed: other threads may still be planning while exit() destroys static objects.
  static auto& plans = *new std::map<std::int64_t, std::shared_ptr<const FftPlan<Real>>>();
  const std::lock_guard<std::mutex> guard(PlannerLock());
  std::shared_ptr<const FftPlan<Real>>& plan = plans[length];
  if (plan == nullptr) plan = std::make_shared<const FftwPlan<Real>>(fftw.functions, length);
  return plan;
}

template class FftPlan<float>;
template class FftPlan<double>;

}  // namespace expsyn
