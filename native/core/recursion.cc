#include "recursion.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "double_double.h"
#include "lanes.h"

namespace expsyn {

namespace {

// One column of arrays for each synapse; the columns past the last synapse stay zero.
struct Columns {
  alignas(64) double decay[kStretchWidth] = {};
  alignas(64) double decay_low[kStretchWidth] = {};
  alignas(64) double restart_decay[kStretchWidth] = {};
  alignas(64) double restart_decay_low[kStretchWidth] = {};
  alignas(64) double far_end[kStretchWidth] = {};
  alignas(64) double high[kStretchWidth] = {};  // isyn before the tile, as high + low
  alignas(64) double low[kStretchWidth] = {};
  alignas(64) double local[kStretchWidth] = {};  // z after the tile
  alignas(64) double last[kStretchWidth] = {};   // isyn after the tile, as put out
  alignas(64) double fault[kStretchWidth] = {};  // NaN once isyn was not finite
};

// Advances 8 * kVectors synapses from `column` by n_rows <= kRestartInterval steps: local and last
// are set, high and low are not. `far` is the input one window earlier, where kHasFarEnd.
template <int kVectors, bool kHasFarEnd, typename In, typename Real>
inline void AdvanceStrip(Columns& columns, std::int64_t column, std::int64_t n_rows, const In* x,
                         const In* far, std::ptrdiff_t in_stride, Real* output,
                         std::ptrdiff_t out_stride) {
  Lanes decay[kVectors], decay_low[kVectors], far_end[kVectors], z[kVectors], d[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    const std::int64_t first = column + v * kLanes;
    LoadLanes(columns.decay + first, decay[v]);
    LoadLanes(columns.decay_low + first, decay_low[v]);
    LoadLanes(columns.far_end + first, far_end[v]);
    LoadLanes(columns.high + first, d[v]);
    z[v] = Lanes{};
  }
  Lanes isyn[kVectors] = {};
  for (std::int64_t row = 0; row < n_rows; ++row) {
    for (int v = 0; v < kVectors; ++v) {
      Lanes drive;
      LoadLanes(x + row * in_stride + v * kLanes, drive);
      if constexpr (kHasFarEnd) {
        Lanes leaving;
        LoadLanes(far + row * in_stride + v * kLanes, leaving);
        drive -= far_end[v] * leaving;
      }
      z[v] = (z[v] + drive) * decay[v];
      d[v] = d[v] * decay[v] + d[v] * decay_low[v];
      isyn[v] = z[v] + d[v];
      StoreLanes(isyn[v], output + row * out_stride + v * kLanes);
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    const std::int64_t first = column + v * kLanes;
    StoreLanes(z[v], columns.local + first);
    StoreLanes(isyn[v], columns.last + first);
  }
}

template <typename Real>
class Recursion {
 public:
  explicit Recursion(const Stretch<Real>& stretch)
      : stretch_(stretch), reader_(stretch.input), raster_(stretch.input.raster()) {
    const Window& window = stretch.window;
    for (std::int64_t c = 0; c < stretch.n_synapses; ++c) {
      const std::int64_t n = stretch.first_synapse + c;
      columns_.decay[c] = window.decay()[n];
      columns_.decay_low[c] = window.decay_low()[n];
      columns_.restart_decay[c] = window.restart_decay()[n];
      columns_.restart_decay_low[c] = window.restart_decay_low()[n];
      columns_.far_end[c] = window.far_end()[n];
      columns_.high[c] = stretch.state[c];
    }
    if (stretch.n_synapses < kFewSynapses) PrepareLanesOfTime();
  }

  void Run() {
    const std::int64_t length = stretch_.window.length();
    const std::int64_t n_timesteps = raster_.n_timesteps;
    std::int64_t renewed = 0;
    std::int64_t step = 0;
    while (step < n_timesteps) {
      if (stretch_.cancelled.load(std::memory_order_relaxed)) return;
      const bool has_far_end = step >= length;
      const std::int64_t end = has_far_end ? n_timesteps : std::min(n_timesteps, length);
      if (step == length) DropInitialState();
      if (has_far_end && step - renewed >= stretch_.window.renewal_interval()) {
        Renew(step);
        renewed = step;
      }
      if (n_lanes_ > 0 && end - step >= lane_steps_) {
        AdvanceAcrossTime(step, has_far_end);
        step += lane_steps_;
      } else {
        const std::int64_t n_rows = std::min<std::int64_t>(kRestartInterval, end - step);
        AdvanceAcrossSynapses(step, n_rows, has_far_end, RowsOf(step), stretch_.row_stride);
        FoldTile(n_rows);
        step += n_rows;
      }
    }
    for (std::int64_t c = 0; c < stretch_.n_synapses; ++c) {
      stretch_.last[c] = static_cast<Real>(columns_.last[c]);
      stretch_.is_sound[c] = columns_.fault[c] == 0;
    }
  }

 private:
  Real* RowsOf(std::int64_t step) const { return stretch_.output + step * stretch_.row_stride; }

  // The state before the call leaves the window, like an input of step 0.
  void DropInitialState() {
    for (std::int64_t c = 0; c < stretch_.n_synapses; ++c) {
      const DoubleDouble rest = DoubleDouble{columns_.high[c], columns_.low[c]} +
                                -TwoProduct(stretch_.state[c], columns_.far_end[c]);
      columns_.high[c] = rest.high;
      columns_.low[c] = rest.low;
    }
  }

  // Sums the state anew from the inputs that the window holds before `step`.
  void Renew(std::int64_t step) {
    alignas(64) Real ignored[kRestartInterval * kStretchWidth];
    std::fill_n(columns_.high, kStretchWidth, 0.0);
    std::fill_n(columns_.low, kStretchWidth, 0.0);
    std::int64_t n_rows = (stretch_.window.length() - 1) % kRestartInterval + 1;
    for (std::int64_t s = step - stretch_.window.length(); s < step; s += n_rows) {
      if (s > step - stretch_.window.length()) n_rows = kRestartInterval;
      AdvanceAcrossSynapses(s, n_rows, false, ignored, kStretchWidth);
      FoldTile(n_rows);
    }
  }

  // high + low <- the state after the tile.
  void FoldTile(std::int64_t n_rows) {
    for (std::int64_t c = 0; c < kStretchWidth; ++c) {
      const DoubleDouble state{columns_.high[c], columns_.low[c]};
      const DoubleDouble decay{columns_.restart_decay[c], columns_.restart_decay_low[c]};
      DoubleDouble next{columns_.last[c], 0};
      if (n_rows == kRestartInterval) next = state * decay + columns_.local[c];
      columns_.high[c] = next.high;
      columns_.low[c] = next.low;
      columns_.fault[c] += next.high * 0.0;
    }
  }

  void AdvanceAcrossSynapses(std::int64_t step, std::int64_t n_rows, bool has_far_end, Real* output,
                             std::ptrdiff_t out_stride) {
    if (reader_.is_plain() && raster_.type == ElementType::kFloat64) {
      AdvanceInPlace<double>(step, n_rows, has_far_end, output, out_stride);
    } else if (reader_.is_plain() && raster_.type == ElementType::kFloat32) {
      AdvanceInPlace<float>(step, n_rows, has_far_end, output, out_stride);
    } else if (reader_.is_plain() && raster_.type == ElementType::kUint8) {
      AdvanceInPlace<std::uint8_t>(step, n_rows, has_far_end, output, out_stride);
    } else {
      AdvanceStaged(0, step, n_rows, has_far_end, output, out_stride);
    }
  }

  // Full vectors straight from the raster, the rest through a staging area.
  template <typename In>
  void AdvanceInPlace(std::int64_t step, std::int64_t n_rows, bool has_far_end, Real* output,
                      std::ptrdiff_t out_stride) {
    const std::int64_t full = stretch_.n_synapses / kLanes * kLanes;
    if (full > 0) {
      const auto* x = static_cast<const In*>(raster_.data) +
                      raster_.IndexOf(stretch_.batch, step, stretch_.first_synapse);
      const In* far = has_far_end ? x - stretch_.window.length() * raster_.n_columns : nullptr;
      AdvanceStrips(0, full, n_rows, x, far, raster_.n_columns, output, out_stride);
    }
    if (full < stretch_.n_synapses) {
      AdvanceStaged(full, step, n_rows, has_far_end, output, out_stride);
    }
  }

  void AdvanceStaged(std::int64_t first, std::int64_t step, std::int64_t n_rows, bool has_far_end,
                     Real* output, std::ptrdiff_t out_stride) {
    const std::int64_t width = stretch_.n_synapses - first;
    const std::int64_t padded = (width + kLanes - 1) / kLanes * kLanes;
    Read(step, n_rows, first, width, staged_, padded);
    if (has_far_end) {
      Read(step - stretch_.window.length(), n_rows, first, width, staged_far_, padded);
    }
    const double* far = has_far_end ? staged_far_ : nullptr;
    if (width == padded) {
      AdvanceStrips(first, width, n_rows, staged_, far, padded, output + first, out_stride);
      return;
    }
    alignas(64) Real rows[kRestartInterval * kStretchWidth];
    AdvanceStrips(first, padded, n_rows, staged_, far, padded, rows, padded);
    for (std::int64_t row = 0; row < n_rows; ++row) {
      std::copy_n(rows + row * padded, width, output + row * out_stride + first);
    }
  }

  // Reads a part of the drive into a staging area whose padding is zero.
  void Read(std::int64_t step, std::int64_t n_rows, std::int64_t first, std::int64_t width,
            double* target, std::int64_t padded) const {
    for (std::int64_t row = 0; row < n_rows; ++row) {
      std::fill(target + row * padded + width, target + (row + 1) * padded, 0.0);
    }
    reader_.Read(stretch_.batch, step, n_rows, stretch_.first_synapse + first, width, target,
                 padded);
  }

  // Advances the columns first .. first + width - 1, width a multiple of kLanes; x, far and output
  // point at column `first` of x and far, and at the row's beginning of output's part.
  template <typename In>
  void AdvanceStrips(std::int64_t first, std::int64_t width, std::int64_t n_rows, const In* x,
                     const In* far, std::ptrdiff_t in_stride, Real* output,
                     std::ptrdiff_t out_stride) {
    std::int64_t c = 0;
    while (c < width) {
      const bool is_pair = width - c >= 2 * kLanes;
      const In* far_here = far == nullptr ? nullptr : far + c;
      if (far != nullptr) {
        if (is_pair) {
          AdvanceStrip<2, true>(columns_, first + c, n_rows, x + c, far_here, in_stride, output + c,
                                out_stride);
        } else {
          AdvanceStrip<1, true>(columns_, first + c, n_rows, x + c, far_here, in_stride, output + c,
                                out_stride);
        }
      } else {
        if (is_pair) {
          AdvanceStrip<2, false>(columns_, first + c, n_rows, x + c, far_here, in_stride,
                                 output + c, out_stride);
        } else {
          AdvanceStrip<1, false>(columns_, first + c, n_rows, x + c, far_here, in_stride,
                                 output + c, out_stride);
        }
      }
      c += is_pair ? 2 * kLanes : kLanes;
    }
  }

  // With few synapses, lane `s * n_synapses + c` runs synapse c over the s-th of n_stretches_
  // stretches of kRestartInterval steps: z of all of them first, then d from stretch to stretch.
  void PrepareLanesOfTime() {
    n_stretches_ = stretch_.n_synapses == 1 ? 2 * kLanes : kLanes;
    n_lanes_ = n_stretches_ * stretch_.n_synapses;
    lane_steps_ = n_stretches_ * kRestartInterval;
    for (std::int64_t lane = 0; lane < n_lanes_; ++lane) {
      const std::int64_t c = lane % stretch_.n_synapses;
      lane_decay_[lane] = columns_.decay[c];
      lane_decay_low_[lane] = columns_.decay_low[c];
      lane_far_end_[lane] = columns_.far_end[c];
    }
  }

  void AdvanceAcrossTime(std::int64_t step, bool has_far_end) {
    ReadStretches(step, staged_);
    if (has_far_end) {
      ReadStretches(step - stretch_.window.length(), staged_far_);
    }
    double local[kStretchWidth];
    for (std::int64_t first = 0; first < n_lanes_; first += kLanes) {
      Lanes decay, far_end;
      LoadLanes(lane_decay_ + first, decay);
      LoadLanes(lane_far_end_ + first, far_end);
      Lanes z{};
      for (std::int64_t row = 0; row < kRestartInterval; ++row) {
        double* place = staged_ + row * n_lanes_ + first;
        Lanes drive;
        LoadLanes(place, drive);
        if (has_far_end) {
          Lanes leaving;
          LoadLanes(staged_far_ + row * n_lanes_ + first, leaving);
          drive -= far_end * leaving;
        }
        z = (z + drive) * decay;
        StoreLanes(z, place);
      }
      StoreLanes(z, local + first);
    }

    double rest[kStretchWidth];
    for (std::int64_t lane = 0; lane < n_lanes_; ++lane) {
      const std::int64_t c = lane % stretch_.n_synapses;
      rest[lane] = columns_.high[c];
      const DoubleDouble state{columns_.high[c], columns_.low[c]};
      const DoubleDouble decay{columns_.restart_decay[c], columns_.restart_decay_low[c]};
      const DoubleDouble next = state * decay + local[lane];
      columns_.high[c] = next.high;
      columns_.low[c] = next.low;
      columns_.fault[c] += next.high * 0.0;
    }

    for (std::int64_t first = 0; first < n_lanes_; first += kLanes) {
      Lanes decay, decay_low, d;
      LoadLanes(lane_decay_ + first, decay);
      LoadLanes(lane_decay_low_ + first, decay_low);
      LoadLanes(rest + first, d);
      for (std::int64_t row = 0; row < kRestartInterval; ++row) {
        double* place = staged_ + row * n_lanes_ + first;
        Lanes z;
        LoadLanes(place, z);
        d = d * decay + d * decay_low;
        StoreLanes<double>(z + d, place);
      }
    }
    for (std::int64_t s = 0; s < n_stretches_; ++s) {
      for (std::int64_t row = 0; row < kRestartInterval; ++row) {
        const double* source = staged_ + row * n_lanes_ + s * stretch_.n_synapses;
        Real* target = RowsOf(step + s * kRestartInterval + row);
        for (std::int64_t c = 0; c < stretch_.n_synapses; ++c) {
          target[c] = static_cast<Real>(source[c]);
        }
      }
    }
    const double* last_row = staged_ + kRestartInterval * n_lanes_ - stretch_.n_synapses;
    std::copy_n(last_row, stretch_.n_synapses, columns_.last);
  }

  // target[row * n_lanes_ + lane] = the drive of each lane's stretch.
  void ReadStretches(std::int64_t step, double* target) const {
    const std::int64_t n_synapses = stretch_.n_synapses;
    alignas(64) double flat[kRestartInterval * kStretchWidth];
    reader_.Read(stretch_.batch, step, lane_steps_, stretch_.first_synapse, n_synapses, flat,
                 n_synapses);
    for (std::int64_t s = 0; s < n_stretches_; ++s) {
      for (std::int64_t row = 0; row < kRestartInterval; ++row) {
        const double* source = flat + (s * kRestartInterval + row) * n_synapses;
        std::copy_n(source, n_synapses, target + row * n_lanes_ + s * n_synapses);
      }
    }
  }

  const Stretch<Real>& stretch_;
  const InputReader& reader_;
  const Raster& raster_;
  Columns columns_;
  std::int64_t n_stretches_ = 0;
  std::int64_t n_lanes_ = 0;
  std::int64_t lane_steps_ = 0;
  alignas(64) double lane_decay_[kStretchWidth];
  alignas(64) double lane_decay_low_[kStretchWidth];
  alignas(64) double lane_far_end_[kStretchWidth];
  alignas(64) double staged_[kRestartInterval * kStretchWidth];
  alignas(64) double staged_far_[kRestartInterval * kStretchWidth];
};

// What the window holds of non-finite input: the step of the latest of each kind.
class HeldNonFinite {
 public:
  explicit HeldNonFinite(std::int64_t length) : length_(length) {}

  // Returns the finite part of an input of step `step`: the value itself, or 0.
  double Take(double value, std::int64_t step) {
    if (std::isfinite(value)) return value;
    if (std::isnan(value)) {
      nan_ = step;
    } else if (value > 0) {
      positive_ = step;
    } else {
      negative_ = step;
    }
    return 0;
  }

  // The sum over the window of step `step`, whose finite part is `isyn`.
  double Overlay(double isyn, std::int64_t step) const {
    const bool positive = IsHeld(positive_, step);
    const bool negative = IsHeld(negative_, step);
    if (IsHeld(nan_, step) || (positive && negative)) {
      return std::numeric_limits<double>::quiet_NaN();
    }
    if (positive) return std::numeric_limits<double>::infinity();
    if (negative) return -std::numeric_limits<double>::infinity();
    return isyn;
  }

 private:
  static constexpr std::int64_t kNever = -1;

  bool IsHeld(std::int64_t since, std::int64_t step) const {
    return since != kNever && step - since < length_;
  }

  std::int64_t length_;
  std::int64_t nan_ = kNever;
  std::int64_t positive_ = kNever;
  std::int64_t negative_ = kNever;
};

}  // namespace

template <typename Real>
void Recurse(const Stretch<Real>& stretch) {
  Recursion<Real>(stretch).Run();
}

template <typename Real>
void RecurseCarefully(const Stretch<Real>& stretch) {
  // Scaled down by an exact power of two, no sum of 2^100 finite inputs overflows.
  constexpr double kDown = 0x1p-100;
  constexpr double kUp = 0x1p+100;
  constexpr std::int64_t kChunk = 256;
  const Window& window = stretch.window;
  const std::int64_t n = stretch.first_synapse;
  const std::int64_t length = window.length();
  const std::int64_t n_timesteps = stretch.input.raster().n_timesteps;
  const DoubleDouble decay{window.decay()[n], window.decay_low()[n]};
  const DoubleDouble far_end{window.far_end()[n], window.far_end_low()[n]};

  HeldNonFinite held(length);
  HeldNonFinite forgotten(length);
  double drive[kChunk];
  double leaving[kChunk];
  DoubleDouble isyn{held.Take(stretch.state[0], 0) * kDown, 0};
  const double initial = isyn.high;
  for (std::int64_t step = 0; step < n_timesteps; step += kChunk) {
    if (stretch.cancelled.load(std::memory_order_relaxed)) return;
    const std::int64_t n_rows = std::min(kChunk, n_timesteps - step);
    stretch.input.Read(stretch.batch, step, n_rows, n, 1, drive, 1);
    // Rows of this chunk before the window's end have nothing that leaves.
    const std::int64_t first_leaving = std::clamp<std::int64_t>(length - step, 0, n_rows);
    if (first_leaving < n_rows) {
      stretch.input.Read(stretch.batch, step + first_leaving - length, n_rows - first_leaving, n, 1,
                         leaving + first_leaving, 1);
    }
    for (std::int64_t row = 0; row < n_rows; ++row) {
      const std::int64_t t = step + row;
      isyn = isyn + held.Take(drive[row], t) * kDown;
      if (row >= first_leaving) {
        const double gone = forgotten.Take(leaving[row], t) * kDown;
        isyn = isyn + -(far_end * gone);
        if (t == length) isyn = isyn + -(far_end * initial);
      }
      isyn = isyn * decay;
      const auto value = static_cast<Real>(held.Overlay(isyn.high * kUp, t));
      stretch.output[t * stretch.row_stride] = value;
      stretch.last[0] = value;
    }
  }
  stretch.is_sound[0] = true;
}

template void Recurse<float>(const Stretch<float>&);
template void Recurse<double>(const Stretch<double>&);
template void RecurseCarefully<float>(const Stretch<float>&);
template void RecurseCarefully<double>(const Stretch<double>&);

}  // namespace expsyn
