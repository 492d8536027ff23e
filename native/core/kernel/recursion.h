#ifndef EXPSYN_CORE_KERNEL_RECURSION_H_
#define EXPSYN_CORE_KERNEL_RECURSION_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "double_double.h"

namespace expsyn {

// The recursion of one synapse, step by step, in arithmetic of twice double precision: slow, and
// exact enough for any finite input. A step is Enter(); then CancelTail(), if the window is cut and
// full; then CancelStart(), in the step that comes one window after the start; then Advance().
class Recursion {
 public:
  virtual ~Recursion() = default;

  // Begins with these numbers of state.
  virtual void Start(const DoubleDouble* numbers) = 0;
  // Adds the input of this step.
  virtual void Enter(double input) = 0;
  // Subtracts what is left of the input that entered one window before this step.
  virtual void CancelTail(double input) = 0;
  // Subtracts what is left of the numbers at the start, one window after it.
  virtual void CancelStart() = 0;
  // Moves on to the end of the step.
  virtual void Advance() = 0;
  // Number i of the state; number 0 is the current.
  virtual DoubleDouble Number(std::int64_t i) const = 0;
};

// The recursion s <- A (s + b x) of the numbers s under the input x: that of any kernel whose
// numbers decay linearly.
class LinearRecursion final : public Recursion {
 public:
  // `matrix` is A, row-major, and `entry` is b, one value a number. `window_length` is in steps, or
  // Kernel::kUnlimited.
  LinearRecursion(std::vector<DoubleDouble> matrix, std::vector<double> entry,
                  std::int64_t window_length);

  void Start(const DoubleDouble* numbers) override;
  void Enter(double input) override;
  void CancelTail(double input) override;
  void CancelStart() override;
  void Advance() override;
  DoubleDouble Number(std::int64_t i) const override {
    return numbers_[static_cast<std::size_t>(i)];
  }

 private:
  std::vector<DoubleDouble> matrix_;
  std::vector<double> entry_;
  std::vector<DoubleDouble> numbers_;
  // A^W, A^W b, and A^W times the numbers at the start.
  std::vector<DoubleDouble> window_matrix_;
  std::vector<DoubleDouble> tail_weights_;
  std::vector<DoubleDouble> start_tail_;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_KERNEL_RECURSION_H_
