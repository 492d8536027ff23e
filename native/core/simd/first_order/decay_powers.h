#ifndef EXPSYN_CORE_SIMD_FIRST_ORDER_DECAY_POWERS_H_
#define EXPSYN_CORE_SIMD_FIRST_ORDER_DECAY_POWERS_H_

#include <cstdint>

namespace expsyn::simd {

// Powers of each synapse's decay a = exp(-dt / tau): the factors of the first-order recursion, one
// value a synapse. Those in two parts have twice the precision of double.
struct DecayPowers {
  double* decay;
  double* decay_low;
  // The distance of a from the nearer end of (0, 1), which keeps its digits however close it is:
  // a - 1 < 0 if a is above 1/2, else a >= 0.
  double* decay_offset;
  // a to the power of the window's length: the weight with which a sample leaves the window.
  double* tail_weight;
  double* tail_weight_low;
  float* decay32;
  float* tail_weight32;
  double* restart_decay32;  // a to the power of kRestartInterval<float>
  double* restart_decay64;  // and of kRestartInterval<double>
  double* restart_decay64_low;
};

}  // namespace expsyn::simd

#endif  // EXPSYN_CORE_SIMD_FIRST_ORDER_DECAY_POWERS_H_
