#include "event_clock.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "double_double.h"

namespace expsyn {

namespace {

// Of a step.
constexpr double kTolerance = 1e-3;
// What a position loses by rounding, relative to its size, is less than half of this.
constexpr double kPositionError = 0x1p-50;
// What a time in double precision has lost by rounding, and a position by few steps of arithmetic.
constexpr double kStoredError = 0x1p-51;
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

bool TimeSurvey::IsSingle() const {
  if (!is_single_) return false;
  if (is_whole_ && largest_ <= kMaxExactWhole) return false;
  const bool is_on_grid = grid_ == 0 || grid_ >= 2 * SpacingAt(largest_);
  return n_different_ < kEnoughTimes || !is_on_grid;
}

EventClock::EventClock(double dt, const TimeSurvey& survey)
    : dt_(dt), steps_per_second_(1 / dt), single_tolerance_(0) {
  if (!survey.IsSingle()) return;
  // A clock in single precision multiplies by this in place of dt.
  const double rounded = static_cast<double>(static_cast<float>(dt));
  const double shortfall = std::max(0.0, 1 - rounded / dt);
  single_tolerance_ = (SpacingAt(survey.largest()) / 2 + survey.largest() * shortfall) / dt;
}

double EventClock::ToleranceAt(double time, double position) const {
  const double error = std::abs(position) * kPositionError;
  const double stored = std::abs(time) * steps_per_second_ * kStoredError;
  // A time that is earlier by exactly 1e-3 of a step, however it is rounded, is outside: clocks in
  // microseconds have such times in steps of a millisecond.
  return std::min(std::max({kTolerance - error, stored, single_tolerance_ + error}), kMaxTolerance);
}

double EventClock::FractionOf(double time, double step) const {
  const DoubleDouble beginning = TwoProduct(step, dt_);
  return ((time - beginning.high) - beginning.low) / dt_;
}

}  // namespace expsyn
