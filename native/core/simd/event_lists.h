#ifndef EXPSYN_CORE_SIMD_EVENT_LISTS_H_
#define EXPSYN_CORE_SIMD_EVENT_LISTS_H_

#include <cstdint>

namespace expsyn::simd {

// How times become steps: position = (time - start) * steps_per_unit.
struct StepScale {
  double start;
  double steps_per_unit;
  // How near to its end a step has to be known, in steps: margin + growth * |position|.
  double margin;
  double growth;
};

// Loops over lists of events, in double precision.
struct EventOps {
  // steps[i] = floor(position of times[i]), or NaN if the position is so near to the end of the
  // step, or so large, that the step has to be known. The arrays must not overlap.
  void (*find_steps)(const StepScale& scale, const double* times, std::int64_t size, double* steps);
  // indices[i] = numbers[i]. Returns whether each number is whole, not negative and less than
  // `end`, which is at most 2^51; if not, the indices mean nothing.
  bool (*convert_to_indices)(const double* numbers, std::int64_t size, double end,
                             std::int64_t* indices);
};

}  // namespace expsyn::simd

#endif  // EXPSYN_CORE_SIMD_EVENT_LISTS_H_
