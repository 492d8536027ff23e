#ifndef EXPSYN_CORE_SIMD_ELEMENTS_INL_H_
#define EXPSYN_CORE_SIMD_ELEMENTS_INL_H_

#include "simd/elements.h"
#include "simd/vectors-inl.h"

namespace expsyn::simd::EXPSYN_SIMD_SET {

template <typename Real, typename In>
void Convert(const void* source, std::int64_t first, std::int64_t size, Real* target) {
  const auto* values = static_cast<const char*>(source) + first * static_cast<int>(sizeof(In));
  for (std::int64_t i = 0; i < size; ++i) {
    In value;
    __builtin_memcpy(&value, values + i * static_cast<int>(sizeof(In)), sizeof(In));
    if constexpr (std::is_floating_point_v<In>) {
      target[i] = Flushed(static_cast<Real>(Flushed(value)));
    } else {
      target[i] = static_cast<Real>(value);
    }
  }
}

// A switch of its own: WithElement() is not always inlined, and would be compiled without the set.
template <typename Real>
void ConvertElements(ElementType type, const void* source, std::int64_t first, std::int64_t size,
                     Real* target) {
  switch (type) {
    case ElementType::kInt8:
      return Convert<Real, std::int8_t>(source, first, size, target);
    case ElementType::kUint8:
      return Convert<Real, std::uint8_t>(source, first, size, target);
    case ElementType::kInt16:
      return Convert<Real, std::int16_t>(source, first, size, target);
    case ElementType::kUint16:
      return Convert<Real, std::uint16_t>(source, first, size, target);
    case ElementType::kInt32:
      return Convert<Real, std::int32_t>(source, first, size, target);
    case ElementType::kUint32:
      return Convert<Real, std::uint32_t>(source, first, size, target);
    case ElementType::kInt64:
      return Convert<Real, std::int64_t>(source, first, size, target);
    case ElementType::kUint64:
      return Convert<Real, std::uint64_t>(source, first, size, target);
    case ElementType::kFloat32:
      return Convert<Real, float>(source, first, size, target);
    case ElementType::kFloat64:
      return Convert<Real, double>(source, first, size, target);
  }
}

// Loads n neighbouring elements as Real.
template <int n, typename Real>
EXPSYN_INLINE void LoadAs(const Real* source, Vector<Real, n>& vector) {
  Load(source, vector);
  vector = FlushedVector(vector);
}
template <int n, typename Real>
EXPSYN_INLINE void LoadAs(const std::uint8_t* source, Vector<Real, n>& vector) {
#if defined(__x86_64__) && EXPSYN_SIMD_BYTES == 64
  // With masks that select all lanes: GCC warns of undefined operands in the forms without a mask.
  if constexpr (n == kFull<Real> && sizeof(Real) == sizeof(float)) {
    const auto bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(source));
    vector = (Vector<Real, n>)_mm512_maskz_cvtepi32_ps(0xFFFF,
                                                       _mm512_maskz_cvtepu8_epi32(0xFFFF, bytes));
    return;
  } else if constexpr (n == kFull<Real>) {
    const auto bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(source));
    vector = (Vector<Real, n>)_mm512_maskz_cvtepi32_pd(0xFF, _mm256_cvtepu8_epi32(bytes));
    return;
  }
#elif defined(__x86_64__) && EXPSYN_SIMD_BYTES == 32
  if constexpr (n == kFull<Real> && sizeof(Real) == sizeof(float)) {
    const auto bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(source));
    vector = (Vector<Real, n>)_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
    return;
  } else if constexpr (n == kFull<Real>) {
    int bytes;
    __builtin_memcpy(&bytes, source, sizeof(bytes));
    vector = (Vector<Real, n>)_mm256_cvtepi32_pd(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(bytes)));
    return;
  }
#endif
  Real elements[n];
  for (int i = 0; i < n; ++i) elements[i] = static_cast<Real>(source[i]);
  Load(elements, vector);
}

// Whether the input of some rows can be read in place: it is of type Real, has a value for each
// synapse, and is aligned at all `addresses` (the bitwise or of them).
template <typename Real, template <typename> typename Rows>
EXPSYN_INLINE bool IsReadInPlace(const Rows<Real>& rows, std::uintptr_t addresses) {
  return rows.type == kElementTypeOf<Real> && !rows.is_repeated && addresses % alignof(Real) == 0;
}

template <typename Real>
constexpr ElementOps<Real> kElementOps{ConvertElements<Real>};

}  // namespace expsyn::simd::EXPSYN_SIMD_SET

#endif  // EXPSYN_CORE_SIMD_ELEMENTS_INL_H_
