#ifndef EXPSYN_CORE_SIMD_DIRECT_SUMS_INL_H_
#define EXPSYN_CORE_SIMD_DIRECT_SUMS_INL_H_

#include <utility>

#include "simd/direct_sums.h"
#include "simd/vectors-inl.h"

namespace expsyn::simd::EXPSYN_SIMD_SET {

// Products that are summed in the precision of Real before they are added to the others: fewer in
// single precision, so that a sum keeps its digits.
template <typename Real>
constexpr std::int64_t kTermsAtATime = sizeof(Real) == sizeof(float) ? 16 : 64;

// Groups whose sums grow together: as many as there are registers for.
constexpr int kGroupsAtATime = EXPSYN_SIMD_BYTES == 64 ? 8 : 4;

// The n lanes of a vector of 2 n from `first` on, in double precision.
template <int first, typename V, int... lane>
EXPSYN_INLINE auto WidenedHalf(const V& vector, std::integer_sequence<int, lane...>) {
  constexpr int kN = sizeof...(lane);
#if defined(EXPSYN_HAS_SHUFFLE)
  const Vector<float, kN> half = __builtin_shufflevector(vector, vector, (first + lane)...);
#else
  const Vector<float, kN> half{vector[first + lane]...};
#endif
  return Converted<kN, double, float>(half);
}

// Adds a vector to sums in double precision.
template <typename V, typename Vd>
EXPSYN_INLINE void AddWidened(const V& part, Vd* sums) {
  if constexpr (sizeof(part[0]) == sizeof(double)) {
    sums[0] += part;
  } else {
    constexpr int kHalf = static_cast<int>(sizeof(V) / sizeof(float)) / 2;
    sums[0] += WidenedHalf<0>(part, std::make_integer_sequence<int, kHalf>());
    sums[1] += WidenedHalf<kHalf>(part, std::make_integer_sequence<int, kHalf>());
  }
}

// A vector's lanes in double precision: kParts vectors of kM numbers.
template <typename Real>
constexpr int kM = EXPSYN_SIMD_BYTES / static_cast<int>(sizeof(double));
template <typename Real>
constexpr int kParts = kFull<Real> / kM<Real>;

// A vector of one group, from sum[group][lane] on.
template <typename Real>
struct GroupSum {
  using V = Vector<Real, kFull<Real>>;

  EXPSYN_INLINE void Add(const V& sample, const Real* inputs) {
    V input;
    Load(inputs, input);
    part += sample * input;
  }
  EXPSYN_INLINE void EndPart() {
    AddWidened(part, sums);
    part = V{};
  }
  EXPSYN_INLINE void Finish(Vector<Real, kM<Real>>* faults, Real* output) const {
    for (int i = 0; i < kParts<Real>; ++i) {
      const Vector<Real, kM<Real>> sum = FlushedVector(Converted<kM<Real>, Real, double>(sums[i]));
      faults[i] += sum * Real{0};
      Store(sum, output + i * kM<Real>);
    }
  }

  V part = {};
  Vector<double, kM<Real>> sums[kParts<Real>] = {};
};

// Vectors of as many groups as `r` has numbers. These are constants, and not those of a loop, so
// that the sums stay in registers.
template <bool kIsShared, typename Real, int... r>
EXPSYN_INLINE void SumVectors(const DirectSums<Real>& s, std::int64_t group, std::int64_t lane,
                              std::integer_sequence<int, r...>) {
  const Real* inputs = s.inputs + group * s.step + lane;
  const Real* samples = s.samples + (kIsShared ? 0 : lane);
  GroupSum<Real> sums[sizeof...(r)];
  for (std::int64_t first = 0; first < s.n_samples; first += kTermsAtATime<Real>) {
    const std::int64_t next = first + kTermsAtATime<Real>;
    const std::int64_t end = next < s.n_samples ? next : s.n_samples;
    for (std::int64_t k = first; k < end; ++k) {
      Vector<Real, kFull<Real>> sample;
      if constexpr (kIsShared) {
        sample = samples[k * s.stride] - Vector<Real, kFull<Real>>{};
      } else {
        Load(samples + k * s.stride, sample);
      }
      const Real* delayed = inputs - k * s.delay;
      (sums[r].Add(sample, delayed + r * s.step), ...);
    }
    (sums[r].EndPart(), ...);
  }
  Vector<Real, kM<Real>> faults[kParts<Real>];
  for (int i = 0; i < kParts<Real>; ++i) Load(s.faults + lane + i * kM<Real>, faults[i]);
  Real* output = s.output + group * s.row_stride + lane;
  (sums[r].Finish(faults, output + r * s.row_stride), ...);
  for (int i = 0; i < kParts<Real>; ++i) Store(faults[i], s.faults + lane + i * kM<Real>);
}

template <bool kIsShared, typename Real>
void SumGroups(const DirectSums<Real>& s, std::int64_t n_groups) {
  for (std::int64_t lane = 0; lane < kSumsPerGroup<Real>; lane += kFull<Real>) {
    std::int64_t group = 0;
    for (; group + kGroupsAtATime <= n_groups; group += kGroupsAtATime) {
      SumVectors<kIsShared>(s, group, lane, std::make_integer_sequence<int, kGroupsAtATime>());
    }
    for (; group < n_groups; ++group)
      SumVectors<kIsShared>(s, group, lane, std::make_integer_sequence<int, 1>());
  }
}

template <typename Real>
void SumDirectly(const DirectSums<Real>& sums, std::int64_t n_groups) {
  if (sums.is_shared) {
    SumGroups<true>(sums, n_groups);
  } else {
    SumGroups<false>(sums, n_groups);
  }
}

template <typename Real>
constexpr DirectSumOps<Real> kDirectSumOps{SumDirectly<Real>};

}  // namespace expsyn::simd::EXPSYN_SIMD_SET

#endif  // EXPSYN_CORE_SIMD_DIRECT_SUMS_INL_H_
