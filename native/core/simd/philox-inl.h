#ifndef EXPSYN_CORE_SIMD_PHILOX_INL_H_
#define EXPSYN_CORE_SIMD_PHILOX_INL_H_

#include <cstdint>

#include "simd/vectors-inl.h"

namespace expsyn::simd::EXPSYN_SIMD_SET {

// Philox computes with 32-bit words, which are in the low halves of 64-bit lanes.
constexpr int kWords = EXPSYN_SIMD_BYTES / 8;
typedef std::uint64_t Words __attribute__((vector_size(kWords * 8)));

// The 64 bits of the product of each low half with `factor`.
EXPSYN_INLINE Words MultiplyLow(const Words& words, std::uint32_t factor) {
#if defined(__x86_64__) && EXPSYN_SIMD_BYTES == 64
  // With a mask that selects all lanes: GCC warns of an undefined operand in the form without one.
  return (Words)_mm512_maskz_mul_epu32(0xFF, (__m512i)words, _mm512_set1_epi64(factor));
#elif defined(__x86_64__) && EXPSYN_SIMD_BYTES == 32
  return (Words)_mm256_mul_epu32((__m256i)words, _mm256_set1_epi64x(factor));
#elif defined(__x86_64__)
  return (Words)_mm_mul_epu32((__m128i)words, _mm_set1_epi64x(factor));
#else
  return (words & 0xFFFFFFFF) * factor;
#endif
}

// Ten rounds of Philox4x32 on each lane: counters become random words, in the low halves. The high
// halves are ignored.
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

}  // namespace expsyn::simd::EXPSYN_SIMD_SET

#endif  // EXPSYN_CORE_SIMD_PHILOX_INL_H_
