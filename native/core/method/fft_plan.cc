#include "method/fft_plan.h"

#include <fftw3.h>

#include <cstddef>
#include <map>
#include <mutex>
#include <new>

#include "aligned_buffer.h"

namespace expsyn {

namespace {

// FFTW's names for one precision.
template <typename Real>
struct Fftw;

template <>
struct Fftw<double> {
  using Plan = fftw_plan;
  using Complex = fftw_complex;
  static Plan PlanForward(int n, double* in, Complex* out) {
    return fftw_plan_dft_r2c_1d(n, in, out, FFTW_ESTIMATE | FFTW_PRESERVE_INPUT);
  }
  static Plan PlanInverse(int n, Complex* in, double* out) {
    return fftw_plan_dft_c2r_1d(n, in, out, FFTW_ESTIMATE | FFTW_DESTROY_INPUT);
  }
  static void Forward(Plan plan, double* in, Complex* out) { fftw_execute_dft_r2c(plan, in, out); }
  static void Inverse(Plan plan, Complex* in, double* out) { fftw_execute_dft_c2r(plan, in, out); }
  static void Destroy(Plan plan) { fftw_destroy_plan(plan); }
};

template <>
struct Fftw<float> {
  using Plan = fftwf_plan;
  using Complex = fftwf_complex;
  static Plan PlanForward(int n, float* in, Complex* out) {
    return fftwf_plan_dft_r2c_1d(n, in, out, FFTW_ESTIMATE | FFTW_PRESERVE_INPUT);
  }
  static Plan PlanInverse(int n, Complex* in, float* out) {
    return fftwf_plan_dft_c2r_1d(n, in, out, FFTW_ESTIMATE | FFTW_DESTROY_INPUT);
  }
  static void Forward(Plan plan, float* in, Complex* out) { fftwf_execute_dft_r2c(plan, in, out); }
  static void Inverse(Plan plan, Complex* in, float* out) { fftwf_execute_dft_c2r(plan, in, out); }
  static void Destroy(Plan plan) { fftwf_destroy_plan(plan); }
};

// FFTW shares tables between the planner, plans and their destruction.
std::mutex& PlannerLock() {
  static std::mutex lock;
  return lock;
}

template <typename Real>
class FftwPlan final : public FftPlan<Real> {
  using Api = Fftw<Real>;
  using Complex = typename Api::Complex;

 public:
  // The caller holds the planner's lock.
  explicit FftwPlan(std::int64_t length) {
    const auto n = static_cast<std::size_t>(length);
    AlignedBuffer<Real> signal(n);
    AlignedBuffer<std::complex<Real>> spectrum(n / 2 + 1);
    {
      // FFTW aborts the process when an allocation inside the planner fails, so ask first for
      // more than its tables of this length take.
      AlignedBuffer<std::complex<Real>> headroom(CheckedProduct(n, 2));
    }
    auto* complex = reinterpret_cast<Complex*>(spectrum.data());
    forward_ = Api::PlanForward(static_cast<int>(length), signal.data(), complex);
    inverse_ = Api::PlanInverse(static_cast<int>(length), complex, signal.data());
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
    // FFTW's declaration lacks the const that FFTW_PRESERVE_INPUT promises.
    Api::Forward(forward_, const_cast<Real*>(signal), reinterpret_cast<Complex*>(spectrum));
  }

  void Inverse(std::complex<Real>* spectrum, Real* signal) const override {
    Api::Inverse(inverse_, reinterpret_cast<Complex*>(spectrum), signal);
  }

 private:
  void Destroy() {
    if (forward_ != nullptr) Api::Destroy(forward_);
    if (inverse_ != nullptr) Api::Destroy(inverse_);
  }

  typename Api::Plan forward_ = nullptr;
  typename Api::Plan inverse_ = nullptr;
};

}  // namespace

template <typename Real>
std::shared_ptr<const FftPlan<Real>> FftPlan<Real>::OfLength(std::int64_t length) {
  // Never destroyed: other threads may still be planning while exit() destroys static objects.
  static auto& plans = *new std::map<std::int64_t, std::shared_ptr<const FftPlan<Real>>>();
  const std::lock_guard<std::mutex> guard(PlannerLock());
  std::shared_ptr<const FftPlan<Real>>& plan = plans[length];
  if (plan == nullptr) plan = std::make_shared<const FftwPlan<Real>>(length);
  return plan;
}

template class FftPlan<float>;
template class FftPlan<double>;

}  // namespace expsyn
