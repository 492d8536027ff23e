#ifndef EXPSYN_CORE_SIMD_EVENT_LISTS_INL_H_
#define EXPSYN_CORE_SIMD_EVENT_LISTS_INL_H_

#include "simd/event_lists.h"
#include "simd/vectors-inl.h"

namespace expsyn::simd::EXPSYN_SIMD_SET {

// Adding this to a number rounds it to a whole one, which the lowest bits of the sum count.
constexpr double kRounding = 0x1.8p+52;
constexpr std::int64_t kRoundingBits = 0x4338'0000'0000'0000;

void FindSteps(const StepScale& scale, const double* times, std::int64_t size, double* steps) {
  constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  const StepScale own = scale;
  for (std::int64_t i = 0; i < size; ++i) {
    const double position = (times[i] - own.start) * own.steps_per_unit;
    const double nearest = (position + kRounding) - kRounding;
    const double step = nearest > position ? nearest - 1 : nearest;
    const double magnitude = position < 0 ? -position : position;
    const bool is_known = step + 1 - position > own.margin + magnitude * own.growth;
    steps[i] = is_known ? step : kUnknown;
  }
}

bool ConvertToIndices(const double* numbers, std::int64_t size, double end, std::int64_t* indices) {
  constexpr int kN = kFull<double>;
  using Indices = Vector<std::int64_t, kN>;
  Indices are_indices = Indices{} == 0;
  std::int64_t i = 0;
  for (; i + kN <= size; i += kN) {
    Vector<double, kN> number;
    Load(numbers + i, number);
    const Vector<double, kN> sum = number + kRounding;
    Store((Indices)sum - kRoundingBits, indices + i);
    are_indices &= (number >= 0) & (number < end) & (sum - kRounding == number);
  }
  bool are_all = true;
  for (int lane = 0; lane < kN; ++lane) are_all &= are_indices[lane] != 0;
  for (; i < size; ++i) {
    const bool is_inside = numbers[i] >= 0 && numbers[i] < end;
    indices[i] = is_inside ? static_cast<std::int64_t>(numbers[i]) : 0;
    are_all &= is_inside && static_cast<double>(indices[i]) == numbers[i];
  }
  return are_all;
}

constexpr EventOps kEventOps{FindSteps, ConvertToIndices};

}  // namespace expsyn::simd::EXPSYN_SIMD_SET

#endif  // EXPSYN_CORE_SIMD_EVENT_LISTS_INL_H_
