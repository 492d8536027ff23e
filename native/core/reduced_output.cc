#include "reduced_output.h"

#include <algorithm>

#include "remembered_noise.h"

namespace expsyn {

template <typename Real>
void ReducedOutput<Real>::Put(std::int64_t step, std::int64_t n_rows, std::int64_t column,
                              std::int64_t n_columns, Real* rows, std::int64_t stride) {
  if (noise_ != nullptr) noise_->AddTo(step, n_rows, column, n_columns, rows, stride);
  reducer_.Put(step, n_rows, column, n_columns, rows, stride);
  if (step + n_rows == n_timesteps_) {
    std::copy_n(rows + (n_rows - 1) * stride, n_columns, last_row_ + column);
  }
}

template class ReducedOutput<float>;
template class ReducedOutput<double>;

}  // namespace expsyn
