#ifndef EXPSYN_CORE_SIMD_VECTORS_INL_H_
#define EXPSYN_CORE_SIMD_VECTORS_INL_H_

#include <cstdint>
#include <limits>
#include <type_traits>

#include "floating_point_mode.h"

namespace expsyn::simd::EXPSYN_SIMD_SET {

// Vectors of numbers: loads, stores and conversions. Their addresses need no alignment.

#define EXPSYN_INLINE inline __attribute__((always_inline))
#define EXPSYN_NO_INLINE __attribute__((noinline))
#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define EXPSYN_HAS_SHUFFLE
#endif
#endif

// n numbers of type T; T itself if n is 1.
template <typename T, int n>
struct VectorOf {
  typedef T Type __attribute__((vector_size(n * sizeof(T))));
};
template <typename T>
struct VectorOf<T, 1> {
  using Type = T;
};
template <typename T, int n>
using Vector = typename VectorOf<T, n>::Type;

// Elements of a full vector.
template <typename T>
constexpr int kFull = EXPSYN_SIMD_BYTES / static_cast<int>(sizeof(T));

template <typename V, typename T>
EXPSYN_INLINE void Load(const T* source, V& vector) {
  __builtin_memcpy(&vector, source, sizeof(vector));
}

template <typename V, typename T>
EXPSYN_INLINE void Store(const V& vector, T* target) {
  __builtin_memcpy(target, &vector, sizeof(vector));
}

// Stores past the caches, by instructions of `kWidth` bytes, to which `target` is aligned.
template <int kWidth, typename V, typename T>
EXPSYN_INLINE void Stream(const V& vector, T* target) {
#if defined(__x86_64__)
  auto* to = reinterpret_cast<char*>(target);
  const auto* from = reinterpret_cast<const char*>(&vector);
  constexpr int kSize = static_cast<int>(sizeof(V));
  constexpr int kStep = kSize < kWidth ? kSize : kWidth;
  for (int i = 0; i < kSize; i += kStep) {
    if constexpr (kStep == 4) {
      int part;
      __builtin_memcpy(&part, from + i, 4);
      _mm_stream_si32(reinterpret_cast<int*>(to + i), part);
    } else if constexpr (kStep == 8) {
      long long part;
      __builtin_memcpy(&part, from + i, 8);
      _mm_stream_si64(reinterpret_cast<long long*>(to + i), part);
    } else if constexpr (kStep == 16) {
      _mm_stream_si128(reinterpret_cast<__m128i*>(to + i),
                       _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i)));
#if EXPSYN_SIMD_BYTES >= 32
    } else if constexpr (kStep == 32) {
      _mm256_stream_si256(reinterpret_cast<__m256i*>(to + i),
                          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i)));
#endif
#if EXPSYN_SIMD_BYTES >= 64
    } else {
      _mm512_stream_si512(reinterpret_cast<__m512i*>(to + i),
                          _mm512_loadu_si512(reinterpret_cast<const __m512i*>(from + i)));
#endif
    }
  }
#else
  Store(vector, target);
#endif
}

// The width with which Stream() can write rows that begin at `target` and are `stride` elements
// apart; 0 if their alignment allows none.
template <typename Real>
EXPSYN_INLINE int StreamWidth(const Real* target, std::int64_t stride = 0) {
  const auto addresses =
      reinterpret_cast<std::uintptr_t>(target) | static_cast<std::uintptr_t>(stride) * sizeof(Real);
  if (addresses % EXPSYN_SIMD_BYTES == 0) return EXPSYN_SIMD_BYTES;
  return addresses % 16 == 0 ? 16 : 0;
}

// How a loop writes its output: as usual, or past the caches, to addresses that are aligned to 16
// bytes or to full vectors.
enum class StoreMode { kPlain, kStreamed, kStreamedAligned };

template <typename Real>
EXPSYN_INLINE StoreMode ModeOf(bool is_streamed, const Real* target, std::int64_t stride) {
  const int width = is_streamed ? StreamWidth(target, stride) : 0;
  if (width == 0) return StoreMode::kPlain;
  return width == EXPSYN_SIMD_BYTES ? StoreMode::kStreamedAligned : StoreMode::kStreamed;
}

template <typename V, typename T>
EXPSYN_INLINE void StoreBy(StoreMode mode, const V& vector, T* target) {
  if (mode == StoreMode::kPlain) {
    Store(vector, target);
    return;
  }
  if constexpr (EXPSYN_SIMD_BYTES > 16) {
    if (sizeof(V) > 16 && mode == StoreMode::kStreamed) {
      Stream<16>(vector, target);
      return;
    }
  }
  Stream<EXPSYN_SIMD_BYTES>(vector, target);
}

// 0 in each lane where both numbers are finite, otherwise NaN.
template <typename V>
EXPSYN_INLINE V FaultOf(V a, V b) {
  return a * 0 + b * 0;
}

// Results as they are while FlushSubnormals lives; see expsyn::Flushed().
template <typename V>
EXPSYN_INLINE V FlushedVector(V v) {
  if constexpr (!kKeepsSubnormals) {
    return v;
  } else if constexpr (std::is_arithmetic_v<V>) {
    return Flushed(v);
  } else {
    using Bits = decltype(v < v);
    using Real = std::decay_t<decltype(v[0])>;
    constexpr auto kAllButSign = static_cast<std::decay_t<decltype(Bits{}[0])>>(
        ~std::uint64_t{0} >> (65 - 8 * sizeof(Real)));
    const V magnitude = (V)((Bits)v & kAllButSign);
    const Bits is_subnormal = magnitude < std::numeric_limits<Real>::min();
    return (V)((Bits)v & ~(is_subnormal & kAllButSign));
  }
}

template <int n, typename To, typename From>
EXPSYN_INLINE Vector<To, n> Converted(const Vector<From, n>& vector) {
  if constexpr (n == 1) {
    return static_cast<To>(vector);
  } else {
    return __builtin_convertvector(vector, Vector<To, n>);
  }
}

}  // namespace expsyn::simd::EXPSYN_SIMD_SET

#endif  // EXPSYN_CORE_SIMD_VECTORS_INL_H_
