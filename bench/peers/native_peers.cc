// The benchmark's native peers: a Node-API call that does nothing, and bare FFTW transforms.

#include <napi.h>

#include <chrono>
#include <complex>
#include <cstdint>

#include "aligned_buffer.h"
#include "kernel/exponential.h"
#include "method/choice.h"
#include "method/fft_plan.h"

namespace {

// nothing(...): takes any arguments, does nothing.
Napi::Value Nothing(const Napi::CallbackInfo& info) { return info.Env().Undefined(); }

template <typename Real>
double Transforms(const expsyn::BlockPlan& blocks, std::int64_t n_timesteps,
                  std::int64_t n_channels) {
  const auto plan = expsyn::FftPlan<Real>::OfLength(blocks.fft_length);
  expsyn::AlignedBuffer<Real> signal(static_cast<std::size_t>(blocks.fft_length));
  expsyn::AlignedBuffer<Real> result(static_cast<std::size_t>(blocks.fft_length));
  expsyn::AlignedBuffer<std::complex<Real>> spectrum(
      static_cast<std::size_t>(blocks.fft_length / 2 + 1));
  for (std::size_t i = 0; i < signal.size(); i += 7) signal[i] = 1;
  const std::int64_t n_blocks = (n_timesteps + blocks.hop - 1) / blocks.hop * n_channels;
  const auto start = std::chrono::steady_clock::now();
  for (std::int64_t i = 0; i < n_blocks; ++i) {
    plan->Forward(signal.data(), spectrum.data());
    plan->Inverse(spectrum.data(), result.data());
  }
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
}

// transforms(isSingle, timesteps, windowLength, channels): nanoseconds of the forward and inverse
// transforms of all blocks into which the package divides such a run.
Napi::Value TimeTransforms(const Napi::CallbackInfo& info) {
  const std::int64_t n_timesteps = info[1].As<Napi::Number>().Int64Value();
  const std::int64_t n_channels = info[3].As<Napi::Number>().Int64Value();
  const double tau = 1;
  const expsyn::ExponentialKernel kernel(&tau, 1, 1, info[2].As<Napi::Number>().Int64Value());
  const expsyn::BlockPlan blocks = expsyn::ChooseBlocks(kernel, n_timesteps);
  const double time = info[0].As<Napi::Boolean>()
                          ? Transforms<float>(blocks, n_timesteps, n_channels)
                          : Transforms<double>(blocks, n_timesteps, n_channels);
  return Napi::Number::New(info.Env(), time);
}

Napi::Object Initialize(Napi::Env env, Napi::Object exports) {
  exports.Set("nothing", Napi::Function::New(env, Nothing, "nothing"));
  exports.Set("transforms", Napi::Function::New(env, TimeTransforms, "transforms"));
  return exports;
}

}  // namespace

NODE_API_MODULE(expsyn_bench, Initialize)
