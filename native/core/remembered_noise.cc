#include "remembered_noise.h"

#include <algorithm>

namespace expsyn {

namespace {

// Numbers of noise that are drawn at a time.
constexpr std::int64_t kElements = 2048;

}  // namespace

template <typename Real>
RememberedNoise<Real>::RememberedNoise(const Kernel& kernel, const InputReader& input,
                                       std::int64_t first_synapse, std::int64_t n_synapses)
    : input_(input),
      first_synapse_(first_synapse),
      sums_(static_cast<std::size_t>(n_synapses)),
      drawn_(static_cast<std::size_t>(std::max(kElements, n_synapses))) {
  for (std::int64_t c = 0; c < n_synapses; ++c) {
    decays_.push_back(kernel.CurrentDecay(first_synapse + c));
  }
}

template <typename Real>
void RememberedNoise<Real>::AddTo(std::int64_t step, std::int64_t n_rows, std::int64_t column,
                                  std::int64_t n_columns, Real* rows, std::int64_t stride) {
  const std::int64_t most_rows = std::max<std::int64_t>(1, kElements / n_columns);
  for (std::int64_t first = 0; first < n_rows; first += most_rows) {
    const std::int64_t count = std::min(most_rows, n_rows - first);
    std::fill_n(drawn_.begin(), count * n_columns, Real{0});
    input_.AddNoise(step + first, count, first_synapse_ + column, n_columns, drawn_.data(),
                    n_columns);
    for (std::int64_t row = 0; row < count; ++row) {
      const Real* const drawn = drawn_.data() + row * n_columns;
      Real* const output = rows + (first + row) * stride;
      for (std::int64_t c = 0; c < n_columns; ++c) {
        const auto n = static_cast<std::size_t>(column + c);
        sums_[n] = sums_[n] * decays_[n] + static_cast<double>(drawn[c]);
        output[c] = static_cast<Real>(static_cast<double>(output[c]) + sums_[n].high);
      }
    }
  }
}

template <typename Real>
void RememberedNoise<Real>::AddToState(const Real* last_row, NextState next_state) const {
  for (std::size_t n = 0; n < sums_.size(); ++n) {
    const auto c = static_cast<std::int64_t>(n);
    const DoubleDouble sum = next_state.view().Number(0, c) + sums_[n];
    next_state.SetNumber(0, c, static_cast<double>(last_row[c]), sum);
  }
}

template <typename Real>
void AddRememberedNoise(const Kernel& kernel, const Tile<Real>& tile) {
  const std::int64_t width = tile.n_synapses;
  const std::int64_t most_rows = std::max<std::int64_t>(1, kElements / width);
  RememberedNoise<Real> noise(kernel, tile.input, tile.first_synapse, width);
  for (std::int64_t step = 0; step < tile.end_step; step += most_rows) {
    if (tile.cancelled.load(std::memory_order_relaxed)) return;
    noise.AddTo(step, std::min(most_rows, tile.end_step - step), 0, width,
                tile.output + step * tile.row_stride, tile.row_stride);
  }
  noise.AddToState(tile.output + (tile.end_step - 1) * tile.row_stride, tile.next_state);
}

template class RememberedNoise<float>;
template class RememberedNoise<double>;
template void AddRememberedNoise<float>(const Kernel&, const Tile<float>&);
template void AddRememberedNoise<double>(const Kernel&, const Tile<double>&);

}  // namespace expsyn
