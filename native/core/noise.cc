#include "noise.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace expsyn {

namespace {

constexpr std::uint32_t kMultiplier0 = 0xD2511F53;
constexpr std::uint32_t kMultiplier1 = 0xCD9E8D57;
constexpr std::uint32_t kWeyl0 = 0x9E3779B9;
constexpr std::uint32_t kWeyl1 = 0xBB67AE85;
constexpr int kRounds = 10;

// Places computed at a time. Every loop below runs over one batch of them without branches, so
// that the compiler can make vectors of it.
constexpr int kPlaces = 64;

struct Counters {
  alignas(64) std::uint32_t word[4][kPlaces];
};

void PhiloxRounds(Counters& counters, std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < kPlaces; ++i) {
      const std::uint64_t product0 = std::uint64_t{kMultiplier0} * counters.word[0][i];
      const std::uint64_t product1 = std::uint64_t{kMultiplier1} * counters.word[2][i];
      const std::uint32_t word1 = counters.word[1][i];
      const std::uint32_t word3 = counters.word[3][i];
      counters.word[0][i] = static_cast<std::uint32_t>(product1 >> 32) ^ word1 ^ key0;
      counters.word[1][i] = static_cast<std::uint32_t>(product1);
      counters.word[2][i] = static_cast<std::uint32_t>(product0 >> 32) ^ word3 ^ key1;
      counters.word[3][i] = static_cast<std::uint32_t>(product0);
    }
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
}

inline double FromBits(std::uint64_t bits) {
  double value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

inline std::uint64_t ToBits(double value) {
  std::uint64_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

// A uniform number in (0, 1): the middle of one of 2^52 equal intervals.
inline double Uniform(std::uint32_t high, std::uint32_t low) {
  constexpr std::uint64_t kExponentOfOne = 0x3FF0000000000000;
  const std::uint64_t bits = (std::uint64_t{high} << 32 | low) >> 12;
  return (FromBits(bits | kExponentOfOne) - 1.0) + 0x1p-53;
}

// The natural logarithm of a normal positive x, by x = m 2^k with m near 1 and the series
// log m = 2 (s + s^3 / 3 + s^5 / 5 + ...), s = (m - 1) / (m + 1). Our own, because the system's
// gives other bits on other machines.
inline double Log(double x) {
  constexpr std::uint64_t kSqrtHalfBits = 0x3FE6A09E667F3BCD;
  // Taking the exponent with the bits of sqrt(1/2) as origin puts m into [sqrt(1/2), sqrt(2)).
  const std::uint64_t offset_bits = ToBits(x) - kSqrtHalfBits;
  const std::uint64_t exponent_bits = offset_bits & 0xFFF0000000000000;
  const double m = FromBits((offset_bits - exponent_bits) + kSqrtHalfBits);
  // The exponent lies in [-53, 0]; as the low bits of 2^52 + 1024 + k it converts by subtraction.
  const std::uint64_t exponent = 1024 - ((0 - exponent_bits) >> 52 & 0xFFF);
  const double k = FromBits(0x4330000000000000 | exponent) - (0x1p52 + 1024);
  const double s = (m - 1.0) / (m + 1.0);
  const double s2 = s * s;
  double series = 1.0 / 21;
  series = series * s2 + 1.0 / 19;
  series = series * s2 + 1.0 / 17;
  series = series * s2 + 1.0 / 15;
  series = series * s2 + 1.0 / 13;
  series = series * s2 + 1.0 / 11;
  series = series * s2 + 1.0 / 9;
  series = series * s2 + 1.0 / 7;
  series = series * s2 + 1.0 / 5;
  series = series * s2 + 1.0 / 3;
  series = series * s2;
  return k * 0.6931471805599453 + (2.0 * s + 2.0 * s * series);
}

struct SineCosine {
  double sine, cosine;
};

// sin and cos of 2 pi u for u in (0, 1), by the Taylor series on a quarter turn about 0.
inline SineCosine SineCosineOfTurns(double u) {
  // Adding 2^52 rounds 4u to the nearest integer, the quadrant, into the low bits.
  const double rounder = 4.0 * u + 0x1p52;
  const std::uint64_t quadrant = ToBits(rounder);
  const double angle = (4.0 * u - (rounder - 0x1p52)) * 1.5707963267948966;
  const double a2 = angle * angle;
  double sine = -1.0 / 1307674368000.0;
  sine = sine * a2 + 1.0 / 6227020800.0;
  sine = sine * a2 - 1.0 / 39916800.0;
  sine = sine * a2 + 1.0 / 362880.0;
  sine = sine * a2 - 1.0 / 5040.0;
  sine = sine * a2 + 1.0 / 120.0;
  sine = sine * a2 - 1.0 / 6.0;
  sine = sine * a2 * angle + angle;
  double cosine = 1.0 / 20922789888000.0;
  cosine = cosine * a2 - 1.0 / 87178291200.0;
  cosine = cosine * a2 + 1.0 / 479001600.0;
  cosine = cosine * a2 - 1.0 / 3628800.0;
  cosine = cosine * a2 + 1.0 / 40320.0;
  cosine = cosine * a2 - 1.0 / 720.0;
  cosine = cosine * a2 + 1.0 / 24.0;
  cosine = cosine * a2 - 1.0 / 2.0;
  cosine = cosine * a2 + 1.0;
  // Odd quadrants swap sine and cosine; the second bit of the quadrant turns signs.
  const std::uint64_t swap = 0 - (quadrant & 1);
  const std::uint64_t sine_bits = ToBits(sine);
  const std::uint64_t cosine_bits = ToBits(cosine);
  const std::uint64_t sine_sign = (quadrant & 2) << 62;
  const std::uint64_t cosine_sign = ((quadrant + 1) & 2) << 62;
  return {FromBits(((sine_bits & ~swap) | (cosine_bits & swap)) ^ sine_sign),
          FromBits(((cosine_bits & ~swap) | (sine_bits & swap)) ^ cosine_sign)};
}

// Box and Muller: two normal numbers, of an even and the following odd step, for each place.
void Normals(const Counters& words, double* even, double* odd) {
  for (int i = 0; i < kPlaces; ++i) {
    const double u = Uniform(words.word[0][i], words.word[1][i]);
    const double v = Uniform(words.word[2][i], words.word[3][i]);
    const double radius = std::sqrt(-2.0 * Log(u));
    const SineCosine direction = SineCosineOfTurns(v);
    even[i] = radius * direction.cosine;
    odd[i] = radius * direction.sine;
  }
}

}  // namespace

std::array<std::uint32_t, 4> Philox4x32(const std::array<std::uint32_t, 4>& counter,
                                        const std::array<std::uint32_t, 2>& key) {
  Counters counters{};
  for (std::size_t w = 0; w < 4; ++w) counters.word[w][0] = counter[w];
  PhiloxRounds(counters, key[0], key[1]);
  return {counters.word[0][0], counters.word[1][0], counters.word[2][0], counters.word[3][0]};
}

void NormalField::Fill(std::uint32_t batch, std::uint64_t step, std::int64_t n_rows,
                       std::uint32_t synapse, std::int64_t n_columns, double* target,
                       std::ptrdiff_t stride) const {
  if (n_rows <= 0 || n_columns <= 0) return;
  const std::uint64_t end = step + static_cast<std::uint64_t>(n_rows);
  const std::uint64_t first_pair = step / 2;
  const auto n_pairs = static_cast<std::int64_t>((end - 1) / 2 - first_pair + 1);
  const std::int64_t n_places = n_pairs * n_columns;
  const auto key0 = static_cast<std::uint32_t>(seed_);
  const auto key1 = static_cast<std::uint32_t>(seed_ >> 32);

  Counters counters;
  alignas(64) double even[kPlaces];
  alignas(64) double odd[kPlaces];
  std::int64_t pair_row = 0;
  std::int64_t column = 0;
  for (std::int64_t place = 0; place < n_places; place += kPlaces) {
    const int count = static_cast<int>(std::min<std::int64_t>(kPlaces, n_places - place));
    std::int64_t counter_row = pair_row;
    std::int64_t counter_column = column;
    for (int i = 0; i < kPlaces; ++i) {
      const std::uint64_t pair = first_pair + static_cast<std::uint64_t>(counter_row);
      counters.word[0][i] = static_cast<std::uint32_t>(pair);
      counters.word[1][i] = static_cast<std::uint32_t>(pair >> 32);
      counters.word[2][i] = synapse + static_cast<std::uint32_t>(counter_column);
      counters.word[3][i] = batch;
      if (++counter_column == n_columns) {
        counter_column = 0;
        ++counter_row;
      }
    }
    PhiloxRounds(counters, key0, key1);
    Normals(counters, even, odd);
    for (int i = 0; i < count; ++i) {
      const std::uint64_t even_step = 2 * (first_pair + static_cast<std::uint64_t>(pair_row));
      const auto row = static_cast<std::int64_t>(even_step - step);
      if (row >= 0) target[row * stride + column] = even[i];
      if (row + 1 < n_rows) target[(row + 1) * stride + column] = odd[i];
      if (++column == n_columns) {
        column = 0;
        ++pair_row;
      }
    }
  }
}

}  // namespace expsyn
