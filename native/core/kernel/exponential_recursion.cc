#include "kernel/exponential_recursion.h"

#include <algorithm>
#include <array>

#include "double_double.h"
#include "floating_point_mode.h"
#include "input_rows.h"
#include "simd/ops.h"

namespace expsyn {

namespace {

// Noise is added to this many elements at a time, which stay in the first-level cache.
constexpr std::int64_t kNoisyElements = 2048;

// Drive with noise is kept until it leaves the window if it takes at most this many bytes, and is
// computed again otherwise.
constexpr std::int64_t kMaxKeptBytes = 4 << 20;

// Chunks of simd::kCarryInterval steps that run side by side for few synapses.
constexpr std::int64_t kMaxChunks = 16;
constexpr std::int64_t kMinChunks = 4;

template <typename Real>
class VectorRecursion {
 public:
  VectorRecursion(const ExponentialKernel& kernel, const Tile<Real>& tile)
      : tile_(tile),
        kernel_(kernel),
        reader_(tile.input),
        raster_(tile.input.raster()),
        tail_weight_(Factors().tail_weight.data() + tile.first_synapse),
        gain_(kernel.HasGain() ? Factors().gain.data() + tile.first_synapse : nullptr),
        rows_(raster_, kernel.n_synapses(), tile.first_synapse, tile.n_synapses,
              {gain_, tail_weight_}),
        ops_(simd::OpsOf<Real>()),
        width_(tile.n_synapses),
        origin_(tile.first_step == 0 ? 0 : tile.first_step - kernel.window_length()),
        n_steps_(tile.end_step - origin_),
        decay_(Factors().decay.data() + tile.first_synapse),
        carry_decay_(Factors().carry_decay.data() + tile.first_synapse),
        carry_decay_low_(sizeof(Real) == sizeof(double)
                             ? Factors().carry_decay_low.data() + tile.first_synapse
                             : nullptr) {
    for (std::int64_t c = 0; c < width_; ++c) {
      SetCarried(c, origin_ == 0 ? tile.state.Number(0, c) : DoubleDouble{});
      fault_[c] = 0;
    }
    if (IsAcrossTime()) {
      noisy_rows_ = kMaxChunks * kInterval;
      const std::int64_t n_rows = std::min(noisy_rows_, n_steps_);
      if (n_rows >= kMinChunks * kInterval) net_input_ = AlignedBuffer<Real>(Size(n_rows * width_));
    } else {
      noisy_rows_ = std::max<std::int64_t>(1, kNoisyElements / width_);
    }
    if (reader_.is_drive_noisy()) PrepareNoisyDrive();
    if (IsStaged()) staged_ = AlignedBuffer<Real>(Size(noisy_rows_ * width_));
  }

  void Run() {
    const std::int64_t length = kernel_.window_length();
    const std::int64_t end = tile_.end_step;
    std::int64_t refreshed = origin_;
    std::int64_t step = origin_;
    while (step < end) {
      if (tile_.cancelled.load(std::memory_order_relaxed)) return;
      const bool has_tail = step - origin_ >= length;
      const std::int64_t n_left =
          has_tail ? end - step : std::min(end - step, length - (step - origin_));
      if (step == length && origin_ == 0) CancelStart();
      if (has_tail && step - refreshed >= kernel_.template refresh_interval<Real>()) {
        Refresh(step);
        refreshed = step;
      }
      std::int64_t n_rows = std::min(kInterval, n_left);
      // No chunk goes past a refresh, so that it comes at the same step as for many synapses.
      const std::int64_t n_together =
          has_tail ? std::min(n_left, RowsToRefresh(step - refreshed)) : n_left;
      if (IsAcrossTime() && n_together >= kMinChunks * kInterval) {
        const bool is_long = n_together >= kMaxChunks * kInterval;
        const std::int64_t n_chunks = is_long ? kMaxChunks : kMinChunks;
        n_rows = n_chunks * kInterval;
        AdvanceAcrossTime(step, n_chunks, has_tail);
      } else {
        AdvanceAcrossSynapses(step, n_rows, has_tail);
        if (step + n_rows < end) {
          CarryOver(n_rows);
        } else {
          n_uncarried_ = n_rows;
        }
      }
      step += n_rows;
    }
    CheckSums();
    if (tile_.is_streamed) simd::ActiveOps().finish_streams();
    ops_.finish_rows(End(n_uncarried_, tile_.next_state.Plane(0), tile_.next_state.Plane(1)));
    for (std::int64_t c = 0; c < width_; ++c) {
      const bool is_recomputed =
          fault_[c] != 0 || kernel_.template IsDecayTiny<Real>(tile_.first_synapse + c);
      tile_.findings[c] = is_recomputed ? Finding::kRecompute : Finding::kFinite;
    }
  }

 private:
  static constexpr std::int64_t kInterval = simd::kCarryInterval<Real>;

  static std::size_t Size(std::int64_t size) { return static_cast<std::size_t>(size); }
  const ExponentialKernel::Factors<Real>& Factors() const {
    return kernel_.template factors<Real>();
  }
  Real* RowsOf(std::int64_t step) const { return tile_.output + step * tile_.row_stride; }
  // Whether a step comes before the tile's first one, to fill the window.
  bool IsWarmUp(std::int64_t step) const { return step < tile_.first_step; }
  // Whether rows are computed in staged_ until their noise is added: an output that is too large
  // for the caches is written once and not read again. So are rows that may not be kept.
  bool IsStaged() const {
    return tile_.reduced != nullptr || (tile_.is_streamed && reader_.is_output_noisy());
  }
  bool IsAcrossTime() const {
    return width_ < kFewSynapses && width_ == kernel_.n_synapses() && tile_.row_stride == width_;
  }

  // Restarts the recursion of a synapse from `sum`, which is carried in twice the precision of
  // Real.
  void SetCarried(std::int64_t c, DoubleDouble sum) {
    constexpr bool kIsSingle = sizeof(Real) == sizeof(float);
    carried_[c] = kIsSingle ? sum.high + sum.low : sum.high;
    carried_low_[c] = kIsSingle ? 0 : sum.low;
    isyn_[c] = Flushed(static_cast<Real>(sum.high));
    local_[c] = 0;
  }

  // Cancels the tail of the state before the call: it leaves the window like an input of step 0.
  void CancelStart() {
    for (std::int64_t c = 0; c < width_; ++c) {
      const std::int64_t n = tile_.first_synapse + c;
      const DoubleDouble tail_weight{kernel_.tail_weight()[n], kernel_.tail_weight_low()[n]};
      SetCarried(c, DoubleDouble{carried_[c], carried_low_[c]} +
                        -(tile_.state.Number(0, c) * tail_weight));
    }
  }

  // The number of rows, in whole intervals, until the next refresh; the last one was n_rows ago.
  std::int64_t RowsToRefresh(std::int64_t n_rows) const {
    const std::int64_t interval = kernel_.template refresh_interval<Real>();
    if (interval == Kernel::kUnlimited) return Kernel::kUnlimited;
    return (interval - n_rows + kInterval - 1) / kInterval * kInterval;
  }

  // Computes the sums of the synapses that need it again from the inputs in the window before
  // `step`. All sums have just been carried to that step.
  void Refresh(std::int64_t step) {
    const std::array<double, simd::kMaxColumns> high = carried_;
    const std::array<double, simd::kMaxColumns> low = carried_low_;
    for (std::int64_t c = 0; c < width_; ++c) SetCarried(c, {});
    AlignedBuffer<Real> drive;
    if (reader_.is_drive_noisy()) drive = AlignedBuffer<Real>(Size(kInterval * width_));
    std::int64_t n_rows = (kernel_.window_length() - 1) % kInterval + 1;
    for (std::int64_t s = step - kernel_.window_length(); s < step; s += n_rows) {
      if (s > step - kernel_.window_length()) n_rows = kInterval;
      Source<Real> source = rows_.At(s, n_rows);
      if (reader_.is_drive_noisy()) {
        reader_.Read(s, n_rows, tile_.first_synapse, width_, drive.data(), width_);
        source = {kElementTypeOf<Real>, drive.data(), nullptr, width_, false, gain_};
      }
      ops_.advance_rows(RowsFrom(source, n_rows, ignored_.data(), 0));
      CarryOver(n_rows);
    }
    for (std::int64_t c = 0; c < width_; ++c) {
      if (!kernel_.NeedsRefresh(tile_.first_synapse + c)) SetCarried(c, {high[c], low[c]});
    }
  }

  // Carries the sums over n_rows rows, at most kInterval, and restarts the recursion there.
  void CarryOver(std::int64_t n_rows) {
    if (n_rows == kInterval) {
      ops_.carry_over(Carry());
      return;
    }
    CheckSums();
    std::array<double, simd::kMaxColumns> isyn, correction;
    ops_.finish_rows(End(n_rows, isyn.data(), correction.data()));
    for (std::int64_t c = 0; c < width_; ++c) SetCarried(c, TwoSum(isyn[c], correction[c]));
  }

  // The end of n_rows rows since the sums were carried.
  simd::RecursionEnd<Real> End(std::int64_t n_rows, double* next_isyn,
                               double* next_correction) const {
    return {width_,
            n_rows,
            kernel_.decay_offset() + tile_.first_synapse,
            carried_.data(),
            carried_low_.data(),
            isyn_.data(),
            local_.data(),
            next_isyn,
            next_correction};
  }

  simd::RecursionCarry<Real> Carry() {
    return {width_,       carry_decay_,  carry_decay_low_, carried_.data(), carried_low_.data(),
            isyn_.data(), local_.data(), fault_.data()};
  }

  // Notes the synapses whose sums are not finite.
  void CheckSums() {
    for (std::int64_t c = 0; c < width_; ++c) {
      fault_[c] += isyn_[c] * Real{0} + local_[c] * Real{0};
    }
  }

  simd::RecursionRows<Real> RowsFrom(const Source<Real>& source, std::int64_t n_rows, Real* output,
                                     std::int64_t output_stride) {
    return {n_rows,         width_,
            source.type,    source.input,
            source.delayed, source.is_repeated,
            source.stride,  output,
            output_stride,  tile_.is_streamed && output_stride == tile_.row_stride && !IsStaged(),
            decay_,         tail_weight_,
            source.gain,    isyn_.data(),
            local_.data()};
  }

  void AdvanceAcrossSynapses(std::int64_t step, std::int64_t n_rows, bool has_tail) {
    std::int64_t n_here = n_rows;
    for (std::int64_t s = step; s < step + n_rows; s += n_here) {
      if (reader_.is_drive_noisy() || reader_.is_output_noisy() || IsStaged() ||
          raster_.events != nullptr) {
        n_here = std::min(noisy_rows_, step + n_rows - s);
      }
      if (IsWarmUp(s)) {
        ops_.advance_rows(RowsFrom(SourceOf(s, n_here, has_tail), n_here, ignored_.data(), 0));
        continue;
      }
      Real* rows = IsStaged() ? staged_.data() : RowsOf(s);
      const std::int64_t stride = IsStaged() ? width_ : tile_.row_stride;
      ops_.advance_rows(RowsFrom(SourceOf(s, n_here, has_tail), n_here, rows, stride));
      if (tile_.reduced != nullptr) {
        PutReduced(rows, stride, s, n_here);
      } else if (reader_.is_output_noisy()) {
        PutNoisy(rows, stride, s, n_here);
      }
    }
  }

  // Runs the recursion of some chunks side by side, each from 0; carries the sums from chunk to
  // chunk; then runs the chunks again, each from the sum before it.
  void AdvanceAcrossTime(std::int64_t step, std::int64_t n_chunks, bool has_tail) {
    const std::int64_t n_rows = n_chunks * kInterval;
    const Source<Real> source = SourceOf(step, n_rows, has_tail);
    const simd::RecursionChunks<Real> chunks{n_chunks, kInterval, width_, decay_,
                                             rows_.AddressOf(step + n_rows)};
    ops_.cancel_tails(RowsFrom(source, n_rows, nullptr, 0), net_input_.data());
    std::array<Real, kMaxChunks * kFewSynapses> states{};
    ops_.sum_chunks(chunks, net_input_.data(), states.data());
    const bool is_end = step + n_rows == tile_.end_step;
    // The last chunk of the run is not carried over, as across synapses.
    ops_.carry_over_chunks(Carry(), is_end ? n_chunks - 1 : n_chunks, states.data());
    Real* last = states.data() + (n_chunks - 1) * width_;
    if (is_end) {
      n_uncarried_ = kInterval;
      std::copy_n(last, width_, local_.data());
      std::copy_n(isyn_.data(), width_, last);
    }
    ops_.run_chunks(chunks, net_input_.data(), states.data());
    for (std::int64_t chunk = 0; chunk < n_chunks; ++chunk) {
      for (std::int64_t c = 0; c < width_; ++c) {
        fault_[c] += states[Size(chunk * width_ + c)] * Real{0};
      }
    }
    if (IsWarmUp(step)) return;
    if (is_end) std::copy_n(last, width_, isyn_.data());
    if (tile_.reduced != nullptr) {
      PutReduced(net_input_.data(), width_, step, n_rows);
    } else if (reader_.is_output_noisy()) {
      PutNoisy(net_input_.data(), width_, step, n_rows);
    } else if (tile_.is_streamed) {
      ops_.copy_past_caches(net_input_.data(), n_rows * width_, RowsOf(step));
    } else {
      std::copy_n(net_input_.data(), n_rows * width_, RowsOf(step));
    }
  }

  Source<Real> SourceOf(std::int64_t step, std::int64_t n_rows, bool has_tail) {
    return reader_.is_drive_noisy()
               ? MakeNoisyDrive(step, n_rows, has_tail)
               : rows_.At(step, n_rows, has_tail ? kernel_.window_length() : 0);
  }

  // Drive with noise is computed row after row in kept_ and stays there until it has left the
  // window. If the window is too long for that, it is computed again.
  void PrepareNoisyDrive() {
    const std::int64_t row_bytes = width_ * static_cast<std::int64_t>(sizeof(Real));
    const bool is_cut = kernel_.window_length() < n_steps_;
    if (is_cut && kernel_.window_length() <= kMaxKeptBytes / 2 / row_bytes) {
      n_kept_ = kernel_.window_length();
    }
    // Twice as many rows as are kept, so that moving these to the front costs little.
    capacity_ = 2 * n_kept_ + noisy_rows_;
    kept_ = AlignedBuffer<Real>(Size(capacity_ * width_));
    if (is_cut && n_kept_ == 0) delayed_ = AlignedBuffer<Real>(Size(noisy_rows_ * width_));
    noise_ = AlignedBuffer<Real>(Size((noisy_rows_ + 1) * width_));
    if (origin_ > 0 && reader_.noise().placement == NoisePlacement::kState) {
      reader_.AddNoise(origin_ - 1, 1, tile_.first_synapse, width_, noise_.data(), width_);
    }
  }

  Source<Real> MakeNoisyDrive(std::int64_t step, std::int64_t n_rows, bool has_tail) {
    if (n_used_ + n_rows > capacity_) {
      const std::int64_t n_moved = std::min(n_kept_, n_used_);
      std::copy_n(kept_.data() + (n_used_ - n_moved) * width_, n_moved * width_, kept_.data());
      n_used_ = n_moved;
    }
    Real* drive = kept_.data() + n_used_ * width_;
    n_used_ += n_rows;
    reader_.ReadRaster(step, n_rows, tile_.first_synapse, width_, drive, width_);
    if (reader_.noise().placement == NoisePlacement::kInput) {
      ops_.add_normals(NoiseOf(step, n_rows, width_), drive, drive);
    } else {
      // What is added to isyn after a step acts like input of the next one. The noise of the step
      // before the call is part of the state that the call starts from.
      std::copy_n(noise_.data() + n_noise_rows_ * width_, width_, noise_.data());
      std::fill_n(noise_.data() + width_, n_rows * width_, Real{0});
      n_noise_rows_ = n_rows;
      Real* noise = noise_.data() + width_;
      ops_.add_normals(NoiseOf(step, n_rows, width_), noise, noise);
      ops_.add(drive, noise_.data(), n_rows * width_, drive, false);
    }
    const void* delayed = nullptr;
    if (has_tail && n_kept_ > 0) {
      delayed = drive - n_kept_ * width_;
    } else if (has_tail) {
      reader_.Read(step - kernel_.window_length(), n_rows, tile_.first_synapse, width_,
                   delayed_.data(), width_);
      delayed = delayed_.data();
    }
    return {kElementTypeOf<Real>, drive, delayed, width_, false, gain_};
  }

  // The noise of n_rows rows. While it is computed, the next rows of the raster come to the cache.
  simd::NormalPlaces NoiseOf(std::int64_t step, std::int64_t n_rows, std::int64_t stride) const {
    simd::NormalPlaces places = reader_.PlacesOf(step, n_rows, tile_.first_synapse, width_, stride);
    if (raster_.n_columns == width_ && raster_.events == nullptr) {
      places.ahead = rows_.AddressOf(step + n_rows);
      places.ahead_bytes = n_rows * width_ * static_cast<std::int64_t>(ElementSize(raster_.type));
    }
    return places;
  }

  // Adds the noise to rows that were just computed, and passes them on.
  void PutReduced(Real* rows, std::int64_t stride, std::int64_t step, std::int64_t n_rows) {
    if (reader_.noise().placement == NoisePlacement::kOutput) {
      ops_.add_normals(NoiseOf(step, n_rows, stride), rows, rows);
    } else if (reader_.is_output_noisy()) {
      ops_.add(rows, noise_.data() + width_, n_rows * width_, rows, false);
    }
    tile_.reduced->Put(step, n_rows, 0, width_, rows, stride);
  }

  // Adds the noise to rows that were just computed, and writes them to the output.
  void PutNoisy(const Real* rows, std::int64_t stride, std::int64_t step, std::int64_t n_rows) {
    if (reader_.noise().placement == NoisePlacement::kOutput) {
      simd::NormalPlaces places = NoiseOf(step, n_rows, stride);
      places.is_streamed = tile_.is_streamed;
      ops_.add_normals(places, rows, RowsOf(step));
      return;
    }
    const Real* noise = noise_.data() + width_;
    if (stride == width_) {
      ops_.add(rows, noise, n_rows * width_, RowsOf(step), tile_.is_streamed);
      return;
    }
    for (std::int64_t row = 0; row < n_rows; ++row) {
      ops_.add(rows + row * stride, noise + row * width_, width_, RowsOf(step + row), false);
    }
  }

  const Tile<Real>& tile_;
  const ExponentialKernel& kernel_;
  const InputReader& reader_;
  const Raster& raster_;
  const Real* tail_weight_;
  const Real* gain_;  // null if every gain is 1
  InputRows<Real> rows_;
  const typename simd::Ops::Of<Real>& ops_;
  const std::int64_t width_;
  const std::int64_t origin_;  // the first step that is read
  const std::int64_t n_steps_;
  const Real* decay_;
  const double* carry_decay_;
  const double* carry_decay_low_;
  // One element a synapse. Not initialised beyond width_, which is small in most calls.
  alignas(64) std::array<Real, simd::kMaxColumns> isyn_;
  alignas(64) std::array<Real, simd::kMaxColumns> local_;
  std::array<Real, simd::kMaxColumns> ignored_;  // output of the warm-up
  std::array<double, simd::kMaxColumns> carried_, carried_low_;
  std::array<Real, simd::kMaxColumns> fault_;  // NaN as soon as isyn has not been finite
  std::int64_t n_uncarried_ = 0;  // rows at the end of the tile since the sums were carried
  AlignedBuffer<Real> net_input_;
  AlignedBuffer<Real> staged_;
  // The drive with noise: n_kept_ rows are kept, n_used_ rows are filled.
  AlignedBuffer<Real> kept_, delayed_;
  std::int64_t noisy_rows_ = 0;  // rows at a time, where noise is added or they are made of events
  std::int64_t n_kept_ = 0;
  std::int64_t n_used_ = 0;
  std::int64_t capacity_ = 0;
  AlignedBuffer<Real> noise_;  // row 0 is that of the step before the latest rows
  std::int64_t n_noise_rows_ = 0;
};

}  // namespace

template <typename Real>
void RecurseVectors(const ExponentialKernel& kernel, const Tile<Real>& tile) {
  VectorRecursion<Real>(kernel, tile).Run();
}

template <typename Real>
bool RecurseFewVectors(const ExponentialKernel& kernel, const Tile<Real>& item) {
  const InputReader& reader = item.input;
  const Raster& input = reader.raster();
  const std::int64_t n_synapses = item.n_synapses;
  if (n_synapses > simd::kMaxColumns || input.n_timesteps >= simd::kCarryInterval<Real> ||
      input.n_timesteps > kernel.window_length() || reader.is_drive_noisy() ||
      kernel.HasTinyDecay<Real>()) {
    return false;
  }
  const auto& factors = kernel.factors<Real>();
  InputRows<Real> rows(input, n_synapses, 0, n_synapses,
                       {kernel.HasGain() ? factors.gain.data() : nullptr});
  const Source<Real> source = rows.At(0, input.n_timesteps);
  const bool is_done = simd::OpsOf<Real>().advance_short_call(
      {input.n_timesteps, n_synapses, source.type, source.input, source.is_repeated, source.stride,
       item.output, item.row_stride, factors.decay.data(), source.gain, kernel.decay_offset(),
       item.state.Plane(0), item.state.Plane(1), item.next_state.Plane(0),
       item.next_state.Plane(1)});
  if (is_done) {
    reader.AddOutputNoise(0, input.n_timesteps, 0, n_synapses, item.output, item.row_stride);
  }
  return is_done;
}

template void RecurseVectors<float>(const ExponentialKernel&, const Tile<float>&);
template void RecurseVectors<double>(const ExponentialKernel&, const Tile<double>&);
template bool RecurseFewVectors<float>(const ExponentialKernel&, const Tile<float>&);
template bool RecurseFewVectors<double>(const ExponentialKernel&, const Tile<double>&);

}  // namespace expsyn
