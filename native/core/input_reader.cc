#include "input_reader.h"

#include <algorithm>

#include "events.h"

namespace expsyn {

template <typename Real>
void InputReader::ReadRaster(std::int64_t step, std::int64_t n_rows, std::int64_t synapse,
                             std::int64_t n_columns, Real* target, std::int64_t stride) const {
  if (raster_.events != nullptr) {
    const std::int64_t row = raster_.first_row + step;
    if (raster_.n_columns > 1 || n_columns == 1) {
      raster_.events->Fill(row, n_rows, raster_.n_columns == 1 ? 0 : synapse, n_columns, target,
                           stride);
      return;
    }
    for (std::int64_t r = 0; r < n_rows; ++r) {
      Real* const first = target + r * stride;
      raster_.events->Fill(row + r, 1, 0, 1, first, stride);
      std::fill_n(first + 1, n_columns - 1, *first);
    }
    return;
  }
  // Whole rows, one behind the other. A single column is that of synapse 0 only.
  if (synapse == 0 && n_columns == raster_.n_columns && stride == n_columns) {
    simd::OpsOf<Real>().convert(raster_.type, raster_.data, raster_.IndexOf(0, step, 0),
                                n_rows * n_columns, target);
    return;
  }
  for (std::int64_t row = 0; row < n_rows; ++row) {
    Real* target_row = target + row * stride;
    if (raster_.n_columns == 1) {
      Real value;
      simd::OpsOf<Real>().convert(raster_.type, raster_.data, raster_.IndexOf(0, step + row, 0), 1,
                                  &value);
      std::fill_n(target_row, n_columns, value);
    } else {
      simd::OpsOf<Real>().convert(raster_.type, raster_.data,
                                  raster_.IndexOf(0, step + row, synapse), n_columns, target_row);
    }
  }
}

template <typename Real>
void InputReader::Read(std::int64_t step, std::int64_t n_rows, std::int64_t synapse,
                       std::int64_t n_columns, Real* target, std::int64_t stride) const {
  ReadRaster(step, n_rows, synapse, n_columns, target, stride);
  if (noise_.placement == NoisePlacement::kInput) {
    AddNoise(step, n_rows, synapse, n_columns, target, stride);
  } else if (noise_.placement == NoisePlacement::kState) {
    // The noise of the step before the call is part of the state that the call starts from.
    const std::int64_t skipped = step == 0 ? 1 : 0;
    AddNoise(step + skipped - 1, n_rows - skipped, synapse, n_columns, target + skipped * stride,
             stride);
  }
}

template <typename Real>
void InputReader::AddOutputNoise(std::int64_t step, std::int64_t n_rows, std::int64_t synapse,
                                 std::int64_t n_columns, Real* target, std::int64_t stride) const {
  if (is_output_noisy()) AddNoise(step, n_rows, synapse, n_columns, target, stride);
}

simd::NormalPlaces InputReader::PlacesOf(std::int64_t step, std::int64_t n_rows,
                                         std::int64_t synapse, std::int64_t n_columns,
                                         std::int64_t stride) const {
  simd::NormalPlaces places{};
  places.seed = noise_.seed;
  places.batch = static_cast<std::uint32_t>(noise_.batch);
  places.step = noise_.step + static_cast<std::uint64_t>(step);
  places.n_rows = n_rows;
  places.synapse = static_cast<std::uint32_t>(noise_.first_synapse + synapse);
  places.n_columns = n_columns;
  places.scale = noise_.scale;
  places.stride = stride;
  return places;
}

template <typename Real>
void InputReader::AddNoise(std::int64_t step, std::int64_t n_rows, std::int64_t synapse,
                           std::int64_t n_columns, Real* target, std::int64_t stride) const {
  if (n_rows <= 0) return;
  simd::OpsOf<Real>().add_normals(PlacesOf(step, n_rows, synapse, n_columns, stride), target,
                                  target);
}

template void InputReader::ReadRaster(std::int64_t, std::int64_t, std::int64_t, std::int64_t,
                                      float*, std::int64_t) const;
template void InputReader::Read(std::int64_t, std::int64_t, std::int64_t, std::int64_t, float*,
                                std::int64_t) const;
template void InputReader::AddNoise(std::int64_t, std::int64_t, std::int64_t, std::int64_t, float*,
                                    std::int64_t) const;
template void InputReader::AddOutputNoise(std::int64_t, std::int64_t, std::int64_t, std::int64_t,
                                          float*, std::int64_t) const;
template void InputReader::ReadRaster(std::int64_t, std::int64_t, std::int64_t, std::int64_t,
                                      double*, std::int64_t) const;
template void InputReader::Read(std::int64_t, std::int64_t, std::int64_t, std::int64_t, double*,
                                std::int64_t) const;
template void InputReader::AddNoise(std::int64_t, std::int64_t, std::int64_t, std::int64_t, double*,
                                    std::int64_t) const;
template void InputReader::AddOutputNoise(std::int64_t, std::int64_t, std::int64_t, std::int64_t,
                                          double*, std::int64_t) const;

}  // namespace expsyn
