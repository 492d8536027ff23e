#ifndef EXPSYN_CORE_METHOD_CONVOLVER_H_
#define EXPSYN_CORE_METHOD_CONVOLVER_H_

#include <cstdint>

#include "aligned_buffer.h"
#include "method/fft_plan.h"
#include "method/spectra.h"
#include "simd/ops.h"

namespace expsyn {

// Circular convolutions with the kernels of synapses, by the transforms of one plan.
template <typename Real>
class Convolver {
 public:
  // The plan and the spectra must outlive it.
  Convolver(const FftPlan<Real>& plan, const Spectra<Real>& spectra);

  // Convolves the signals of the plan, one or a pair, with the kernel of synapse n. `peak` > 0 is
  // their largest magnitude, to which rounding errors are relative.
  void Convolve(std::int64_t n, Real* signals, Real peak);
  // Convolves one signal, whatever the plan.
  void ConvolveOne(std::int64_t n, Real* signal, Real peak);

 private:
  void ScaleByPower(Real* signals, int exponent) const;

  const FftPlan<Real>& plan_;
  const Spectra<Real>& spectra_;
  const typename simd::Ops::Of<Real>& ops_;
  AlignedBuffer<Real> spectrum_;
  AlignedBuffer<Real> pair_;  // one signal and zeros; allocated when needed
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_METHOD_CONVOLVER_H_
