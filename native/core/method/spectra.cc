#include "method/spectra.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "kernel/kernel.h"
#include "method/fft_plan.h"

namespace expsyn {

namespace {

// Kernels whose largest sample is below this are scaled before they are transformed.
constexpr double kSmallKernel = 0x1p-24;

}  // namespace

template <typename Real>
std::shared_ptr<const Spectra<Real>> SpectraCache<Real>::For(
    const BlockPlan& blocks, const std::atomic<bool>& cancelled) const {
  const std::shared_ptr<const FftPlan<double>> plan = FftPlan<double>::Of(blocks.fft_length, 1);
  const std::lock_guard<std::mutex> guard(lock_);
  std::shared_ptr<const Spectra<Real>>& entry = spectra_[blocks.fft_length];
  if (entry != nullptr) return entry;
  if (kernel_of_.empty()) FindKernels();
  const std::int64_t size = blocks.fft_length / 2 + 1;
  auto spectra = std::make_shared<Spectra<Real>>();
  spectra->kernel_of = kernel_of_.data();
  spectra->n_kernels = static_cast<std::int64_t>(first_with_.size());
  spectra->kernel_length = blocks.kernel_length;
  spectra->stride = 2 * FftPlan<Real>::Distance(size);
  spectra->values = AlignedBuffer<Real>(
      CheckedProduct(static_cast<std::size_t>(spectra->stride), first_with_.size()));
  const bool is_interleaved = !IsTransformedInPairs(blocks.fft_length, kElementTypeOf<Real>);
  spectra->exponents.resize(first_with_.size());
  spectra->gains.resize(first_with_.size());
  AlignedBuffer<double> samples(static_cast<std::size_t>(blocks.fft_length));
  AlignedBuffer<double> spectrum(static_cast<std::size_t>(plan->spectrum_size()));
  const double norm = 1.0 / static_cast<double>(blocks.fft_length);
  for (std::size_t j = 0; j < first_with_.size(); ++j) {
    if (cancelled.load(std::memory_order_relaxed)) return nullptr;
    double largest = 0;
    for (std::int64_t k = 0; k < blocks.kernel_length; ++k) {
      const double sample = kernel_.Sample(first_with_[j], k);
      samples[static_cast<std::size_t>(k)] = sample;
      largest = std::max(largest, std::abs(sample));
      spectra->gains[j] += std::abs(sample);
    }
    const int exponent = largest > 0 && largest < kSmallKernel ? std::ilogb(largest) : 0;
    spectra->exponents[j] = exponent;
    for (std::int64_t k = 0; k < blocks.kernel_length; ++k) {
      double& sample = samples[static_cast<std::size_t>(k)];
      sample = (exponent == 0 ? sample : std::ldexp(sample, -exponent)) * norm;
    }
    // The transform runs in double for both precisions: it is made once and used for every block.
    plan->Forward(samples.data(), spectrum.data());
    Real* real = spectra->values.data() + static_cast<std::int64_t>(j) * spectra->stride;
    Real* imaginary = real + (is_interleaved ? 1 : spectra->stride / 2);
    for (std::int64_t i = 0; i < size; ++i) {
      const std::int64_t place = is_interleaved ? 2 * i : i;
      real[place] = static_cast<Real>(spectrum[static_cast<std::size_t>(2 * i)]);
      imaginary[place] = static_cast<Real>(spectrum[static_cast<std::size_t>(2 * i + 1)]);
    }
  }
  if (kernel_.n_numbers() > 1) FillResponses(*spectra);
  entry = std::move(spectra);
  size_in_bytes_ += entry->values.size() * sizeof(Real) + entry->responses.size() * sizeof(double);
  return entry;
}

template <typename Real>
void SpectraCache<Real>::FindKernels() const {
  const std::vector<std::int64_t> first_equal = kernel_.FirstEqual();
  std::vector<std::int64_t> first_with;
  std::vector<std::int32_t> kernel_of;
  for (std::size_t n = 0; n < first_equal.size(); ++n) {
    const auto first = static_cast<std::size_t>(first_equal[n]);
    if (first < n) {
      kernel_of.push_back(kernel_of[first]);
      continue;
    }
    kernel_of.push_back(static_cast<std::int32_t>(first_with.size()));
    first_with.push_back(first_equal[n]);
  }
  first_with_ = std::move(first_with);
  kernel_of_ = std::move(kernel_of);
}

template <typename Real>
void SpectraCache<Real>::FillResponses(Spectra<Real>& spectra) const {
  const std::int64_t n_numbers = kernel_.n_numbers();
  const std::int64_t length = spectra.kernel_length;
  spectra.responses.resize(
      CheckedProduct(static_cast<std::size_t>((n_numbers - 1) * spectra.n_kernels),
                     static_cast<std::size_t>(length)));
  const std::vector<DoubleDouble> zero(static_cast<std::size_t>(n_numbers));
  double* target = spectra.responses.data();
  for (std::int64_t j = 0; j < spectra.n_kernels; ++j) {
    const auto recursion = kernel_.MakeRecursion(first_with_[static_cast<std::size_t>(j)]);
    recursion->Start(zero.data());
    recursion->Enter(1);
    for (std::int64_t k = 0; k < length; ++k) {
      recursion->Advance();
      for (std::int64_t i = 1; i < n_numbers; ++i) {
        target[((i - 1) * spectra.n_kernels + j) * length + length - 1 - k] =
            recursion->Number(i).high;
      }
    }
  }
}

template class SpectraCache<float>;
template class SpectraCache<double>;

}  // namespace expsyn
