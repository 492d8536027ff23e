#include "kernel/recursion.h"

#include <utility>

#include "kernel/kernel.h"

namespace expsyn {

namespace {

using Numbers = std::vector<DoubleDouble>;

// matrix * vector, for a square matrix, row-major.
Numbers Apply(const Numbers& matrix, const Numbers& vector) {
  const std::size_t size = vector.size();
  Numbers result(size);
  for (std::size_t row = 0; row < size; ++row) {
    for (std::size_t column = 0; column < size; ++column) {
      result[row] = result[row] + matrix[row * size + column] * vector[column];
    }
  }
  return result;
}

// a * b, for square matrices with `size` rows.
Numbers Product(const Numbers& a, const Numbers& b, std::size_t size) {
  Numbers result(size * size);
  for (std::size_t column = 0; column < size; ++column) {
    Numbers vector(size);
    for (std::size_t row = 0; row < size; ++row) vector[row] = b[row * size + column];
    vector = Apply(a, vector);
    for (std::size_t row = 0; row < size; ++row) result[row * size + column] = vector[row];
  }
  return result;
}

Numbers Power(Numbers matrix, std::size_t size, std::int64_t exponent) {
  Numbers result(size * size);
  for (std::size_t i = 0; i < size; ++i) result[i * size + i].high = 1;
  for (; exponent > 0; exponent >>= 1) {
    if ((exponent & 1) != 0) result = Product(matrix, result, size);
    matrix = Product(matrix, matrix, size);
  }
  return result;
}

}  // namespace

LinearRecursion::LinearRecursion(std::vector<DoubleDouble> matrix, std::vector<double> entry,
                                 std::int64_t window_length)
    : matrix_(std::move(matrix)),
      entry_(std::move(entry)),
      numbers_(entry_.size()),
      tail_weights_(entry_.size()),
      start_tail_(entry_.size()) {
  const std::size_t size = entry_.size();
  window_matrix_ = window_length == Kernel::kUnlimited ? Numbers(size * size)
                                                       : Power(matrix_, size, window_length);
  for (std::size_t i = 0; i < size; ++i) tail_weights_[i].high = entry_[i];
  tail_weights_ = Apply(window_matrix_, tail_weights_);
}

void LinearRecursion::Start(const DoubleDouble* numbers) {
  numbers_.assign(numbers, numbers + entry_.size());
  start_tail_ = Apply(window_matrix_, numbers_);
}

void LinearRecursion::Enter(double input) {
  for (std::size_t i = 0; i < entry_.size(); ++i) {
    numbers_[i] = numbers_[i] + TwoProduct(entry_[i], input);
  }
}

void LinearRecursion::CancelTail(double input) {
  for (std::size_t i = 0; i < entry_.size(); ++i) {
    numbers_[i] = numbers_[i] + -(tail_weights_[i] * input);
  }
}

void LinearRecursion::CancelStart() {
  for (std::size_t i = 0; i < entry_.size(); ++i) numbers_[i] = numbers_[i] + -start_tail_[i];
}

void LinearRecursion::Advance() { numbers_ = Apply(matrix_, numbers_); }

}  // namespace expsyn
