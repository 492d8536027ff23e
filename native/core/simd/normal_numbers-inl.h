#ifndef EXPSYN_CORE_SIMD_NORMAL_NUMBERS_INL_H_
#define EXPSYN_CORE_SIMD_NORMAL_NUMBERS_INL_H_

#include <cstdint>

#include "simd/vectors-inl.h"

namespace expsyn::simd::EXPSYN_SIMD_SET {

template <typename To, typename From>
EXPSYN_INLINE To BitCast(From from) {
  To to;
  static_assert(sizeof(to) == sizeof(from));
  __builtin_memcpy(&to, &from, sizeof(to));
  return to;
}

// The natural logarithm of x in [2^-41, 1], to about 1e-13, by x = m 2^k with m near 1 and the
// series log m = 2 (s + s^3 / 3 + s^5 / 5 + ...), s = (m - 1) / (m + 1). The C library's
// logarithm would give other bits on other machines.
EXPSYN_INLINE double Log(double x) {
  constexpr std::uint64_t kSqrtHalfBits = 0x3FE6A09E667F3BCD;
  // Relative to the bits of sqrt(1/2), the exponent leaves m in [sqrt(1/2), sqrt(2)).
  const std::uint64_t offset_bits = BitCast<std::uint64_t>(x) - kSqrtHalfBits;
  const std::uint64_t exponent_bits = offset_bits & 0xFFF0000000000000;
  const double m = BitCast<double>((offset_bits - exponent_bits) + kSqrtHalfBits);
  // k lies in [-41, 0]. As the low bits of 2^52 + 1024 + k, it becomes a double by subtraction.
  const std::uint64_t exponent = 1024 - ((0 - exponent_bits) >> 52 & 0xFFF);
  const double k = BitCast<double>(0x4330000000000000 | exponent) - (0x1p52 + 1024);
  const double s = (m - 1.0) / (m + 1.0);
  const double s2 = s * s;
  double series = 1.0 / 15;
  series = series * s2 + 1.0 / 13;
  series = series * s2 + 1.0 / 11;
  series = series * s2 + 1.0 / 9;
  series = series * s2 + 1.0 / 7;
  series = series * s2 + 1.0 / 5;
  series = series * s2 + 1.0 / 3;
  series = series * s2;
  return k * 0.6931471805599453 + (2.0 * s + 2.0 * s * series);
}

// The same in single precision, for x in [2^-33, 1].
EXPSYN_INLINE float Log(float x) {
  constexpr std::int32_t kSqrtHalfBits = 0x3F3504F3;
  const std::int32_t offset_bits = BitCast<std::int32_t>(x) - kSqrtHalfBits;
  const std::int32_t exponent = offset_bits >> 23;
  const auto m = BitCast<float>((offset_bits & 0x007FFFFF) + kSqrtHalfBits);
  const auto k = static_cast<float>(exponent);
  const float s = (m - 1.0f) / (m + 1.0f);
  const float s2 = s * s;
  float series = 1.0f / 9;
  series = series * s2 + 1.0f / 7;
  series = series * s2 + 1.0f / 5;
  series = series * s2 + 1.0f / 3;
  series = series * s2;
  return k * 0.6931472f + (2.0f * s + 2.0f * s * series);
}

template <typename Real>
struct SineCosine {
  Real sine, cosine;
};

// Rotates a point of the unit circle by `quadrant` quarter turns.
template <typename Real, typename Bits>
EXPSYN_INLINE SineCosine<Real> Turn(Real sine, Real cosine, Bits quadrant) {
  constexpr int kToSign = static_cast<int>(sizeof(Bits)) * 8 - 2;
  // Odd quadrants swap sine and cosine; the second bit of the quadrant changes signs.
  const Bits swap = Bits{0} - (quadrant & 1);
  const Bits sine_bits = BitCast<Bits>(sine);
  const Bits cosine_bits = BitCast<Bits>(cosine);
  const Bits sine_sign = (quadrant & 2) << kToSign;
  const Bits cosine_sign = ((quadrant + 1) & 2) << kToSign;
  return {BitCast<Real>(((sine_bits & ~swap) | (cosine_bits & swap)) ^ sine_sign),
          BitCast<Real>(((cosine_bits & ~swap) | (sine_bits & swap)) ^ cosine_sign)};
}

// sin and cos of 2 pi u for u in [0, 1), by the Taylor series in [-pi / 4, pi / 4].
EXPSYN_INLINE SineCosine<double> SineCosineOfTurns(double u) {
  // Adding 2^52 rounds 4u to the nearest integer, the quadrant, in the low bits.
  const double rounder = 4.0 * u + 0x1p52;
  const double angle = (4.0 * u - (rounder - 0x1p52)) * 1.5707963267948966;
  const double a2 = angle * angle;
  double sine = 1.0 / 6227020800.0;
  sine = sine * a2 - 1.0 / 39916800.0;
  sine = sine * a2 + 1.0 / 362880.0;
  sine = sine * a2 - 1.0 / 5040.0;
  sine = sine * a2 + 1.0 / 120.0;
  sine = sine * a2 - 1.0 / 6.0;
  sine = sine * a2 * angle + angle;
  double cosine = -1.0 / 87178291200.0;
  cosine = cosine * a2 + 1.0 / 479001600.0;
  cosine = cosine * a2 - 1.0 / 3628800.0;
  cosine = cosine * a2 + 1.0 / 40320.0;
  cosine = cosine * a2 - 1.0 / 720.0;
  cosine = cosine * a2 + 1.0 / 24.0;
  cosine = cosine * a2 - 1.0 / 2.0;
  cosine = cosine * a2 + 1.0;
  return Turn(sine, cosine, BitCast<std::uint64_t>(rounder));
}

// sin and cos of 2 pi word / 2^32.
EXPSYN_INLINE SineCosine<float> SineCosineOfTurns(std::uint32_t word) {
  const std::uint32_t quadrant = (word + 0x20000000u) >> 30;
  const auto remainder = static_cast<std::int32_t>(word - (quadrant << 30));
  const float angle = static_cast<float>(remainder) * 1.4629180792671596e-09f;
  const float a2 = angle * angle;
  float sine = 1.0f / 362880.0f;
  sine = sine * a2 - 1.0f / 5040.0f;
  sine = sine * a2 + 1.0f / 120.0f;
  sine = sine * a2 - 1.0f / 6.0f;
  sine = sine * a2 * angle + angle;
  float cosine = 1.0f / 40320.0f;
  cosine = cosine * a2 - 1.0f / 720.0f;
  cosine = cosine * a2 + 1.0f / 24.0f;
  cosine = cosine * a2 - 1.0f / 2.0f;
  cosine = cosine * a2 + 1.0f;
  return Turn(sine, cosine, quadrant);
}

// Two independent standard normal numbers.
template <typename Real>
struct NormalPair {
  Real cosine, sine;
};

// The pair that two random words give by Box and Muller (see noise.h). The last parameter selects
// the precision.
EXPSYN_INLINE NormalPair<double> MakePair(std::uint32_t word0, std::uint32_t word1, double) {
  // As mantissas of numbers in [1, 2): 40 bits, and the other 24.
  constexpr std::uint64_t kExponentOfOne = 0x3FF0000000000000;
  const std::uint64_t bits = std::uint64_t{word0} << 20 | std::uint64_t{word1 & 0xFF000000} >> 12;
  const std::uint64_t turn_bits = std::uint64_t{word1 & 0x00FFFFFF} << 28;
  const double u = (BitCast<double>(bits | kExponentOfOne) - 1.0) + 0x1p-41;
  const double turns = BitCast<double>(turn_bits | kExponentOfOne) - 1.0;
  const double radius = __builtin_sqrt(-2.0 * Log(u));
  const SineCosine<double> direction = SineCosineOfTurns(turns);
  return {radius * direction.cosine, radius * direction.sine};
}

EXPSYN_INLINE NormalPair<float> MakePair(std::uint32_t word0, std::uint32_t word1, float) {
  // 31 bits, because vector instructions convert signed integers only.
  const auto bits = static_cast<std::int32_t>(word0 >> 1);
  const float u = static_cast<float>(bits) * 0x1p-31f + 0x1p-33f;
  const float radius = __builtin_sqrtf(-2.0f * Log(u));
  const SineCosine<float> direction = SineCosineOfTurns(word1);
  return {radius * direction.cosine, radius * direction.sine};
}

}  // namespace expsyn::simd::EXPSYN_SIMD_SET

#endif  // EXPSYN_CORE_SIMD_NORMAL_NUMBERS_INL_H_
