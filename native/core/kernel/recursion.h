#ifndef EXPSYN_CORE_KERNEL_RECURSION_H_
#define EXPSYN_CORE_KERNEL_RECURSION_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "double_double.h"

namespace expsyn {

// The recursion of one synapse, step by step, in arithmetic of twice double precision: exact enough
// for any input, and slow. A step is Enter(), then Leave() for what leaves a window that is cut,
// then Advance().
class Recursion {
 public:
  virtual ~Recursion() = default;

  // Begins with these numbers of state.
  virtual void Start(const DoubleDouble* numbers) = 0;
  // An input of this step.
  virtual void Enter(double input) = 0;
  // Takes out the input that entered one window before this step.
  virtual void Leave(double input) = 0;
  // Takes out what is left of the numbers that Start() was given, one window after it.
  virtual void LeaveStart() = 0;
  // To the end of the step.
  virtual void Advance() = 0;
  // Number i of the state; number 0 is the current.
  virtual DoubleDouble Number(std::int64_t i) const = 0;
};

// The recursion s <- A (s + b x) of any kernel that has one, with the numbers s and the input x.
class LinearRecursion final : public Recursion {
 public:
  // `matrix` is A, row-major, and `entry` is b, one value a number. `window_length` is in steps, or
  // Kernel::kUnlimited.
  LinearRecursion(std::vector<DoubleDouble> matrix, std::vector<double> entry,
                  std::int64_t window_length);

  void Start(const DoubleDouble* numbers) override;
  void Enter(double input) override;
  void Leave(double input) override;
  void LeaveStart() override;
  void Advance() override;
  DoubleDouble Number(std::int64_t i) const override {
    return numbers_[static_cast<std::size_t>(i)];
  }

 private:
  std::vector<DoubleDouble> matrix_;
  std::vector<double> entry_;
  std::vector<DoubleDouble> numbers_;
  // A^W, what it makes of b, and what it makes of the numbers at the start.
  std::vector<DoubleDouble> window_matrix_;
  std::vector<DoubleDouble> tail_weights_;
  std::vector<DoubleDouble> start_tail_;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_KERNEL_RECURSION_H_
