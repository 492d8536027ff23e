#ifndef EXPSYN_CORE_SIMD_SCANS_INL_H_
#define EXPSYN_CORE_SIMD_SCANS_INL_H_

#include "simd/scans.h"
#include "simd/vectors-inl.h"

namespace expsyn::simd::EXPSYN_SIMD_SET {

// Whether all values of a full vector are 0, of whatever sign.
template <typename Real>
EXPSYN_INLINE bool IsZero(const Real* values) {
  constexpr std::uint64_t kAllButSigns =
      sizeof(Real) == sizeof(float) ? 0x7FFF'FFFF'7FFF'FFFF : 0x7FFF'FFFF'FFFF'FFFF;
  constexpr int kPerVector = EXPSYN_SIMD_BYTES / 8;
  std::uint64_t words[kPerVector];
  __builtin_memcpy(words, values, sizeof(words));
  std::uint64_t any = 0;
  for (int i = 0; i < kPerVector; ++i) any |= words[i];
  return (any & kAllButSigns) == 0;
}

template <typename Real>
std::int64_t FindFirst(const Real* values, std::int64_t begin, std::int64_t end) {
  constexpr int kN = kFull<Real>;
  while (begin + kN <= end && IsZero(values + begin)) begin += kN;
  for (; begin < end; ++begin) {
    if (values[begin] != 0) return begin;
  }
  return -1;
}

template <typename Real>
std::int64_t FindLast(const Real* values, std::int64_t begin, std::int64_t end) {
  constexpr int kN = kFull<Real>;
  while (begin + kN <= end && IsZero(values + end - kN)) end -= kN;
  for (; begin < end; --end) {
    if (values[end - 1] != 0) return end - 1;
  }
  return -1;
}

template <typename Real>
Real Peak(const Real* values, std::int64_t size) {
  constexpr int kN = kFull<Real>;
  using V = Vector<Real, kN>;
  V peak{};
  V fault{};  // NaN in lanes that had a value that is not finite
  std::int64_t i = 0;
  for (; i + kN <= size; i += kN) {
    V value;
    Load(values + i, value);
    fault += value * Real{0};
    value = value < Real{0} ? -value : value;
    peak = value > peak ? value : peak;
  }
  Real result = 0;
  Real result_fault = 0;
  for (int lane = 0; lane < kN; ++lane) {
    result = peak[lane] > result ? peak[lane] : result;
    result_fault += fault[lane];
  }
  for (; i < size; ++i) {
    result_fault += values[i] * Real{0};
    const Real value = values[i] < 0 ? -values[i] : values[i];
    result = value > result ? value : result;
  }
  return result + result_fault;
}

template <typename Real>
constexpr ScanOps<Real> kScanOps{FindFirst<Real>, FindLast<Real>, Peak<Real>};

}  // namespace expsyn::simd::EXPSYN_SIMD_SET

#endif  // EXPSYN_CORE_SIMD_SCANS_INL_H_
