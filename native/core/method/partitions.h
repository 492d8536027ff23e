#ifndef EXPSYN_CORE_METHOD_PARTITIONS_H_
#define EXPSYN_CORE_METHOD_PARTITIONS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "aligned_buffer.h"
#include "method/fft_plan.h"
#include "method/sample_table.h"

namespace expsyn {

class Kernel;

// A part of the samples of a kernel that is convolved block by block: those from `block` on, in
// n_parts parts of `length` - `block` samples. Whenever `block` steps are complete, the last
// `length` inputs are transformed, and what they and earlier ones contribute to the next `block`
// outputs is computed at once. No output waits for that, because no sample before w[block] is among
// them.
struct PartitionLevel {
  std::int64_t block;
  std::int64_t length;  // of the transforms
  std::int64_t n_parts;

  std::int64_t samples_per_part() const { return length - block; }
  // Real numbers of one spectrum.
  std::int64_t spectrum_size() const { return length + 2; }
};

// How a kernel is divided for calls that are short in comparison with its window (Gardner, 1995,
// with the spectra of several parts of a level added up before they are transformed back): its
// first samples are summed directly, the others belong to levels of longer and longer blocks.
struct PartitionPlan {
  std::int64_t n_direct;
  std::vector<PartitionLevel> levels;

  // With transforms, or everything in direct sums. The spectra of inputs that a session keeps, and
  // what has been computed for later steps, take less memory together than the inputs themselves:
  // the last level, which covers three quarters of the window or more, has a single part, whose
  // spectrum is used at once.
  static PartitionPlan For(std::int64_t window_length, bool has_transforms);
};

// A kernel, divided and transformed.
template <typename Real>
struct Partitions {
  PartitionPlan plan;
  std::shared_ptr<const SampleTable<Real>> direct;
  // For each synapse, the index of its kernel; equal kernels have one.
  std::vector<std::int32_t> kernel_of;

  struct Level {
    std::shared_ptr<const FftPlan<Real>> transform;
    AlignedBuffer<Real> spectra;
    // The spectrum of part p of kernel j, scaled by 1 / length.
    const Real* SpectrumOf(std::int64_t j, std::int64_t p) const {
      return spectra.data() + (j * n_parts + p) * stride;
    }
    std::int64_t n_parts = 0;
    std::int64_t stride = 0;
  };
  std::vector<Level> levels;
};

// The partitions of one kernel, made when a session first needs them. Thread-safe.
template <typename Real>
class PartitionCache {
 public:
  // The kernel must outlive the cache.
  explicit PartitionCache(const Kernel& kernel) : kernel_(kernel) {}

  // Null once `cancelled` is true. Throws std::bad_alloc, std::length_error if the window is too
  // long for a transform and, with transforms, std::runtime_error if FFTW is missing.
  std::shared_ptr<const Partitions<Real>> Get(bool has_transforms,
                                              const std::atomic<bool>& cancelled) const;

  // Memory of what has been prepared.
  std::size_t size_in_bytes() const { return size_in_bytes_.load(std::memory_order_relaxed); }

 private:
  const Kernel& kernel_;
  mutable std::mutex lock_;
  mutable std::map<bool, std::shared_ptr<const Partitions<Real>>> partitions_;
  mutable std::atomic<std::size_t> size_in_bytes_{0};
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_METHOD_PARTITIONS_H_
