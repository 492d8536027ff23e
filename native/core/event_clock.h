#ifndef EXPSYN_CORE_EVENT_CLOCK_H_
#define EXPSYN_CORE_EVENT_CLOCK_H_

#include <array>
#include <cstdint>

namespace expsyn {

// Finds out whether the times of a list, in seconds, were rounded to single precision: whether
// every one is equal to its own rounding, and nothing shows that this is by chance. Whole numbers
// up to 2^24 show it, and so do at least 32 different times that are all multiples of twice the
// spacing of single precision at the largest time: of times that were rounded, half would be odd
// multiples.
class TimeSurvey {
 public:
  // Returns whether more times can change the answer.
  bool Add(double time);
  bool IsSingle() const;
  // The largest magnitude of a time.
  double largest() const { return largest_; }

 private:
  static constexpr int kEnoughTimes = 32;

  bool is_single_ = true;
  bool is_whole_ = true;
  double largest_ = 0;
  // The largest power of two of which every time is a multiple; 0 as long as all times are 0.
  double grid_ = 0;
  std::array<double, kEnoughTimes> different_{};
  int n_different_ = 0;
};

// Turns times into steps. An event belongs to step floor(time / dt), but one whose time is less
// than a tolerance below the beginning of a step belongs to that step. The tolerance is 1e-3 of a
// step: clocks that add dt up, and times that are taken relative to a trial or rounded to a decimal
// place, are a little early. It is larger where the times were rounded by more, but at most half a
// step: far from zero, and where they have been in single precision.
class EventClock {
 public:
  // dt in seconds.
  EventClock(double dt, const TimeSurvey& survey);

  // The step of an event, which may be negative; NaN or infinite for a time that is.
  double StepOf(double time) const {
    const double position = time * steps_per_second_;
    // Beyond, every position is a whole number.
    if (!(position < kWhole && position > -kWhole)) return position;
    double step = static_cast<double>(static_cast<std::int64_t>(position));
    if (step > position) step -= 1;
    // Most events are far from the end of their step.
    if (step + 1 - position > kMaxTolerance) return step;
    return step + 1 - position <= ToleranceAt(time, position) ? step + 1 : step;
  }
  // How far the time lies behind the beginning of a step, in steps; a little below 0 within the
  // tolerance.
  double FractionOf(double time, double step) const;

 private:
  static constexpr double kWhole = 0x1p+53;
  // Of a step; more, and events would move to the step after the next one.
  static constexpr double kMaxTolerance = 0.5;

  double ToleranceAt(double time, double position) const;

  double dt_;
  double steps_per_second_;
  double single_tolerance_;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_EVENT_CLOCK_H_
