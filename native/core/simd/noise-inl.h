#ifndef EXPSYN_CORE_SIMD_NOISE_INL_H_
#define EXPSYN_CORE_SIMD_NOISE_INL_H_

#include "simd/noise.h"
#include "simd/streams-inl.h"
#include "simd/vectors-inl.h"

namespace expsyn::simd::EXPSYN_SIMD_SET {

constexpr int kWords = EXPSYN_SIMD_BYTES / 8;
typedef std::uint64_t Words __attribute__((vector_size(kWords * 8)));

// The product of the low halves of each element's 64 bits with `factor`, in 64 bits.
EXPSYN_INLINE Words MultiplyLow(const Words& words, std::uint32_t factor) {
#if defined(__x86_64__) && EXPSYN_SIMD_BYTES == 64
  // With a mask of all, because GCC warns of the undefined operand inside the form without.
  return (Words)_mm512_maskz_mul_epu32(0xFF, (__m512i)words, _mm512_set1_epi64(factor));
#elif defined(__x86_64__) && EXPSYN_SIMD_BYTES == 32
  return (Words)_mm256_mul_epu32((__m256i)words, _mm256_set1_epi64x(factor));
#elif defined(__x86_64__)
  return (Words)_mm_mul_epu32((__m128i)words, _mm_set1_epi64x(factor));
#else
  return (words & 0xFFFFFFFF) * factor;
#endif
}

// Ten rounds of Philox4x32 on each element. Only the low halves count, before and after.
EXPSYN_INLINE void PhiloxRounds(Words (&word)[4], std::uint64_t seed) {
  constexpr std::uint32_t kMultiplier0 = 0xD2511F53;
  constexpr std::uint32_t kMultiplier1 = 0xCD9E8D57;
  constexpr std::uint32_t kWeyl0 = 0x9E3779B9;
  constexpr std::uint32_t kWeyl1 = 0xBB67AE85;
  constexpr int kRounds = 10;
  auto key0 = static_cast<std::uint32_t>(seed);
  auto key1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < kRounds; ++round) {
    const Words product0 = MultiplyLow(word[0], kMultiplier0);
    const Words product1 = MultiplyLow(word[2], kMultiplier1);
    word[0] = (product1 >> 32) ^ word[1] ^ key0;
    word[1] = product1;
    word[2] = (product0 >> 32) ^ word[3] ^ key1;
    word[3] = product0;
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
}

void Philox(const std::uint32_t counter[4], const std::uint32_t key[2], std::uint32_t block[4]) {
  Words word[4];
  for (int w = 0; w < 4; ++w) word[w] = Words{} + counter[w];
  PhiloxRounds(word, std::uint64_t{key[1]} << 32 | key[0]);
  for (int w = 0; w < 4; ++w) block[w] = static_cast<std::uint32_t>(word[w][0]);
}

// Blocks made at a time. The loops over them have no branches, so that they become vectors.
constexpr int kBlocks = 32;

// Counters before, random words after; in the low halves of the elements.
struct Blocks {
  alignas(64) std::uint64_t word[4][kBlocks];
};

EXPSYN_INLINE std::uint32_t WordOf(const Blocks& blocks, int word, int block) {
  return static_cast<std::uint32_t>(blocks.word[word][block]);
}

template <typename To, typename From>
EXPSYN_INLINE To BitCast(From from) {
  To to;
  static_assert(sizeof(to) == sizeof(from));
  __builtin_memcpy(&to, &from, sizeof(to));
  return to;
}

// The natural logarithm of x in [2^-41, 1], to about 1e-13, by x = m 2^k with m near 1 and the
// series log m = 2 (s + s^3 / 3 + s^5 / 5 + ...), s = (m - 1) / (m + 1). Our own, because the
// system's gives other bits on other machines.
EXPSYN_INLINE double Log(double x) {
  constexpr std::uint64_t kSqrtHalfBits = 0x3FE6A09E667F3BCD;
  // Taking the exponent with the bits of sqrt(1/2) as origin puts m into [sqrt(1/2), sqrt(2)).
  const std::uint64_t offset_bits = BitCast<std::uint64_t>(x) - kSqrtHalfBits;
  const std::uint64_t exponent_bits = offset_bits & 0xFFF0000000000000;
  const double m = BitCast<double>((offset_bits - exponent_bits) + kSqrtHalfBits);
  // The exponent lies in [-41, 0]; as the low bits of 2^52 + 1024 + k it converts by subtraction.
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

// sin and cos of `angle` in [-pi / 4, pi / 4], turned by `quadrant` quarters.
template <typename Real, typename Bits>
EXPSYN_INLINE SineCosine<Real> Turn(Real sine, Real cosine, Bits quadrant) {
  constexpr int kToSign = static_cast<int>(sizeof(Bits)) * 8 - 2;
  // Odd quadrants swap sine and cosine; the second bit of the quadrant turns signs.
  const Bits swap = Bits{0} - (quadrant & 1);
  const Bits sine_bits = BitCast<Bits>(sine);
  const Bits cosine_bits = BitCast<Bits>(cosine);
  const Bits sine_sign = (quadrant & 2) << kToSign;
  const Bits cosine_sign = ((quadrant + 1) & 2) << kToSign;
  return {BitCast<Real>(((sine_bits & ~swap) | (cosine_bits & swap)) ^ sine_sign),
          BitCast<Real>(((cosine_bits & ~swap) | (sine_bits & swap)) ^ cosine_sign)};
}

// sin and cos of 2 pi u for u in [0, 1), by the Taylor series on a quarter turn about 0.
EXPSYN_INLINE SineCosine<double> SineCosineOfTurns(double u) {
  // Adding 2^52 rounds 4u to the nearest integer, the quadrant, into the low bits.
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
  const auto rest = static_cast<std::int32_t>(word - (quadrant << 30));
  const float angle = static_cast<float>(rest) * 1.4629180792671596e-09f;
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

// Box and Muller: two normal numbers from two random words.
template <typename Real>
struct NormalPair {
  Real cosine, sine;
};

EXPSYN_INLINE NormalPair<double> MakePair(std::uint32_t word0, std::uint32_t word1, double) {
  // The mantissas of numbers in [1, 2): 40 bits, and the other 24.
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
  // 31 bits, because vectors convert signed integers only.
  const auto bits = static_cast<std::int32_t>(word0 >> 1);
  const float u = static_cast<float>(bits) * 0x1p-31f + 0x1p-33f;
  const float radius = __builtin_sqrtf(-2.0f * Log(u));
  const SineCosine<float> direction = SineCosineOfTurns(word1);
  return {radius * direction.cosine, radius * direction.sine};
}

constexpr int kPerBlock = 4;

// The normal numbers of each block, block after block.
template <typename Real>
EXPSYN_INLINE void Normals(const Blocks& blocks, Real* normals) {
  alignas(64) Real part[kPerBlock][kBlocks];
  for (int pair = 0; pair < kPerBlock / 2; ++pair) {
    for (int i = 0; i < kBlocks; ++i) {
      const NormalPair<Real> two =
          MakePair(WordOf(blocks, 2 * pair, i), WordOf(blocks, 2 * pair + 1, i), Real{});
      part[2 * pair][i] = two.cosine;
      part[2 * pair + 1][i] = two.sine;
    }
  }
  for (int i = 0; i < kBlocks; ++i) {
    for (int j = 0; j < kPerBlock; ++j) normals[kPerBlock * i + j] = part[j][i];
  }
}

// The places of kBlocks blocks that follow each other, row after row.
struct BlockPlaces {
  alignas(64) std::uint64_t row[kBlocks];
  alignas(64) std::uint64_t block[kBlocks];

  explicit BlockPlaces(std::uint64_t blocks_per_row) {
    std::uint64_t row_here = 0;
    std::uint64_t block_here = 0;
    for (int i = 0; i < kBlocks; ++i) {
      row[i] = row_here;
      block[i] = block_here;
      if (++block_here == blocks_per_row) {
        block_here = 0;
        ++row_here;
      }
    }
  }

  // kBlocks blocks on.
  void Advance(std::uint64_t blocks_per_row, std::uint64_t more_rows, std::uint64_t more_blocks) {
    for (int i = 0; i < kBlocks; ++i) {
      const std::uint64_t here = block[i] + more_blocks;
      const std::uint64_t is_over = here >= blocks_per_row ? 1 : 0;
      block[i] = here - (is_over != 0 ? blocks_per_row : 0);
      row[i] += more_rows + is_over;
    }
  }
};

template <typename Real>
EXPSYN_INLINE void AddScaled(const Real* base, const Real* normals, Real scale, std::int64_t size,
                             Real* target) {
  for (std::int64_t i = 0; i < size; ++i) target[i] = base[i] + scale * normals[i];
}

template <typename Real>
void AddNormals(const NormalPlaces& places, const Real* base, Real* target) {
  constexpr int kSize = kPerBlock * kBlocks;
  const auto scale = static_cast<Real>(places.scale);
  const std::int64_t first_column = places.synapse;
  const std::int64_t end_column = first_column + places.n_columns;
  const std::int64_t first_block = first_column / kPerBlock;
  const std::int64_t blocks_per_row = (end_column - 1) / kPerBlock - first_block + 1;
  const bool is_contiguous = places.stride == places.n_columns && first_column % kPerBlock == 0 &&
                             end_column % kPerBlock == 0;
  const std::int64_t n_blocks = places.n_rows * blocks_per_row;
  const auto per_row = static_cast<std::uint64_t>(blocks_per_row);
  const std::uint64_t more_rows = kBlocks / per_row;
  const std::uint64_t more_blocks = kBlocks % per_row;
  const int stream_width = places.is_streamed && is_contiguous ? StreamWidth(target) : 0;
  const auto* ahead = static_cast<const char*>(places.ahead);
  const std::int64_t ahead_step = places.ahead_bytes * kBlocks / n_blocks;

  BlockPlaces block_places(per_row);
  Blocks blocks;
  alignas(64) Real normals[kPerBlock * kBlocks];
  std::int64_t row = 0;
  std::int64_t block = 0;  // within its row
  for (std::int64_t made = 0; made < n_blocks; made += kBlocks) {
    for (int i = 0; i < kBlocks; ++i) {
      const std::uint64_t step = places.step + block_places.row[i];
      blocks.word[0][i] = step;
      blocks.word[1][i] = step >> 32;
      blocks.word[2][i] = static_cast<std::uint64_t>(first_block) + block_places.block[i];
      blocks.word[3][i] = places.batch;
    }
    for (int i = 0; i < kBlocks; i += kWords) {
      Words word[4];
      for (int w = 0; w < 4; ++w) Load(blocks.word[w] + i, word[w]);
      PhiloxRounds(word, places.seed);
      for (int w = 0; w < 4; ++w) Store(word[w], blocks.word[w] + i);
    }
    // The memory works while the numbers are made.
    for (std::int64_t byte = 0; byte < ahead_step; byte += 64) __builtin_prefetch(ahead + byte);
    ahead += ahead_step;
    Normals(blocks, normals);
    const std::int64_t n_left = n_blocks - made;
    const std::int64_t n_here = n_left < kBlocks ? n_left : kBlocks;
    if (n_left > kBlocks) block_places.Advance(per_row, more_rows, more_blocks);
    if (is_contiguous) {
      const Real* from = base + made * kPerBlock;
      Real* to = target + made * kPerBlock;
      if (n_here == kBlocks && stream_width > 0) {
        StreamVectors(stream_width, ScaledSum<Real>{from, normals, scale}, kSize, to);
      } else {
        AddScaled(from, normals, scale, n_here * kPerBlock, to);
      }
      continue;
    }
    // Row by row, to the columns that are asked for.
    for (std::int64_t i = 0; i < n_here;) {
      const std::int64_t in_row = blocks_per_row - block;
      const std::int64_t n_run = in_row < n_here - i ? in_row : n_here - i;
      const std::int64_t run_column = (first_block + block) * kPerBlock;
      const std::int64_t run_end = run_column + n_run * kPerBlock;
      const std::int64_t from = run_column > first_column ? run_column : first_column;
      const std::int64_t to = run_end < end_column ? run_end : end_column;
      const std::ptrdiff_t place = row * places.stride + (from - first_column);
      AddScaled(base + place, normals + i * kPerBlock + (from - run_column), scale, to - from,
                target + place);
      i += n_run;
      block += n_run;
      if (block == blocks_per_row) {
        block = 0;
        ++row;
      }
    }
  }
}

template <typename Real>
constexpr NoiseOps<Real> kNoiseOps{AddNormals<Real>};

}  // namespace expsyn::simd::EXPSYN_SIMD_SET

#endif  // EXPSYN_CORE_SIMD_NOISE_INL_H_
