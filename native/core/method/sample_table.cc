#include "method/sample_table.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "kernel/kernel.h"

namespace expsyn {

template <typename Real>
std::shared_ptr<const SampleTable<Real>> MakeSampleTable(const Kernel& kernel,
                                                         std::int64_t n_samples,
                                                         const std::atomic<bool>& cancelled) {
  const std::vector<std::int64_t> first_equal = kernel.FirstEqual();
  auto samples = std::make_shared<SampleTable<Real>>();
  samples->is_shared = std::all_of(first_equal.begin(), first_equal.end(),
                                   [](std::int64_t first) { return first == 0; });
  samples->length = n_samples;
  constexpr std::int64_t kWidth = SampleTable<Real>::kWidth;
  const std::int64_t n_kernels = samples->is_shared ? 1 : kernel.n_synapses();
  const std::int64_t n_columns =
      samples->is_shared ? 1 : (n_kernels + kWidth - 1) / kWidth * kWidth;
  samples->values = AlignedBuffer<Real>(
      CheckedProduct(CheckedSize(samples->length), static_cast<std::size_t>(n_columns)));
  for (std::int64_t n = 0; n < n_kernels; ++n) {
    if (cancelled.load(std::memory_order_relaxed)) return nullptr;
    Real* const target = samples->values.data() + (samples->Of(n) - samples->values.data());
    for (std::int64_t k = 0; k < samples->length; ++k) {
      target[k * samples->stride()] = static_cast<Real>(kernel.Sample(n, k));
    }
  }
  return samples;
}

template <typename Real>
std::shared_ptr<const SampleTable<Real>> SampleCache<Real>::Get(
    const std::atomic<bool>& cancelled) const {
  const std::lock_guard<std::mutex> guard(lock_);
  if (samples_ == nullptr) {
    samples_ = MakeSampleTable<Real>(kernel_, kernel_.window_length(), cancelled);
    if (samples_ != nullptr) size_in_bytes_ = samples_->values.size() * sizeof(Real);
  }
  return samples_;
}

template std::shared_ptr<const SampleTable<float>> MakeSampleTable(const Kernel&, std::int64_t,
                                                                   const std::atomic<bool>&);
template std::shared_ptr<const SampleTable<double>> MakeSampleTable(const Kernel&, std::int64_t,
                                                                    const std::atomic<bool>&);
template class SampleCache<float>;
template class SampleCache<double>;

}  // namespace expsyn
