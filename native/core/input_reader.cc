#include "input_reader.h"

#include <algorithm>
#include <type_traits>

namespace expsyn {

namespace {

// Places of noise made at a time: small enough for the stack and the first-level cache.
constexpr std::int64_t kNoisePlaces = 2048;

}  // namespace

void InputReader::Read(std::int64_t batch, std::int64_t step, std::int64_t n_rows,
                       std::int64_t synapse, std::int64_t n_columns, double* target,
                       std::ptrdiff_t stride) const {
  WithElement(raster_.type, [&](auto* element) {
    using T = std::remove_cv_t<std::remove_pointer_t<decltype(element)>>;
    for (std::int64_t row = 0; row < n_rows; ++row) {
      double* target_row = target + row * stride;
      if (raster_.n_columns == 1) {
        const auto value = static_cast<double>(
            LoadElement<T>(raster_.data, raster_.IndexOf(batch, step + row, 0)));
        std::fill_n(target_row, n_columns, value);
      } else {
        const std::int64_t first = raster_.IndexOf(batch, step + row, synapse);
        for (std::int64_t column = 0; column < n_columns; ++column) {
          target_row[column] = static_cast<double>(LoadElement<T>(raster_.data, first + column));
        }
      }
    }
  });
  if (noise_.placement == NoisePlacement::kInput) {
    AddNoise(batch, noise_.step + static_cast<std::uint64_t>(step), n_rows, synapse, n_columns,
             target, stride);
  } else if (noise_.placement == NoisePlacement::kState) {
    // The noise of the step before the call is part of the state that the call starts from.
    const std::int64_t skipped = step == 0 ? 1 : 0;
    AddNoise(batch, noise_.step + static_cast<std::uint64_t>(step + skipped) - 1, n_rows - skipped,
             synapse, n_columns, target + skipped * stride, stride);
  }
}

template <typename Real>
void InputReader::AddOutputNoise(std::int64_t batch, std::int64_t step, std::int64_t n_rows,
                                 std::int64_t synapse, std::int64_t n_columns, Real* target,
                                 std::ptrdiff_t stride) const {
  if (noise_.placement == NoisePlacement::kOutput || noise_.placement == NoisePlacement::kState) {
    AddNoise(batch, noise_.step + static_cast<std::uint64_t>(step), n_rows, synapse, n_columns,
             target, stride);
  }
}

template <typename Real>
void InputReader::AddNoise(std::int64_t batch, std::uint64_t absolute_step, std::int64_t n_rows,
                           std::int64_t synapse, std::int64_t n_columns, Real* target,
                           std::ptrdiff_t stride) const {
  alignas(64) double noise[kNoisePlaces];
  const std::int64_t column_step = std::min(n_columns, kNoisePlaces / 2);
  for (std::int64_t column = 0; column < n_columns; column += column_step) {
    const std::int64_t width = std::min(column_step, n_columns - column);
    // A whole number of step pairs, so that none is computed twice.
    const std::int64_t row_step = kNoisePlaces / width / 2 * 2;
    std::int64_t height = 0;
    for (std::int64_t row = 0; row < n_rows; row += height) {
      const std::uint64_t first = absolute_step + static_cast<std::uint64_t>(row);
      height = std::min(n_rows - row, row_step - static_cast<std::int64_t>(first % 2));
      field_.Fill(static_cast<std::uint32_t>(batch), first, height,
                  static_cast<std::uint32_t>(synapse + column), width, noise, width);
      for (std::int64_t i = 0; i < height; ++i) {
        Real* target_row = target + (row + i) * stride + column;
        const double* noise_row = noise + i * width;
        for (std::int64_t j = 0; j < width; ++j) {
          target_row[j] =
              static_cast<Real>(static_cast<double>(target_row[j]) + noise_.scale * noise_row[j]);
        }
      }
    }
  }
}

template void InputReader::AddOutputNoise<float>(std::int64_t, std::int64_t, std::int64_t,
                                                 std::int64_t, std::int64_t, float*,
                                                 std::ptrdiff_t) const;
template void InputReader::AddOutputNoise<double>(std::int64_t, std::int64_t, std::int64_t,
                                                  std::int64_t, std::int64_t, double*,
                                                  std::ptrdiff_t) const;

}  // namespace expsyn
