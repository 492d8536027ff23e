#ifndef EXPSYN_CORE_METHOD_SAMPLE_TABLE_H_
#define EXPSYN_CORE_METHOD_SAMPLE_TABLE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "aligned_buffer.h"
#include "simd/direct_sums.h"

namespace expsyn {

class Kernel;

// The samples of a kernel, for direct sums. Those of a strip of kWidth neighbouring synapses lie
// side by side, sample after sample. If all synapses have equal kernels, these are stored once.
template <typename Real>
struct SampleTable {
  static constexpr std::int64_t kWidth = simd::kSumsPerGroup<Real>;

  AlignedBuffer<Real> values;
  std::int64_t length = 0;
  bool is_shared = false;

  // w_n[0]; those of the synapses after it in its strip follow it.
  const Real* Of(std::int64_t n) const {
    return values.data() + (is_shared ? 0 : n / kWidth * length * kWidth + n % kWidth);
  }
  // From w_n[k] to w_n[k + 1].
  std::int64_t stride() const { return is_shared ? 1 : kWidth; }
};

// The first n_samples samples of a kernel; null once `cancelled` is true. Throws std::bad_alloc.
template <typename Real>
std::shared_ptr<const SampleTable<Real>> MakeSampleTable(const Kernel& kernel,
                                                         std::int64_t n_samples,
                                                         const std::atomic<bool>& cancelled);

// The samples of one kernel, prepared when direct sums first need them. Thread-safe.
template <typename Real>
class SampleCache {
 public:
  // The kernel must outlive the cache.
  explicit SampleCache(const Kernel& kernel) : kernel_(kernel) {}

  // Null once `cancelled` is true. Throws std::bad_alloc.
  std::shared_ptr<const SampleTable<Real>> Get(const std::atomic<bool>& cancelled) const;

  // Memory of what has been prepared.
  std::size_t size_in_bytes() const { return size_in_bytes_.load(std::memory_order_relaxed); }

 private:
  const Kernel& kernel_;
  mutable std::mutex lock_;
  mutable std::shared_ptr<const SampleTable<Real>> samples_;
  mutable std::atomic<std::size_t> size_in_bytes_{0};
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_METHOD_SAMPLE_TABLE_H_
