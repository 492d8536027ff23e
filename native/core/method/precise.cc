#include "method/precise.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <memory>
#include <vector>

#include "double_double.h"
#include "floating_point_mode.h"
#include "kernel/held_non_finite.h"
#include "method/direct_sum.h"

namespace expsyn {

namespace {

// Scaled by this, no sum of 2^100 finite inputs overflows, but the smallest numbers are lost.
constexpr double kScaledDown = 0x1p-100;

DoubleDouble Scaled(DoubleDouble sum, double factor) {
  return {sum.high * factor, sum.low * factor};
}

bool IsFinite(DoubleDouble sum) { return std::isfinite(sum.high) && std::isfinite(sum.low); }

// RecursePrecisely() with all sums scaled by `down`, a power of two. Returns whether none
// overflowed.
template <typename Real>
bool RecurseScaled(const Kernel& kernel, const Tile<Real>& tile, std::int64_t first_written,
                   double down) {
  constexpr std::int64_t kChunk = 256;
  const double up = 1 / down;
  const std::int64_t n = tile.first_synapse;
  const std::int64_t length = kernel.window_length();
  const std::int64_t origin = tile.first_step == 0 ? 0 : tile.first_step - length;
  const std::int64_t end = tile.end_step;
  const std::unique_ptr<Recursion> recursion = kernel.MakeRecursion(n);
  HeldNonFinite held(kernel);
  HeldNonFinite passed(kernel);
  bool is_finite = true;
  std::vector<DoubleDouble> numbers(static_cast<std::size_t>(kernel.n_numbers()));
  if (origin == 0) {
    if (tile.state.HasFiniteNumbers(kernel.n_numbers(), 0)) {
      for (std::int64_t i = 0; i < kernel.n_numbers(); ++i) {
        numbers[static_cast<std::size_t>(i)] = Scaled(tile.state.Number(i, 0), down);
      }
    } else {
      held.Take(tile.state.Plane(0)[0], 0);
      is_finite = false;
    }
  }
  recursion->Start(numbers.data());
  Real drive[kChunk];
  Real delayed[kChunk];
  for (std::int64_t step = origin; step < end; step += kChunk) {
    if (tile.cancelled.load(std::memory_order_relaxed)) return true;
    const std::int64_t n_rows = std::min(kChunk, end - step);
    tile.input.Read(step, n_rows, n, 1, drive, 1);
    // In the rows of this chunk before that one, the window is not full yet.
    const std::int64_t first_delayed =
        length == Kernel::kUnlimited ? n_rows
                                     : std::clamp<std::int64_t>(origin + length - step, 0, n_rows);
    if (first_delayed < n_rows) {
      tile.input.Read(step + first_delayed - length, n_rows - first_delayed, n, 1,
                      delayed + first_delayed, 1);
    }
    for (std::int64_t row = 0; row < n_rows; ++row) {
      const std::int64_t t = step + row;
      const auto input = static_cast<double>(drive[row]);
      is_finite = is_finite && std::isfinite(input);
      recursion->Enter(held.Take(input, t) * down);
      if (row >= first_delayed) {
        recursion->CancelTail(passed.Take(static_cast<double>(delayed[row]), t) * down);
        if (t == origin + length) recursion->CancelStart();
      }
      recursion->Advance();
      const auto value =
          Flushed(static_cast<Real>(held.Overlay(recursion->Number(0).high * up, t)));
      if (t >= first_written) tile.output[t * tile.row_stride] = value;
      if (t == end - 1) {
        for (std::int64_t i = 0; i < kernel.n_numbers(); ++i) {
          const DoubleDouble number = Scaled(recursion->Number(i), up);
          const double rounded = i == 0 ? static_cast<double>(value) : held.Overlay(number.high, t);
          tile.next_state.SetNumber(i, 0, rounded, number);
        }
      }
    }
    for (std::int64_t i = 0; i < kernel.n_numbers(); ++i) {
      if (!IsFinite(recursion->Number(i))) return false;
    }
  }
  tile.input.AddOutputNoise(first_written, end - first_written, n, 1,
                            tile.output + first_written * tile.row_stride, tile.row_stride);
  tile.findings[0] = is_finite ? Finding::kFinite : Finding::kNonFinite;
  return true;
}

// The inputs of a tile of one synapse, by step; those before the call, at negative steps, are the
// state.
template <typename Real>
class Inputs {
 public:
  Inputs(const Kernel& kernel, const Tile<Real>& tile)
      : n_carried_(kernel.state_size()),
        values_(static_cast<std::size_t>(n_carried_ + tile.end_step)) {
    ReadCarriedInputs(tile.state, n_carried_, values_.data());
    tile.input.Read(0, tile.end_step, tile.first_synapse, 1, values_.data() + n_carried_, 1);
  }

  double operator[](std::int64_t step) const {
    return static_cast<double>(values_[static_cast<std::size_t>(n_carried_ + step)]);
  }

 private:
  std::int64_t n_carried_;
  std::vector<Real> values_;
};

}  // namespace

template <typename Real>
void RecursePrecisely(const Kernel& kernel, const Tile<Real>& tile, std::int64_t first_written) {
  if (!RecurseScaled(kernel, tile, first_written, 1)) {
    RecurseScaled(kernel, tile, first_written, kScaledDown);
  }
}

template <typename Real>
void SumPrecisely(const Kernel& kernel, const Tile<Real>& tile) {
  const std::int64_t n = tile.first_synapse;
  const std::int64_t length = kernel.window_length();
  const Inputs<Real> inputs(kernel, tile);
  std::deque<std::int64_t> held;  // steps of the non-finite inputs in the window
  for (std::int64_t t = 1 - length; t < tile.end_step; ++t) {
    if (tile.cancelled.load(std::memory_order_relaxed)) return;
    if (!std::isfinite(inputs[t])) held.push_back(t);
    if (!held.empty() && held.front() <= t - length) held.pop_front();
    if (t < 0) continue;
    Real* output = tile.output + t * tile.row_stride;
    double sum = 0;
    if (!held.empty()) {
      for (auto step = held.rbegin(); step != held.rend() && !std::isnan(sum); ++step) {
        sum += kernel.Sample(n, t - *step) * inputs[*step];
      }
    } else if (!std::isfinite(*output)) {
      DoubleDouble exact;
      for (std::int64_t k = 0; k < length; ++k) {
        exact = exact + TwoProduct(kernel.Sample(n, k), inputs[t - k] * kScaledDown);
      }
      sum = exact.high / kScaledDown;
    } else {
      continue;
    }
    *output = static_cast<Real>(sum);
    tile.input.AddOutputNoise(t, 1, n, 1, output, tile.row_stride);
  }
}

template void RecursePrecisely<float>(const Kernel&, const Tile<float>&, std::int64_t);
template void RecursePrecisely<double>(const Kernel&, const Tile<double>&, std::int64_t);
template void SumPrecisely<float>(const Kernel&, const Tile<float>&);
template void SumPrecisely<double>(const Kernel&, const Tile<double>&);

}  // namespace expsyn
