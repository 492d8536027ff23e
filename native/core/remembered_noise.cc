#include "remembered_noise.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace expsyn {

namespace {

// Numbers of noise that are drawn at a time.
constexpr std::int64_t kElements = 2048;

}  // namespace

template <typename Real>
void AddRememberedNoise(const Kernel& kernel, const Tile<Real>& tile) {
  const std::int64_t width = tile.n_synapses;
  const std::int64_t most_rows = std::max<std::int64_t>(1, kElements / width);
  std::vector<Real> noise(static_cast<std::size_t>(most_rows * width));
  std::vector<DoubleDouble> decays, sums(static_cast<std::size_t>(width));
  for (std::int64_t c = 0; c < width; ++c) {
    decays.push_back(kernel.CurrentDecay(tile.first_synapse + c));
  }
  for (std::int64_t step = 0; step < tile.end_step; step += most_rows) {
    if (tile.cancelled.load(std::memory_order_relaxed)) return;
    const std::int64_t n_rows = std::min(most_rows, tile.end_step - step);
    std::fill(noise.begin(), noise.end(), Real{0});
    tile.input.AddNoise(step, n_rows, tile.first_synapse, width, noise.data(), width);
    for (std::int64_t row = 0; row < n_rows; ++row) {
      const Real* const drawn = noise.data() + row * width;
      Real* const output = tile.output + (step + row) * tile.row_stride;
      for (std::int64_t c = 0; c < width; ++c) {
        DoubleDouble& sum = sums[static_cast<std::size_t>(c)];
        sum = sum * decays[static_cast<std::size_t>(c)] + static_cast<double>(drawn[c]);
        output[c] = static_cast<Real>(static_cast<double>(output[c]) + sum.high);
      }
    }
  }
  const Real* const last = tile.output + (tile.end_step - 1) * tile.row_stride;
  for (std::int64_t c = 0; c < width; ++c) {
    const DoubleDouble sum =
        tile.next_state.view().Number(0, c) + sums[static_cast<std::size_t>(c)];
    tile.next_state.SetNumber(0, c, static_cast<double>(last[c]), sum);
  }
}

template void AddRememberedNoise<float>(const Kernel&, const Tile<float>&);
template void AddRememberedNoise<double>(const Kernel&, const Tile<double>&);

}  // namespace expsyn
