#include "method/direct_sum.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "floating_point_mode.h"

namespace expsyn {

namespace {

// Steps that are summed side by side.
constexpr std::int64_t kBlock = 512;

// output[t] for one synapse, by blocks of steps whose sums grow together, sample by sample.
template <typename Real>
void SumSynapse(const Tile<Real>& tile, std::int64_t c, const std::vector<double>& samples) {
  const auto length = static_cast<std::int64_t>(samples.size());
  const std::int64_t n_carried = length - 1;
  const std::int64_t n = tile.first_synapse + c;
  // The last W - 1 inputs before the block, then those of the block.
  std::vector<Real> inputs(static_cast<std::size_t>(n_carried + kBlock));
  ReadCarriedInputs(tile.state.From(c), n_carried, inputs.data());
  double sums[kBlock];
  for (std::int64_t step = 0; step < tile.end_step; step += kBlock) {
    if (tile.cancelled.load(std::memory_order_relaxed)) return;
    const std::int64_t n_rows = std::min(kBlock, tile.end_step - step);
    tile.input.Read(step, n_rows, n, 1, inputs.data() + n_carried, 1);
    std::fill_n(sums, n_rows, 0.0);
    for (std::int64_t k = 0; k < length; ++k) {
      const Real* input = inputs.data() + n_carried - k;
      const double sample = samples[static_cast<std::size_t>(k)];
      for (std::int64_t row = 0; row < n_rows; ++row) {
        sums[row] += sample * static_cast<double>(input[row]);
      }
    }
    for (std::int64_t row = 0; row < n_rows; ++row) {
      const auto sum = Flushed(static_cast<Real>(sums[row]));
      if (!std::isfinite(sum)) tile.findings[c] = Finding::kRecompute;
      tile.output[(step + row) * tile.row_stride + c] = sum;
    }
    std::copy(inputs.begin() + n_rows, inputs.begin() + n_rows + n_carried, inputs.begin());
  }
  tile.input.AddOutputNoise(0, tile.end_step, n, 1, tile.output + c, tile.row_stride);
}

}  // namespace

template <typename Real>
void DirectSum(const Kernel& kernel, const Tile<Real>& tile) {
  std::vector<double> samples(static_cast<std::size_t>(kernel.window_length()));
  for (std::int64_t c = 0; c < tile.n_synapses; ++c) {
    for (std::int64_t k = 0; k < kernel.window_length(); ++k) {
      samples[static_cast<std::size_t>(k)] = kernel.Sample(tile.first_synapse + c, k);
    }
    tile.findings[c] = Finding::kFinite;
    SumSynapse(tile, c, samples);
  }
}

template void DirectSum<float>(const Kernel&, const Tile<float>&);
template void DirectSum<double>(const Kernel&, const Tile<double>&);

}  // namespace expsyn
