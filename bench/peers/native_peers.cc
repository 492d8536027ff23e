// The benchmark's native peers: a Node-API call that does nothing, and bare FFTW transforms, by the
// library that the core loads and by the one that this addon is linked with.

#include <fftw3.h>
#include <napi.h>

#include <chrono>
#include <complex>
#include <cstdint>
#include <memory>

#include "aligned_buffer.h"
#include "kernel/exponential.h"
#include "method/choice.h"
#include "method/fft_plan.h"

namespace {

// nothing(...): takes any arguments, does nothing.
Napi::Value Nothing(const Napi::CallbackInfo& info) { return info.Env().Undefined(); }

// Transforms by FFTW as the core calls it.
template <typename Real>
class Loaded {
 public:
  Loaded(std::int64_t length, Real* /*signal*/, std::complex<Real>* /*spectrum*/)
      : plan_(expsyn::FftPlan<Real>::Of(length, 1)) {}
  void Forward(const Real* signal, std::complex<Real>* spectrum) const {
    plan_->Forward(signal, reinterpret_cast<Real*>(spectrum));
  }
  void Inverse(std::complex<Real>* spectrum, Real* signal) const {
    plan_->Inverse(reinterpret_cast<Real*>(spectrum), signal);
  }

 private:
  std::shared_ptr<const expsyn::FftPlan<Real>> plan_;
};

// The same plans, by functions that this addon is linked with.
class LinkedDouble {
 public:
  LinkedDouble(std::int64_t length, double* signal, std::complex<double>* spectrum)
      : forward_(fftw_plan_dft_r2c_1d(static_cast<int>(length), signal, Complex(spectrum),
                                      FFTW_ESTIMATE | FFTW_PRESERVE_INPUT)),
        inverse_(fftw_plan_dft_c2r_1d(static_cast<int>(length), Complex(spectrum), signal,
                                      FFTW_ESTIMATE | FFTW_DESTROY_INPUT)) {}
  ~LinkedDouble() {
    fftw_destroy_plan(forward_);
    fftw_destroy_plan(inverse_);
  }
  void Forward(double* signal, std::complex<double>* spectrum) const {
    fftw_execute_dft_r2c(forward_, signal, Complex(spectrum));
  }
  void Inverse(std::complex<double>* spectrum, double* signal) const {
    fftw_execute_dft_c2r(inverse_, Complex(spectrum), signal);
  }

 private:
  static fftw_complex* Complex(std::complex<double>* spectrum) {
    return reinterpret_cast<fftw_complex*>(spectrum);
  }
  fftw_plan forward_, inverse_;
};

class LinkedSingle {
 public:
  LinkedSingle(std::int64_t length, float* signal, std::complex<float>* spectrum)
      : forward_(fftwf_plan_dft_r2c_1d(static_cast<int>(length), signal, Complex(spectrum),
                                       FFTW_ESTIMATE | FFTW_PRESERVE_INPUT)),
        inverse_(fftwf_plan_dft_c2r_1d(static_cast<int>(length), Complex(spectrum), signal,
                                       FFTW_ESTIMATE | FFTW_DESTROY_INPUT)) {}
  ~LinkedSingle() {
    fftwf_destroy_plan(forward_);
    fftwf_destroy_plan(inverse_);
  }
  void Forward(float* signal, std::complex<float>* spectrum) const {
    fftwf_execute_dft_r2c(forward_, signal, Complex(spectrum));
  }
  void Inverse(std::complex<float>* spectrum, float* signal) const {
    fftwf_execute_dft_c2r(inverse_, Complex(spectrum), signal);
  }

 private:
  static fftwf_complex* Complex(std::complex<float>* spectrum) {
    return reinterpret_cast<fftwf_complex*>(spectrum);
  }
  fftwf_plan forward_, inverse_;
};

template <typename Real, typename Plan>
double Transforms(const expsyn::BlockPlan& blocks, std::int64_t n_timesteps,
                  std::int64_t n_channels) {
  expsyn::AlignedBuffer<Real> signal(static_cast<std::size_t>(blocks.fft_length));
  expsyn::AlignedBuffer<Real> result(static_cast<std::size_t>(blocks.fft_length));
  expsyn::AlignedBuffer<std::complex<Real>> spectrum(
      static_cast<std::size_t>(blocks.fft_length / 2 + 1));
  const Plan plan(blocks.fft_length, signal.data(), spectrum.data());
  for (std::size_t i = 0; i < signal.size(); i += 7) signal[i] = 1;
  const std::int64_t n_blocks = (n_timesteps + blocks.hop - 1) / blocks.hop * n_channels;
  const auto start = std::chrono::steady_clock::now();
  for (std::int64_t i = 0; i < n_blocks; ++i) {
    plan.Forward(signal.data(), spectrum.data());
    plan.Inverse(spectrum.data(), result.data());
  }
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
}

// transforms(isSingle, timesteps, windowLength, channels, isLinked): nanoseconds of the forward and
// inverse transforms of all blocks into which the package divides such a run, one real signal at a
// time.
Napi::Value TimeTransforms(const Napi::CallbackInfo& info) {
  const bool is_single = info[0].As<Napi::Boolean>();
  const std::int64_t n_timesteps = info[1].As<Napi::Number>().Int64Value();
  const std::int64_t n_channels = info[3].As<Napi::Number>().Int64Value();
  const bool is_linked = info[4].As<Napi::Boolean>();
  const double tau = 1;
  const expsyn::ExponentialKernel kernel(&tau, 1, 1, info[2].As<Napi::Number>().Int64Value());
  const expsyn::BlockPlan blocks = expsyn::ChooseBlocks(
      kernel, n_timesteps,
      is_single ? expsyn::ElementType::kFloat32 : expsyn::ElementType::kFloat64);
  const auto time =
      is_linked ? (is_single ? Transforms<float, LinkedSingle> : Transforms<double, LinkedDouble>)
                : (is_single ? Transforms<float, Loaded<float>>
                             : Transforms<double, Loaded<double>>);
  return Napi::Number::New(info.Env(), time(blocks, n_timesteps, n_channels));
}

Napi::Object Initialize(Napi::Env env, Napi::Object exports) {
  exports.Set("nothing", Napi::Function::New(env, Nothing, "nothing"));
  exports.Set("transforms", Napi::Function::New(env, TimeTransforms, "transforms"));
  return exports;
}

}  // namespace

NODE_API_MODULE(expsyn_bench, Initialize)
