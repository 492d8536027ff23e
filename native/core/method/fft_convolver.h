#ifndef EXPSYN_CORE_METHOD_FFT_CONVOLVER_H_
#define EXPSYN_CORE_METHOD_FFT_CONVOLVER_H_

#include <atomic>
#include <complex>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "aligned_buffer.h"
#include "kernel/window.h"
#include "method/cost_model.h"
#include "method/fft_plan.h"
#include "method/recursion.h"

namespace expsyn {

// The most synapses of a Tile for FftConvolver.
inline constexpr std::int64_t kFftWidth = 64;

// The spectra of a window's kernels for one block plan, scaled by 1 / fft_length so that an
// unnormalised inverse transform needs no further factor. Synapses with equal tau share one: that
// of synapse n starts at kernel_of[n] * stride, and stands for 2^exponents[kernel_of[n]] times
// itself, since the spectrum of a very small kernel would lose its digits.
template <typename Real>
struct Spectra {
  AlignedBuffer<std::complex<Real>> values;
  std::vector<int> exponents;
  std::int64_t stride = 0;
  const std::int32_t* kernel_of = nullptr;
};

// Block convolution of one window by real transforms, with the kernels' spectra prepared once for
// each transform length. Thread-safe.
template <typename Real>
class FftConvolver {
 public:
  // The window must outlive the convolver.
  explicit FftConvolver(const Window& window) : window_(window) {}

  // Computes, for every synapse n of the tile,
  //
  //   output[t] = sum_{k < min(W, t + 1)} w_n[k] x[t - k]  +  isyn0 w_n[t]   (second term: t < W)
  //
  // by overlap-save, synapse by synapse in tiles that fit the cache. The roll-over of the state
  // needs no transform. An output whose window holds no input is exactly the rolled-over state,
  // or 0. Rounding errors are relative to the largest output of the block. An input that grows by
  // more than a small factor is transformed separately, and adds nothing to what came before. A
  // value that is not finite counts as 0 in the
  // transforms, and is put on the output for as long as the window holds it. Scratch memory does
  // not depend on the number of steps beyond one window.
  void Convolve(const Tile<Real>& tile) const;

  // Memory of the spectra that have been prepared so far.
  std::size_t size_in_bytes() const { return size_in_bytes_.load(std::memory_order_relaxed); }

 private:
  // Null once `cancelled` is true.
  std::shared_ptr<const Spectra<Real>> SpectraFor(const BlockPlan& blocks,
                                                  const FftPlan<double>& plan,
                                                  const std::atomic<bool>& cancelled) const;

  // Fills first_with_ and kernel_of_.
  void FindKernels() const;

  const Window& window_;
  mutable std::mutex lock_;
  // For each different tau, the first synapse that has it; for each synapse, the index of its tau.
  mutable std::vector<std::int64_t> first_with_;
  mutable std::vector<std::int32_t> kernel_of_;
  mutable std::map<std::int64_t, std::shared_ptr<const Spectra<Real>>> spectra_;
  mutable std::atomic<std::size_t> size_in_bytes_{0};
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_METHOD_FFT_CONVOLVER_H_
