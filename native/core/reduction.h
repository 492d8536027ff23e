#ifndef EXPSYN_CORE_REDUCTION_H_
#define EXPSYN_CORE_REDUCTION_H_

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "simd/ops.h"

namespace expsyn {

// What of a group of steps is kept.
enum class ReductionKind {
  kLast,  // the last one
  kMean,  // their mean
  kPeak,  // the value of the largest magnitude, the first of several; NaN if there is one
};

// Of the steps of a run, those whose absolute number + 1 is a multiple of `every` are kept. Each
// stands for the group of `every` steps that ends with it.
struct Reduction {
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  std::int64_t every = 1;  // or kNever, which keeps no step
  ReductionKind kind = ReductionKind::kLast;

  bool IsNone() const { return every == 1; }
  // Whether a group that is not over has to be remembered.
  bool HasMemory() const { return every != 1 && every != kNever && kind != ReductionKind::kLast; }
  // How many of n_steps steps from the absolute step `step` on are kept.
  std::int64_t CountKept(std::uint64_t step, std::int64_t n_steps) const {
    if (every == kNever) return 0;
    const auto begin = static_cast<std::int64_t>(step);
    return (begin + n_steps) / every - begin / every;
  }
};

// A group that has begun and is not over: one value a synapse, and the number of its steps. The sum
// of the values for kMean, the peak for kPeak.
struct PartialGroup {
  double* values = nullptr;
  std::int64_t n_steps = 0;

  // After n_timesteps steps more from the absolute step `step` on.
  std::int64_t StepsAfter(const Reduction& reduction, std::uint64_t step,
                          std::int64_t n_timesteps) const {
    if (!reduction.HasMemory()) return 0;
    const std::int64_t begun = (static_cast<std::int64_t>(step) + n_timesteps) % reduction.every;
    return std::min(begun, n_steps + n_timesteps);
  }
  PartialGroup From(std::int64_t synapse) const {
    return {values == nullptr ? nullptr : values + synapse, n_steps};
  }
};

// Reduces the rows of some neighbouring synapses to those that are kept. Rows come in their order
// for each synapse; synapses are independent of each other.
template <typename Real>
class RowReducer {
 public:
  // `output` is the first row that is kept, at the first of these synapses. `step` is the absolute
  // number of step 0. `partial` is the group before step 0; its values become those of the group
  // that is not over at the end.
  RowReducer(const Reduction& reduction, std::uint64_t step, std::int64_t n_synapses, Real* output,
             std::int64_t row_stride, PartialGroup partial)
      : reduction_(reduction),
        step_(static_cast<std::int64_t>(step)),
        output_(output),
        row_stride_(row_stride),
        partial_(partial) {
    if (!reduction.HasMemory()) return;
    values_.resize(static_cast<std::size_t>(n_synapses));
    if (partial.n_steps > 0) std::copy_n(partial.values, n_synapses, values_.begin());
  }

  // Takes n_rows rows of some columns, from step `step` of this call on.
  void Put(std::int64_t step, std::int64_t n_rows, std::int64_t column, std::int64_t n_columns,
           const Real* rows, std::int64_t stride) {
    if (reduction_.every == Reduction::kNever) return;
    const std::int64_t every = reduction_.every;
    const std::int64_t begin = step_ + step;
    const std::int64_t end = begin + n_rows;
    for (std::int64_t next = begin; next < end;) {
      // The group of `next` ends before `group_end`.
      const std::int64_t group_end = (next / every + 1) * every;
      const std::int64_t last = std::min(group_end, end);
      Real* const kept = output_ + (next / every - step_ / every) * row_stride_ + column;
      const Real* const group = rows + (next - begin) * stride;
      switch (reduction_.kind) {
        case ReductionKind::kLast:
          if (last == group_end) {
            std::copy_n(rows + (last - 1 - begin) * stride, n_columns, kept);
          }
          break;
        case ReductionKind::kMean:
          Reduce(simd::OpsOf<Real>().add_rows, next, last, group, stride, column, n_columns);
          if (last == group_end) PutMean(group_end, column, n_columns, kept);
          break;
        case ReductionKind::kPeak:
          Reduce(simd::OpsOf<Real>().find_peaks, next, last, group, stride, column, n_columns);
          if (last == group_end) {
            for (std::int64_t c = 0; c < n_columns; ++c) kept[c] = static_cast<Real>(At(column)[c]);
          }
      }
      next = last;
    }
  }

  // Leaves the group that is not over.
  void Finish() const {
    if (partial_.values != nullptr) std::copy(values_.begin(), values_.end(), partial_.values);
  }

 private:
  double* At(std::int64_t column) { return values_.data() + column; }

  // Whether a group begins with an absolute step, or what came before it in its group is not known.
  bool IsFirst(std::int64_t step) const {
    return step % reduction_.every == 0 || (step == step_ && partial_.n_steps == 0);
  }

  // Reduces rows of one group by one of the operations of simd/reductions.h.
  template <typename Operation>
  void Reduce(Operation* operation, std::int64_t step, std::int64_t end, const Real* rows,
              std::int64_t stride, std::int64_t column, std::int64_t n_columns) {
    if (IsFirst(step)) {
      std::copy_n(rows, n_columns, At(column));
      ++step;
      rows += stride;
    }
    if (step < end) operation(rows, end - step, stride, n_columns, At(column));
  }

  void PutMean(std::int64_t group_end, std::int64_t column, std::int64_t n_columns, Real* kept) {
    // Of a group that began before this call, so many steps are known.
    const std::int64_t n_known = group_end - step_ + partial_.n_steps;
    const auto count = static_cast<double>(std::min(reduction_.every, n_known));
    for (std::int64_t c = 0; c < n_columns; ++c) {
      kept[c] = static_cast<Real>(At(column)[c] / count);
    }
  }

  const Reduction& reduction_;
  std::int64_t step_;
  Real* output_;
  std::int64_t row_stride_;
  PartialGroup partial_;
  std::vector<double> values_;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_REDUCTION_H_
