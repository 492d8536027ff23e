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
  // a to the power of the window's length: the weight with which an input leaves the window.
  double* tail_weight;
  double* tail_weight_low;
  float* decay32;
  float* tail_weight32;
  double* carry_decay32;  // a to the power of kCarryInterval<float>
  double* carry_decay64;  // and of kCarryInterval<double>
  double* carry_decay64_low;
};

struct DecayOps {
  // Fills `powers` for time constants tau[0 .. size - 1] and a step of dt, both in seconds, and a
  // window of `length` steps. The tail weights are 0 if the window is not cut.
  void (*fill_decay_powers)(const double* tau, std::int64_t size, double dt, double length,
                            bool is_cut, const DecayPowers& powers);
};

}  // namespace expsyn::simd

#endif  // EXPSYN_CORE_SIMD_FIRST_ORDER_DECAY_POWERS_H_
