#include "method/direct_sum.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <numeric>

#include "aligned_buffer.h"
#include "method/sample_table.h"
#include "simd/ops.h"

namespace expsyn {

namespace {

// Steps that are computed before the next ones are read. Whole rows of the raster are read and
// written, because that is several times faster than a cache line of each.
constexpr std::int64_t kBlock = 256;

// Synapses that are computed together: enough for long rows.
constexpr std::int64_t kColumns = 128;

template <typename Real>
class Summation {
  static constexpr std::int64_t kWidth = simd::kSumsPerGroup<Real>;

 public:
  Summation(const Kernel& kernel, const Tile<Real>& tile, const SampleTable<Real>& samples)
      : tile_(tile),
        samples_(samples),
        ops_(simd::OpsOf<Real>()),
        n_carried_(kernel.window_length() - 1),
        pitch_(PitchFor(std::min(kColumns, tile.n_synapses))),
        inputs_(CheckedProduct(CheckedSize(n_carried_ + std::min(kBlock, tile.end_step)), pitch_)),
        sums_(static_cast<std::size_t>(std::min(kBlock, tile.end_step) * pitch_)) {
    if (tile.n_synapses % kWidth != 0) {
      signals_ = AlignedBuffer<Real>(CheckedProduct(CheckedSize(n_carried_ + kBlock), kWidth));
    }
  }

  void Run() {
    for (std::int64_t first = 0; first < tile_.n_synapses; first += kColumns) {
      if (!SumColumns(first, std::min(kColumns, tile_.n_synapses - first))) return;
    }
  }

 private:
  // From a row to the next: an odd number of cache lines, so that a column is spread over all sets
  // of the caches. Few synapses are not read by columns, and lie as they do in the raster.
  static std::int64_t PitchFor(std::int64_t n_columns) {
    if (n_columns < kWidth) return n_columns;
    return ((n_columns + kWidth - 1) / kWidth | 1) * kWidth;
  }

  // Returns false if the call is cancelled.
  bool SumColumns(std::int64_t first, std::int64_t count) {
    const std::int64_t n = tile_.first_synapse + first;
    const std::int64_t n_across = count / kWidth * kWidth;
    const std::int64_t n_along = count - n_across;
    Real* const block = inputs_.data() + n_carried_ * pitch_;
    if (n_across > 0) {
      ReadCarriedInputs(tile_.state.From(first), n_carried_, n_across, inputs_.data(), pitch_);
    }
    for (std::int64_t i = 0; i < n_along; ++i) {
      ReadCarriedInputs(tile_.state.From(first + n_across + i), n_carried_, SignalOf(i));
    }
    Real faults[kColumns] = {};
    for (std::int64_t step = 0; step < tile_.end_step; step += kBlock) {
      if (tile_.cancelled.load(std::memory_order_relaxed)) return false;
      const std::int64_t n_rows = std::min(kBlock, tile_.end_step - step);
      tile_.input.Read(step, n_rows, n, count, block, pitch_);
      // Neighbouring synapses lie side by side in the vectors, as they do in the raster.
      for (std::int64_t c = 0; c < n_across; c += kWidth) {
        ops_.sum_directly(
            {block + c, pitch_, pitch_, samples_.Of(n + c), samples_.stride(), samples_.is_shared,
             n_carried_ + 1, sums_.data() + c, pitch_, faults + c},
            n_rows);
      }
      if (n_across > 0) {
        std::copy_n(inputs_.data() + n_rows * pitch_, n_carried_ * pitch_, inputs_.data());
      }
      if (n_along > 0) SumAlong(n + n_across, n_along, n_rows, block + n_across, n_across, faults);
      WriteRows(step, n_rows, first, count);
    }
    for (std::int64_t c = 0; c < count; ++c) {
      tile_.findings[first + c] = faults[c] == 0 ? Finding::kFinite : Finding::kRecompute;
    }
    return true;
  }

  // Computes a block of fewer than kWidth synapses, one after the other: neighbouring steps of one
  // of them lie side by side. `column` is that of synapse n.
  void SumAlong(std::int64_t n, std::int64_t count, std::int64_t n_rows, const Real* inputs,
                std::int64_t column, Real* faults) {
    const std::int64_t n_groups = (n_rows + kWidth - 1) / kWidth;
    Real sums[kWidth * kBlock];
    ops_.transpose(inputs, pitch_, n_rows, count, SignalOf(0) + n_carried_, SignalLength());
    for (std::int64_t i = 0; i < count; ++i) {
      Real* const signal = SignalOf(i);
      std::fill(signal + n_carried_ + n_rows, signal + n_carried_ + n_groups * kWidth, Real{0});
      Real faults_of_steps[kWidth] = {};
      ops_.sum_directly({signal + n_carried_, kWidth, 1, samples_.Of(n + i), samples_.stride(),
                         true, n_carried_ + 1, sums + i * kBlock, kWidth, faults_of_steps},
                        n_groups);
      faults[column + i] += std::accumulate(faults_of_steps, faults_of_steps + kWidth, Real{0});
      std::copy_n(signal + n_rows, n_carried_, signal);
    }
    ops_.transpose(sums, kBlock, count, n_rows, sums_.data() + column, pitch_);
  }

  std::int64_t SignalLength() const { return n_carried_ + kBlock; }
  Real* SignalOf(std::int64_t i) { return signals_.data() + i * SignalLength(); }

  void WriteRows(std::int64_t step, std::int64_t n_rows, std::int64_t first, std::int64_t count) {
    tile_.input.AddOutputNoise(step, n_rows, tile_.first_synapse + first, count, sums_.data(),
                               pitch_);
    if (tile_.reduced != nullptr) {
      tile_.reduced->Put(step, n_rows, first, count, sums_.data(), pitch_);
      return;
    }
    Real* const output = tile_.output + step * tile_.row_stride + first;
    if (pitch_ == tile_.row_stride) {
      std::copy_n(sums_.data(), n_rows * pitch_, output);
      return;
    }
    // Lines that are streamed in parts would be written to memory in parts.
    const bool is_streamed = tile_.is_streamed && tile_.row_stride % kWidth == 0;
    for (std::int64_t row = 0; row < n_rows; ++row) {
      const Real* const sums = sums_.data() + row * pitch_;
      if (is_streamed) {
        ops_.copy_past_caches(sums, count, output + row * tile_.row_stride);
      } else {
        std::copy_n(sums, count, output + row * tile_.row_stride);
      }
    }
  }

  const Tile<Real>& tile_;
  const SampleTable<Real>& samples_;
  const typename simd::Ops::Of<Real>& ops_;
  std::int64_t n_carried_;
  std::int64_t pitch_;
  AlignedBuffer<Real> inputs_;  // the last W - 1 rows before a block, then those of the block
  AlignedBuffer<Real> sums_;
  AlignedBuffer<Real> signals_;  // the same of the synapses that are computed one after the other
};

}  // namespace

template <typename Real>
void DirectSum(const Kernel& kernel, const Tile<Real>& tile) {
  const std::shared_ptr<const SampleTable<Real>> samples =
      kernel.samples<Real>().Get(tile.cancelled);
  if (samples == nullptr) return;
  Summation<Real>(kernel, tile, *samples).Run();
  if (tile.is_streamed) simd::ActiveOps().finish_streams();
}

template void DirectSum<float>(const Kernel&, const Tile<float>&);
template void DirectSum<double>(const Kernel&, const Tile<double>&);

}  // namespace expsyn
