#ifndef EXPSYN_CORE_METHOD_SPECTRA_H_
#define EXPSYN_CORE_METHOD_SPECTRA_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "aligned_buffer.h"
#include "method/choice.h"

namespace expsyn {

class Kernel;

// What the transforms of one block plan need of the kernels. Synapses with equal kernels share one
// of the n_kernels; kernel_of[n] is that of synapse n.
template <typename Real>
struct Spectra {
  const std::int32_t* kernel_of = nullptr;
  std::int64_t n_kernels = 0;

  // The first fft_length / 2 + 1 complex numbers of the spectrum of kernel j, which the others
  // mirror, start at values[j * stride]. For transforms of one signal, real and imaginary parts are
  // interleaved; for those of pairs, the imaginary parts start stride / 2 after the real ones. The
  // spectrum is scaled by 1 / fft_length, so that an unnormalised inverse transform needs no
  // further factor, and by 2^-exponents[j], because that of a very small kernel would lose its
  // digits.
  AlignedBuffer<Real> values;
  std::int64_t stride = 0;
  std::vector<int> exponents;
  // The sums of the magnitudes of the samples: how many times the largest input an output can be.
  std::vector<double> gains;

  // The impulse responses of the numbers i > 0 of the recursion. That of number i of kernel j after
  // k + 1 steps is Responses(i, j)[kernel_length - 1 - k]: reversed, for a dot product with inputs.
  std::vector<double> responses;
  std::int64_t kernel_length = 0;
  const double* Responses(std::int64_t i, std::int64_t j) const {
    return responses.data() + ((i - 1) * n_kernels + j) * kernel_length;
  }
};

// The spectra of one kernel, prepared once for each transform length. Thread-safe.
template <typename Real>
class SpectraCache {
 public:
  // The kernel must outlive the cache.
  explicit SpectraCache(const Kernel& kernel) : kernel_(kernel) {}

  // Those for a block plan; null once `cancelled` is true. Throws std::bad_alloc.
  std::shared_ptr<const Spectra<Real>> For(const BlockPlan& blocks,
                                           const std::atomic<bool>& cancelled) const;

  // Memory of what has been prepared so far.
  std::size_t size_in_bytes() const { return size_in_bytes_.load(std::memory_order_relaxed); }

 private:
  // Fills first_with_ and kernel_of_.
  void FindKernels() const;
  void FillResponses(Spectra<Real>& spectra) const;

  const Kernel& kernel_;
  mutable std::mutex lock_;
  // For each different kernel, the first synapse that has it; for each synapse, the index of its
  // kernel.
  mutable std::vector<std::int64_t> first_with_;
  mutable std::vector<std::int32_t> kernel_of_;
  mutable std::map<std::int64_t, std::shared_ptr<const Spectra<Real>>> spectra_;
  mutable std::atomic<std::size_t> size_in_bytes_{0};
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_METHOD_SPECTRA_H_
