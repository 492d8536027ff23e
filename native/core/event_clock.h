#ifndef EXPSYN_CORE_EVENT_CLOCK_H_
#define EXPSYN_CORE_EVENT_CLOCK_H_

#include <array>
#include <cstdint>

#include "raster.h"

namespace expsyn {

// How exact times are.
struct TimePrecision {
  // Of a type that holds nothing but whole numbers.
  bool is_whole = false;
  // The largest magnitude of times that were rounded to single precision; 0 if they were not.
  double largest_single = 0;
};

// Finds out whether the times of a list were rounded to single precision: whether every one is
// equal to its own rounding, and nothing shows that this is by chance. Whole numbers up to 2^24
// show it, and so do at least 32 different times that are all multiples of twice the spacing of
// single precision at the largest time: of times that were rounded, half would be odd multiples.
// The order of the times makes no difference.
class TimeSurvey {
 public:
  // Returns whether more times can change the answer.
  bool Add(double time);
  // The same for all times of a list.
  bool Add(const Raster& times);
  TimePrecision precision() const { return {false, IsSingle() ? largest_ : 0}; }

 private:
  static constexpr int kEnoughTimes = 32;

  bool IsSingle() const;

  bool is_single_ = true;
  bool is_whole_ = true;
  // The largest magnitude of a time.
  double largest_ = 0;
  // The largest power of two of which every time is a multiple; 0 as long as all times are 0.
  double grid_ = 0;
  std::array<double, kEnoughTimes> different_{};
  int n_different_ = 0;
};

// What the times of a list are counted in, and from where.
struct TimeScale {
  double steps_per_unit;
  double units_per_step;
  // Where step 0 begins, in units: the nearest whole number, and the rest.
  double whole = 0;
  double rest = 0;
};

// Turns times into steps. With position = (time - start) / dt, an event belongs to step
// floor(position), but one whose position is less than a tolerance below a whole number belongs to
// the step that begins there. The tolerance is 1e-3 of a step: clocks that add dt up, and times
// that are taken relative to a trial or rounded to a decimal place, are a little early. It is
// larger, up to half a step, where the times were rounded by more:
//
// - In double precision far from zero: 2^-51 of the time, which rounding may have taken from it.
// - In single precision: half the spacing of single precision at the largest time, and what
// rounding
//   dt to single precision makes of that time.
class EventClock {
 public:
  EventClock(const TimeScale& scale, const TimePrecision& precision);
  // Of times in seconds.
  EventClock(double dt, const TimeSurvey& survey);

  // The steps of all times of a list: whole numbers that may be negative, NaN or infinite where the
  // time is, or too large. A step never decreases with the time.
  void StepsOf(const Raster& times, double* steps) const;
  // The same for times in double precision, by their offsets: the times themselves if the whole
  // part of the start is 0. The arrays must not overlap.
  void StepsOf(const double* offsets, std::int64_t count, double* steps) const;
  // Whether the first event of a list lies before its step, within the tolerance.
  bool IsEarly(const Raster& times) const;
  // How far an event lies behind the beginning of a step, in steps; a little below 0 within the
  // tolerance. For a start of 0.
  double FractionOf(double time, double step) const;
  // Of a step, at the start.
  double tolerance() const { return ToleranceAt(0, 0); }

 private:
  // offsets[i] = the time at index first + i, less the whole part of the start: nothing is lost
  // near the start, however large the times are.
  void ReadOffsets(const Raster& times, std::int64_t first, std::int64_t count,
                   double* offsets) const;
  double PositionOf(double offset) const { return (offset - rest_) * steps_per_unit_; }
  double StepOf(double offset) const;
  double ToleranceAt(double offset, double position) const;

  double steps_per_unit_;
  double units_per_step_;
  double whole_;
  double rest_;
  // What of the start counts for what rounding has taken from a time, in units.
  double stored_whole_;
  // In steps.
  double single_tolerance_;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_EVENT_CLOCK_H_
