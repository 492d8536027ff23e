#include "method/sample_table.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "kernel/kernel.h"

namespace expsyn {

template <typename Real>
std::shared_ptr<const SampleTable<Real>> SampleCache<Real>::Get(
    const std::atomic<bool>& cancelled) const {
  const std::lock_guard<std::mutex> guard(lock_);
  if (samples_ != nullptr) return samples_;
  const std::vector<std::int64_t> first_equal = kernel_.FirstEqual();
  auto samples = std::make_shared<SampleTable<Real>>();
  samples->is_shared = std::all_of(first_equal.begin(), first_equal.end(),
                                   [](std::int64_t first) { return first == 0; });
  samples->length = kernel_.window_length();
  constexpr std::int64_t kWidth = SampleTable<Real>::kWidth;
  const std::int64_t n_kernels = samples->is_shared ? 1 : kernel_.n_synapses();
  const std::int64_t n_columns =
      samples->is_shared ? 1 : (n_kernels + kWidth - 1) / kWidth * kWidth;
  samples->values = AlignedBuffer<Real>(
      CheckedProduct(CheckedSize(samples->length), static_cast<std::size_t>(n_columns)));
  for (std::int64_t n = 0; n < n_kernels; ++n) {
    if (cancelled.load(std::memory_order_relaxed)) return nullptr;
    Real* const target = samples->values.data() + (samples->Of(n) - samples->values.data());
    for (std::int64_t k = 0; k < samples->length; ++k) {
      target[k * samples->stride()] = static_cast<Real>(kernel_.Sample(n, k));
    }
  }
  samples_ = std::move(samples);
  size_in_bytes_ = samples_->values.size() * sizeof(Real);
  return samples_;
}

template class SampleCache<float>;
template class SampleCache<double>;

}  // namespace expsyn
