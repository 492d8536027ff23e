#ifndef EXPSYN_CORE_SIMD_FIRST_ORDER_DECAY_POWERS_INL_H_
#define EXPSYN_CORE_SIMD_FIRST_ORDER_DECAY_POWERS_INL_H_

#include "double_double.h"
#include "simd/first_order/carry.h"
#include "simd/first_order/decay_powers.h"
#include "simd/vectors-inl.h"

namespace expsyn::simd::EXPSYN_SIMD_SET {

void FillDecayPowers(const double* tau, std::int64_t size, double dt, double length, bool is_cut,
                     const DecayPowers& powers) {
  static_assert(kCarryInterval<float> == 16 && kCarryInterval<double> == 64);
  constexpr double kSmallest = 0x1p-1022;
  const double cut_factor = is_cut ? 1.0 : 0.0;
  // kTile synapses at a time, in arrays that the compiler knows not to overlap.
  constexpr int kTile = 16;
  alignas(64) double taus[kTile], rate[2][kTile];
  alignas(64) double decay[2][kTile], tail_weight[2][kTile], carry32[kTile];
  alignas(64) double carry64[2][kTile];
  for (std::int64_t first = 0; first < size; first += kTile) {
    const int count = size - first < kTile ? static_cast<int>(size - first) : kTile;
    for (int i = 0; i < kTile; ++i) {
      taus[i] = i < count ? tau[first + i] : 1.0;
    }
    // One function a loop: GCC makes no vectors of longer loops.
    for (int i = 0; i < kTile; ++i) {
      const DoubleDouble quotient = QuotientOfPositive(dt, taus[i]);
      rate[0][i] = quotient.high;
      rate[1][i] = quotient.low;
    }
    for (int i = 0; i < kTile; ++i) {
      const DoubleDouble a = ExpOfNegative({-rate[0][i], -rate[1][i]});
      decay[0][i] = a.high;
      decay[1][i] = a.low;
    }
    for (int i = 0; i < kTile; ++i) {
      DoubleDouble power{decay[0][i], decay[1][i]};
      for (int doubling = 0; doubling < 4; ++doubling) power = power * power;
      carry32[i] = power.high;
      for (int doubling = 0; doubling < 2; ++doubling) power = power * power;
      carry64[0][i] = power.high;
      carry64[1][i] = power.low;
    }
    for (int i = 0; i < kTile; ++i) {
      const DoubleDouble product = DoubleDouble{rate[0][i], rate[1][i]} * length;
      rate[0][i] = product.high;
      rate[1][i] = product.low;
    }
    for (int i = 0; i < kTile; ++i) {
      const DoubleDouble weight = ExpOfNegative({-rate[0][i], -rate[1][i]});
      tail_weight[0][i] = weight.high * cut_factor;
      tail_weight[1][i] = weight.low * cut_factor;
    }
    for (int i = 0; i < count; ++i) {
      const std::int64_t n = first + i;
      powers.decay[n] = decay[0][i];
      powers.decay_low[n] = decay[1][i];
      // Below 0 for every decay near 1, even if it loses nothing: the sign says which end is near.
      const double lost = (1.0 - decay[0][i]) - decay[1][i];
      powers.decay_offset[n] =
          decay[0][i] > 0.5 ? -(lost > kSmallest ? lost : kSmallest) : decay[0][i];
      powers.tail_weight[n] = tail_weight[0][i];
      powers.tail_weight_low[n] = tail_weight[1][i];
      powers.decay32[n] = static_cast<float>(decay[0][i]);
      powers.tail_weight32[n] = static_cast<float>(tail_weight[0][i]);
      powers.carry_decay32[n] = carry32[i];
      powers.carry_decay64[n] = carry64[0][i];
      powers.carry_decay64_low[n] = carry64[1][i];
    }
  }
}

constexpr DecayOps kDecayOps{FillDecayPowers};

}  // namespace expsyn::simd::EXPSYN_SIMD_SET

#endif  // EXPSYN_CORE_SIMD_FIRST_ORDER_DECAY_POWERS_INL_H_
