#ifndef EXPSYN_CORE_SIMD_STREAMS_INL_H_
#define EXPSYN_CORE_SIMD_STREAMS_INL_H_

#include "simd/streams.h"
#include "simd/vectors-inl.h"

namespace expsyn::simd::EXPSYN_SIMD_SET {

void FinishStreams() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

// What is streamed: source[i].
template <typename Real>
struct Copy {
  const Real* source;

  template <typename V>
  EXPSYN_INLINE void LoadAt(std::int64_t i, V& vector) const {
    Load(source + i, vector);
  }
};

// What is streamed: base[i] + scale * source[i].
template <typename Real>
struct ScaledSum {
  const Real* base;
  const Real* source;
  Real scale;

  template <typename V>
  EXPSYN_INLINE void LoadAt(std::int64_t i, V& vector) const {
    V scaled;
    Load(base + i, vector);
    Load(source + i, scaled);
    vector += scale * scaled;
  }
};

template <int kWidth, typename Real, typename Values>
EXPSYN_INLINE void StreamVectorsBy(const Values& values, std::int64_t size, Real* target) {
  constexpr int kN = kFull<Real>;
  for (std::int64_t i = 0; i < size; i += kN) {
    Vector<Real, kN> vector;
    values.LoadAt(i, vector);
    Stream<kWidth>(vector, target + i);
  }
}

// Streams `size` values, a multiple of kFull<Real>, with a width other than 0.
template <typename Real, typename Values>
EXPSYN_INLINE void StreamVectors(int width, const Values& values, std::int64_t size, Real* target) {
  // NOLINTNEXTLINE(bugprone-branch-clone): the same in the set whose registers have 16 bytes.
  if (width == EXPSYN_SIMD_BYTES) {
    StreamVectorsBy<EXPSYN_SIMD_BYTES>(values, size, target);
  } else {
    StreamVectorsBy<16>(values, size, target);
  }
}

template <typename Real>
void CopyPastCaches(const Real* source, std::int64_t size, Real* target) {
  const int width = StreamWidth(target);
  const std::int64_t whole = width > 0 ? size / kFull<Real> * kFull<Real> : 0;
  if (whole > 0) StreamVectors(width, Copy<Real>{source}, whole, target);
  for (std::int64_t i = whole; i < size; ++i) target[i] = source[i];
}

template <typename Real>
void Add(const Real* base, const Real* source, std::int64_t size, Real* target, bool is_streamed) {
  const int width = is_streamed ? StreamWidth(target) : 0;
  const std::int64_t whole = width > 0 ? size / kFull<Real> * kFull<Real> : 0;
  if (whole > 0) StreamVectors(width, ScaledSum<Real>{base, source, 1}, whole, target);
  for (std::int64_t i = whole; i < size; ++i) target[i] = base[i] + source[i];
}

template <typename Real>
constexpr StreamOps<Real> kStreamOps{CopyPastCaches<Real>, Add<Real>};

}  // namespace expsyn::simd::EXPSYN_SIMD_SET

#endif  // EXPSYN_CORE_SIMD_STREAMS_INL_H_
