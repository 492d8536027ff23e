#ifndef EXPSYN_BINDING_EVENT_LISTS_H_
#define EXPSYN_BINDING_EVENT_LISTS_H_

#include <napi.h>

#include "arguments.h"
#include "event_clock.h"
#include "events.h"
#include "handles.h"

namespace expsyn::binding {

// A list with as many elements as there are events, or none.
Raster ListOf(const ArrayView& view);

// Whether the lists of events that are given have as many elements as there are times.
bool HaveLengthOf(const GivenEvents& events);

// An event that has no place, as lib/native/native.ts declares it.
napi_value ToObject(napi_env env, const EventFault& fault);

// countEvents(times, channels, values, batches, dt, isOutsideDropped, batchCount, columns, counts)
napi_value CountEvents(const Arguments& arguments);

// new TimeSurvey()
class TimeSurveyHandle final : public Handle {
 public:
  static constexpr const char* kName = "TimeSurvey";
  explicit TimeSurveyHandle(const Arguments&) {}

  TimeSurvey survey;
};

// survey.add(times), survey.largestSingle()
napi_value AddTimes(const Arguments& arguments);
napi_value LargestSingle(const Arguments& arguments);

// new EventClock(stepsPerUnit, unitsPerStep, wholeStart, restOfStart, isWhole, largestSingle)
class EventClockHandle final : public Handle {
 public:
  static constexpr const char* kName = "EventClock";
  explicit EventClockHandle(const Arguments& arguments);

  const EventClock& clock() const { return clock_; }

 private:
  EventClock clock_;
};

// clock.stepsOf(times, steps), clock.isEarly(times), clock.tolerance()
napi_value StepsOfEvents(const Arguments& arguments);
napi_value IsEventEarly(const Arguments& arguments);
napi_value ToleranceOfClock(const Arguments& arguments);

}  // namespace expsyn::binding

#endif  // EXPSYN_BINDING_EVENT_LISTS_H_
