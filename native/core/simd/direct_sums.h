#ifndef EXPSYN_CORE_SIMD_DIRECT_SUMS_H_
#define EXPSYN_CORE_SIMD_DIRECT_SUMS_H_

#include <cstdint>

namespace expsyn::simd {

// How many sums of DirectSums lie side by side: one cache line.
template <typename Real>
constexpr std::int64_t kSumsPerGroup = 64 / static_cast<int>(sizeof(Real));

// Groups of sums of products, sum[g][i] = sum_{k < n_samples} w[k][i] x[g * step + i - k * delay]
// with i < kSumsPerGroup. Side by side are either neighbouring synapses or neighbouring steps.
template <typename Real>
struct DirectSums {
  const Real* inputs;       // x[0]
  std::int64_t step;        // from a group to the next
  std::int64_t delay;       // from an input to the one before it
  const Real* samples;      // w[0]
  std::int64_t stride;      // from w[k] to w[k + 1]
  bool is_shared;           // whether w[k] is one number, the same for all i
  std::int64_t n_samples;   // at least 1
  Real* output;             // sum[0]
  std::int64_t row_stride;  // from a group of sums to the next
  Real* faults;             // added to faults[i]: 0, or NaN if a sum[g][i] is not finite
};

template <typename Real>
struct DirectSumOps {
  // Computes n_groups groups. Rounding errors do not grow with n_samples: a few products at a time
  // are summed in the precision of Real, and these sums in double precision.
  void (*sum_directly)(const DirectSums<Real>& sums, std::int64_t n_groups);
};

}  // namespace expsyn::simd

#endif  // EXPSYN_CORE_SIMD_DIRECT_SUMS_H_
