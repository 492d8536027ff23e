#include "kernel/biexponential_recursion.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "aligned_buffer.h"
#include "floating_point_mode.h"
#include "input_rows.h"
#include "simd/ops.h"

namespace expsyn {

namespace {

// Noise is added to this many elements at a time, which stay in the first-level cache.
constexpr std::int64_t kNoisyElements = 2048;

template <typename Real>
class VectorRecursion {
 public:
  VectorRecursion(const BiexponentialKernel& kernel, const Tile<Real>& tile)
      : kernel_(kernel),
        tile_(tile),
        reader_(tile.input),
        input_rows_(tile.input.raster(), kernel.n_synapses(), tile.first_synapse, tile.n_synapses,
                    {}),
        ops_(simd::OpsOf<Real>()) {
    for (std::int64_t c = 0; c < tile.n_synapses; ++c) {
      const DoubleDouble isyn = tile.state.Number(0, c);
      const DoubleDouble rising = tile.state.Number(1, c);
      carried_isyn_[c] = isyn.high;
      carried_isyn_low_[c] = isyn.low;
      carried_rising_[c] = rising.high;
      carried_rising_low_[c] = rising.low;
      isyn_[c] = Flushed(static_cast<Real>(isyn.high));
      rising_[c] = Flushed(static_cast<Real>(rising.high));
      local_[c] = rising_local_[c] = fault_[c] = 0;
      if constexpr (sizeof(Real) == sizeof(float)) {
        carried_isyn_[c] = isyn.high + isyn.low;
        carried_rising_[c] = rising.high + rising.low;
        carried_isyn_low_[c] = carried_rising_low_[c] = 0;
      }
    }
    if (reader_.is_drive_noisy() || reader_.is_output_noisy() || tile_.reduced != nullptr ||
        reader_.raster().events != nullptr) {
      noisy_rows_ = std::clamp<std::int64_t>(kNoisyElements / tile.n_synapses, 1, kInterval);
    }
    if (tile_.reduced != nullptr) {
      rows_ = AlignedBuffer<Real>(static_cast<std::size_t>(noisy_rows_ * tile.n_synapses));
    }
    if (reader_.is_drive_noisy()) {
      drive_ = AlignedBuffer<Real>(static_cast<std::size_t>(noisy_rows_ * tile.n_synapses));
    }
  }

  void Run() {
    std::int64_t n_rows = 0;
    for (std::int64_t step = 0; step < tile_.end_step; step += n_rows) {
      if (tile_.cancelled.load(std::memory_order_relaxed)) return;
      if (n_rows > 0) ops_.carry_second_order(Carry());
      n_rows = std::min(kInterval, tile_.end_step - step);
      for (std::int64_t row = 0; row < n_rows; row += noisy_rows_) {
        Advance(step + row, std::min(noisy_rows_, n_rows - row));
      }
    }
    if (tile_.is_streamed) simd::ActiveOps().finish_streams();
    ops_.finish_second_order(End(n_rows));
    for (std::int64_t c = 0; c < tile_.n_synapses; ++c) {
      fault_[c] += (isyn_[c] + local_[c]) * 0 + (rising_[c] + rising_local_[c]) * 0;
      const bool is_recomputed =
          fault_[c] != 0 || kernel_.template IsEntryTiny<Real>(tile_.first_synapse + c);
      tile_.findings[c] = is_recomputed ? Finding::kRecompute : Finding::kFinite;
    }
  }

 private:
  static constexpr std::int64_t kInterval = simd::kCarryInterval<Real>;
  using Sums = std::array<double, simd::kMaxColumns>;
  using Columns = std::array<Real, simd::kMaxColumns>;

  const BiexponentialKernel::Factors<Real>& Factors() const {
    return kernel_.template factors<Real>();
  }
  std::int64_t first() const { return tile_.first_synapse; }

  void Advance(std::int64_t step, std::int64_t n_rows) {
    Source<Real> source{kElementTypeOf<Real>, drive_.data(), nullptr,
                        tile_.n_synapses,     false,         nullptr};
    if (reader_.is_drive_noisy()) {
      reader_.Read(step, n_rows, first(), tile_.n_synapses, drive_.data(), tile_.n_synapses);
    } else {
      source = input_rows_.At(step, n_rows);
    }
    const bool is_reduced = tile_.reduced != nullptr;
    Real* const output = is_reduced ? rows_.data() : tile_.output + step * tile_.row_stride;
    const std::int64_t stride = is_reduced ? tile_.n_synapses : tile_.row_stride;
    // Output that noise is added to is read again.
    const bool is_streamed = tile_.is_streamed && !is_reduced && !reader_.is_output_noisy();
    simd::RecursionRows<Real> rows{n_rows,
                                   tile_.n_synapses,
                                   source.type,
                                   source.input,
                                   nullptr,
                                   source.is_repeated,
                                   source.stride,
                                   output,
                                   stride,
                                   is_streamed,
                                   Factors().decay.data() + first(),
                                   nullptr,
                                   nullptr,
                                   isyn_.data(),
                                   local_.data()};
    rows.rise_decay = Factors().rise_decay.data() + first();
    rows.entry = Factors().entry.data() + first();
    rows.rising = rising_.data();
    rows.rising_local = rising_local_.data();
    ops_.advance_rows(rows);
    reader_.AddOutputNoise(step, n_rows, first(), tile_.n_synapses, output, stride);
    if (is_reduced) tile_.reduced->Put(step, n_rows, 0, tile_.n_synapses, output, stride);
  }

  simd::SecondOrderSums Carried() {
    return {carried_isyn_.data(), carried_isyn_low_.data(), carried_rising_.data(),
            carried_rising_low_.data()};
  }

  simd::SecondOrderCarry<Real> Carry() {
    const auto& factors = Factors();
    return {
        tile_.n_synapses,
        {factors.carry_decay.high.data() + first(), factors.carry_decay.low.data() + first(),
         factors.carry_rise_decay.high.data() + first(),
         factors.carry_rise_decay.low.data() + first(),
         factors.carry_transfer.high.data() + first(), factors.carry_transfer.low.data() + first()},
        Carried(),
        isyn_.data(),
        rising_.data(),
        local_.data(),
        rising_local_.data(),
        fault_.data()};
  }

  simd::SecondOrderEnd<Real> End(std::int64_t n_rows) {
    return {tile_.n_synapses,
            n_rows,
            {kernel_.decay_offset() + first(), kernel_.rise_decay_offset() + first(),
             kernel_.entry() + first()},
            Carried(),
            isyn_.data(),
            rising_.data(),
            local_.data(),
            rising_local_.data(),
            {tile_.next_state.Plane(0), tile_.next_state.Plane(1), tile_.next_state.Plane(2),
             tile_.next_state.Plane(3)}};
  }

  const BiexponentialKernel& kernel_;
  const Tile<Real>& tile_;
  const InputReader& reader_;
  InputRows<Real> input_rows_;
  const typename simd::Ops::Of<Real>& ops_;
  // One element a synapse. Not initialised beyond the width of the tile.
  alignas(64) Columns isyn_;
  alignas(64) Columns rising_;
  Columns local_, rising_local_;
  Columns fault_;  // NaN as soon as a sum has not been finite
  Sums carried_isyn_, carried_isyn_low_, carried_rising_, carried_rising_low_;
  // Rows at a time, where noise is added or they are made of events.
  std::int64_t noisy_rows_ = kInterval;
  AlignedBuffer<Real> drive_;
  AlignedBuffer<Real> rows_;  // rows of which not all are kept
};

}  // namespace

template <typename Real>
void RecurseVectors(const BiexponentialKernel& kernel, const Tile<Real>& tile) {
  if (kernel.window_length() < tile.end_step || tile.first_step > 0) {
    kernel.Kernel::Recurse(tile);
  } else {
    VectorRecursion<Real>(kernel, tile).Run();
  }
}

template <typename Real>
bool RecurseFewVectors(const BiexponentialKernel& kernel, const Tile<Real>& item) {
  const InputReader& reader = item.input;
  const Raster& input = reader.raster();
  const std::int64_t n_synapses = item.n_synapses;
  if (n_synapses > simd::kMaxColumns || input.n_timesteps >= simd::kCarryInterval<Real> ||
      input.n_timesteps > kernel.window_length() || reader.is_drive_noisy() ||
      kernel.HasTinyEntry<Real>()) {
    return false;
  }
  const auto& factors = kernel.factors<Real>();
  InputRows<Real> rows(input, n_synapses, 0, n_synapses, {});
  const Source<Real> source = rows.At(0, input.n_timesteps);
  const bool is_done = simd::OpsOf<Real>().advance_second_order(
      {input.n_timesteps,
       n_synapses,
       source.type,
       source.input,
       source.is_repeated,
       source.stride,
       item.output,
       item.row_stride,
       factors.decay.data(),
       factors.rise_decay.data(),
       factors.entry.data(),
       {kernel.decay_offset(), kernel.rise_decay_offset(), kernel.entry()},
       {item.state.Plane(0), item.state.Plane(1), item.state.Plane(2), item.state.Plane(3)},
       {item.next_state.Plane(0), item.next_state.Plane(1), item.next_state.Plane(2),
        item.next_state.Plane(3)}});
  if (is_done) {
    reader.AddOutputNoise(0, input.n_timesteps, 0, n_synapses, item.output, item.row_stride);
  }
  return is_done;
}

template void RecurseVectors<float>(const BiexponentialKernel&, const Tile<float>&);
template void RecurseVectors<double>(const BiexponentialKernel&, const Tile<double>&);
template bool RecurseFewVectors<float>(const BiexponentialKernel&, const Tile<float>&);
template bool RecurseFewVectors<double>(const BiexponentialKernel&, const Tile<double>&);

}  // namespace expsyn
