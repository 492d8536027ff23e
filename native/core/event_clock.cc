#include "event_clock.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "double_double.h"
#include "simd/ops.h"

namespace expsyn {

namespace {

// Times that are read at once.
constexpr std::int64_t kChunk = 1024;
// Of a step.
constexpr double kTolerance = 1e-3;
// What a position loses by rounding, relative to its size, is less than half of this.
constexpr double kPositionError = 0x1p-50;
// What a time in double precision has lost by rounding, and a position by few steps of arithmetic.
constexpr double kStoredError = 0x1p-51;
// Of a step; more, and events would move to the step after the next one.
constexpr double kMaxTolerance = 0.5;
// From here on, every position is a whole number.
constexpr double kWhole = 0x1p+53;
// Single precision holds every whole number up to this one.
constexpr double kMaxExactWhole = 0x1p+24;

// How far the next number of single precision is from one of them that is not negative.
double SpacingAt(double value) {
  const auto single = static_cast<float>(value);
  const float next = std::nextafter(single, std::numeric_limits<float>::infinity());
  return static_cast<double>(next) - static_cast<double>(single);
}

// The largest power of two of which a finite number other than 0 is a multiple.
double LowestBitOf(double value) {
  int exponent = 0;
  const double significand = std::ldexp(std::frexp(std::abs(value), &exponent), 53);
  const auto bits = static_cast<std::uint64_t>(significand);
  return std::ldexp(static_cast<double>(bits & (~bits + 1)), exponent - 53);
}

}  // namespace

bool TimeSurvey::Add(double time) {
  is_single_ = is_single_ && static_cast<double>(static_cast<float>(time)) == time;
  if (!is_single_) return false;
  is_whole_ = is_whole_ && std::floor(time) == time;
  largest_ = std::max(largest_, std::abs(time));
  if (time != 0 && std::isfinite(time)) {
    // Only a bit below the grid makes it finer.
    if (grid_ == 0) {
      grid_ = LowestBitOf(time);
    } else if (std::fmod(time, grid_) != 0) {
      grid_ = std::min(grid_, LowestBitOf(time));
    }
  }
  if (n_different_ == kEnoughTimes) return true;
  const auto end = different_.begin() + n_different_;
  if (std::find(different_.begin(), end, time) == end) {
    different_[static_cast<std::size_t>(n_different_++)] = time;
  }
  return true;
}

bool TimeSurvey::Add(const Raster& times) {
  std::array<double, kChunk> numbers;
  for (std::int64_t first = 0; is_single_ && first < times.size(); first += kChunk) {
    const std::int64_t count = std::min(kChunk, times.size() - first);
    simd::OpsOf<double>().convert(times.type, times.data, first, count, numbers.data());
    for (std::int64_t i = 0; i < count && Add(numbers[static_cast<std::size_t>(i)]); ++i) {
    }
  }
  return is_single_;
}

bool TimeSurvey::IsSingle() const {
  if (!is_single_) return false;
  if (is_whole_ && largest_ <= kMaxExactWhole) return false;
  const bool is_on_grid = grid_ == 0 || grid_ >= 2 * SpacingAt(largest_);
  return n_different_ < kEnoughTimes || !is_on_grid;
}

EventClock::EventClock(const TimeScale& scale, const TimePrecision& precision)
    : steps_per_unit_(scale.steps_per_unit),
      units_per_step_(scale.units_per_step),
      whole_(scale.whole),
      rest_(scale.rest),
      stored_whole_(precision.is_whole ? 0 : std::abs(scale.whole)),
      single_tolerance_(0) {
  const double largest = precision.largest_single;
  if (largest == 0) return;
  // A clock in single precision multiplies by this in place of dt.
  const double rounded = static_cast<double>(static_cast<float>(units_per_step_));
  const double shortfall = std::max(0.0, 1 - rounded / units_per_step_);
  single_tolerance_ = (SpacingAt(largest) / 2 + largest * shortfall) / units_per_step_;
}

EventClock::EventClock(double dt, const TimeSurvey& survey)
    : EventClock(TimeScale{1 / dt, dt}, survey.precision()) {}

void EventClock::ReadOffsets(const Raster& times, std::int64_t first, std::int64_t count,
                             double* offsets) const {
  const bool has_64_bits = times.type == ElementType::kInt64 || times.type == ElementType::kUint64;
  if (has_64_bits && whole_ != 0) {
    // The upper half as a double is exact, and so is what is left of it near the start.
    constexpr double kUpper = 0x1p+32;
    for (std::int64_t i = 0; i < count; ++i) {
      const auto bits = LoadElement<std::uint64_t>(times.data, first + i);
      const double upper = times.type == ElementType::kInt64
                               ? static_cast<double>(static_cast<std::int64_t>(bits) >> 32)
                               : static_cast<double>(bits >> 32);
      offsets[i] = (upper * kUpper - whole_) + static_cast<double>(bits & 0xffff'ffff);
    }
    return;
  }
  simd::OpsOf<double>().convert(times.type, times.data, first, count, offsets);
  if (whole_ == 0) return;
  for (std::int64_t i = 0; i < count; ++i) offsets[i] -= whole_;
}

void EventClock::StepsOf(const Raster& times, double* steps) const {
  std::array<double, kChunk> offsets;
  for (std::int64_t first = 0; first < times.size(); first += kChunk) {
    const std::int64_t count = std::min(kChunk, times.size() - first);
    ReadOffsets(times, first, count, offsets.data());
    StepsOf(offsets.data(), count, steps + first);
  }
}

void EventClock::StepsOf(const double* offsets, std::int64_t count, double* steps) const {
  // No tolerance is larger than this at position 0, and none grows faster with the position. Few
  // events are so near to the end of their step that the tolerance has to be known.
  const double stored = (stored_whole_ + 1) * steps_per_unit_ * (2 * kStoredError);
  const double margin = std::max(kTolerance, single_tolerance_) + stored;
  simd::ActiveOps().find_steps({rest_, steps_per_unit_, margin, 2 * kPositionError}, offsets, count,
                               steps);
  for (std::int64_t i = 0; i < count; ++i) {
    if (std::isnan(steps[i])) steps[i] = StepOf(offsets[i]);
  }
}

bool EventClock::IsEarly(const Raster& times) const {
  double offset = 0;
  ReadOffsets(times, 0, 1, &offset);
  return std::floor(PositionOf(offset)) < StepOf(offset);
}

double EventClock::FractionOf(double time, double step) const {
  const DoubleDouble beginning = TwoProduct(step, units_per_step_);
  return ((time - beginning.high) - beginning.low) / units_per_step_;
}

double EventClock::StepOf(double offset) const {
  const double position = PositionOf(offset);
  if (!(std::abs(position) < kWhole)) return position;
  const double step = std::floor(position);
  return step + 1 - position <= ToleranceAt(offset, position) ? step + 1 : step;
}

double EventClock::ToleranceAt(double offset, double position) const {
  const double error = std::abs(position) * kPositionError;
  const double stored = (std::abs(offset) + stored_whole_) * steps_per_unit_ * kStoredError;
  // A time that is earlier by exactly 1e-3 of a step, however it is rounded, is outside: clocks in
  // microseconds have such times in steps of a millisecond.
  return std::min(std::max({kTolerance - error, stored, single_tolerance_ + error}), kMaxTolerance);
}

}  // namespace expsyn
