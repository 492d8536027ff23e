#ifndef EXPSYN_CORE_KERNEL_KERNELS_H_
#define EXPSYN_CORE_KERNEL_KERNELS_H_

#include <cstddef>
#include <cstdint>

#include "kernel/window.h"
#include "method/fft_convolver.h"

namespace expsyn {

// Everything that depends on tau, dt and the window's length alone: made once whenever one of them
// changes, then shared by any number of calls and threads.
class Kernels {
 public:
  Kernels(const double* tau, std::int64_t n_synapses, double dt, std::int64_t window_length)
      : window_(tau, n_synapses, dt, window_length), convolver32_(window_), convolver64_(window_) {}
  Kernels(const Kernels&) = delete;
  Kernels& operator=(const Kernels&) = delete;

  const Window& window() const { return window_; }
  // Memory that is held now; it grows with the transform lengths that calls need.
  std::size_t size_in_bytes() const {
    return window_.size_in_bytes() + convolver32_.size_in_bytes() + convolver64_.size_in_bytes();
  }
  void Convolve(const Tile<float>& tile) const { convolver32_.Convolve(tile); }
  void Convolve(const Tile<double>& tile) const { convolver64_.Convolve(tile); }

 private:
  Window window_;
  FftConvolver<float> convolver32_;
  FftConvolver<double> convolver64_;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_KERNEL_KERNELS_H_
