#ifndef EXPSYN_CORE_KERNEL_HELD_NON_FINITE_H_
#define EXPSYN_CORE_KERNEL_HELD_NON_FINITE_H_

#include <cmath>
#include <cstdint>
#include <limits>

#include "kernel/kernel.h"

namespace expsyn {

// The non-finite inputs in the window of a synapse whose kernel has a recursion. Only the step of
// the latest one of each kind matters.
class HeldNonFinite {
 public:
  explicit HeldNonFinite(const Kernel& kernel)
      : length_(kernel.window_length()), is_positive_(kernel.is_positive()) {}

  // Records an input of step `step`. Returns the value itself if it is finite, else 0.
  double Take(double value, std::int64_t step) {
    if (std::isfinite(value)) return value;
    if (std::isnan(value) || !is_positive_) {
      nan_ = step;
    } else if (value > 0) {
      positive_ = step;
    } else {
      negative_ = step;
    }
    return 0;
  }

  // The sum over the window of step `step`, whose finite part is `finite`.
  double Overlay(double finite, std::int64_t step) const {
    const bool positive = IsHeld(positive_, step);
    const bool negative = IsHeld(negative_, step);
    if (IsHeld(nan_, step) || (positive && negative)) {
      return std::numeric_limits<double>::quiet_NaN();
    }
    if (positive) return std::numeric_limits<double>::infinity();
    if (negative) return -std::numeric_limits<double>::infinity();
    return finite;
  }

  // Whether the window of step `step` holds a non-finite input.
  bool HoldsAny(std::int64_t step) const {
    return IsHeld(nan_, step) || IsHeld(positive_, step) || IsHeld(negative_, step);
  }

 private:
  static constexpr std::int64_t kNever = -1;

  bool IsHeld(std::int64_t since, std::int64_t step) const {
    return since != kNever && step - since < length_;
  }

  std::int64_t length_;
  bool is_positive_;
  std::int64_t nan_ = kNever;
  std::int64_t positive_ = kNever;
  std::int64_t negative_ = kNever;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_KERNEL_HELD_NON_FINITE_H_
