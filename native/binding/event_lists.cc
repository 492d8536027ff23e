#include "event_lists.h"

#include <cstdint>

#include "values.h"

namespace expsyn::binding {

namespace {

// The word for a fault, as lib/native/native.ts declares them.
const char* NameOf(EventFaultKind kind) {
  switch (kind) {
    case EventFaultKind::kTime:
      return "time";
    case EventFaultKind::kBefore:
      return "before";
    case EventFaultKind::kAfter:
      return "after";
    case EventFaultKind::kChannel:
      return "channel";
    case EventFaultKind::kBatch:
      return "batch";
    case EventFaultKind::kValue:
      break;
  }
  return "value";
}

EventClock ClockOf(const Arguments& arguments) {
  enum : std::size_t { kStepsPerUnit, kUnitsPerStep, kWhole, kRest, kIsWhole, kLargestSingle };
  const TimeScale scale{arguments.Number(kStepsPerUnit), arguments.Number(kUnitsPerStep),
                        arguments.Number(kWhole), arguments.Number(kRest)};
  return {scale, TimePrecision{arguments.Boolean(kIsWhole), arguments.Number(kLargestSingle)}};
}

const EventClock& ReceivedClock(const Arguments& arguments) {
  return HandleOf<EventClockHandle>(arguments.env(), arguments.receiver()).clock();
}

TimeSurvey& ReceivedSurvey(const Arguments& arguments) {
  return HandleOf<TimeSurveyHandle>(arguments.env(), arguments.receiver()).survey;
}

}  // namespace

Raster ListOf(const ArrayView& view) {
  Raster list;
  list.data = view.data;
  list.type = view.type;
  list.n_batches = 1;
  list.n_timesteps = static_cast<std::int64_t>(view.length);
  list.n_columns = 1;
  return list;
}

napi_value ToObject(napi_env env, const EventFault& fault) {
  return ToObject(env, {{"item", ToNumber(env, static_cast<double>(fault.item))},
                        {"event", ToNumber(env, static_cast<double>(fault.index))},
                        {"fault", ToString(env, NameOf(fault.kind))}});
}

bool HaveLengthOf(const GivenEvents& events) {
  for (const Raster* list : {&events.channels, &events.values, &events.batches}) {
    if (list->data != nullptr && list->n_timesteps != events.times.n_timesteps) return false;
  }
  return true;
}

napi_value CountEvents(const Arguments& arguments) {
  enum : std::size_t {
    kTimes,
    kChannels,
    kValues,
    kBatches,
    kDt,
    kOutside,
    kItems,
    kColumns,
    kCounts
  };
  const auto list_at = [&](std::size_t position) {
    return arguments.IsUndefined(position) ? ListOf({}) : ListOf(arguments.Array(position));
  };
  GivenEvents events;
  events.times = list_at(kTimes);
  events.channels = list_at(kChannels);
  events.values = list_at(kValues);
  events.batches = list_at(kBatches);
  events.dt = arguments.Number(kDt);
  events.is_outside_dropped = arguments.Boolean(kOutside);
  if (!HaveLengthOf(events) || !(events.dt > 0)) {
    arguments.Refuse(kChannels, "lists of the same length");
  }
  const std::int64_t n_items = arguments.Size(kItems);
  const std::int64_t n_columns = arguments.Size(kColumns);
  const ArrayView counts = arguments.Array(kCounts, Access::kWrite);
  const auto length = static_cast<std::int64_t>(counts.length);
  const bool is_uint16 = counts.type == ElementType::kUint16;
  const bool is_empty = n_items == 0 || n_columns == 0;
  const std::int64_t n_timesteps = is_empty ? 0 : length / n_columns / n_items;
  if ((!is_uint16 && counts.type != ElementType::kFloat64) ||
      n_timesteps * n_columns * n_items != length) {
    arguments.Refuse(kCounts, "a Uint16Array or Float64Array of whole items");
  }
  const EventList list(events, n_items, n_timesteps, n_columns, true);
  const napi_env env = arguments.env();
  if (!list.faults().empty()) return ToObject(env, list.faults()[0]);
  constexpr double kMostCount = 65535;
  if (is_uint16 && !list.AreCountsUpTo(kMostCount)) return ToNumber(env, 0);
  const std::int64_t n_rows = n_items * n_timesteps;
  if (is_uint16) {
    list.Fill(0, n_rows, 0, n_columns, static_cast<std::uint16_t*>(counts.data), n_columns);
  } else {
    list.Fill(0, n_rows, 0, n_columns, static_cast<double*>(counts.data), n_columns);
  }
  arguments.WriteBack(kCounts, counts.data, 0, counts.size_in_bytes());
  return ToNumber(env, -1);
}

napi_value AddTimes(const Arguments& arguments) {
  TimeSurvey& survey = ReceivedSurvey(arguments);
  return ToBoolean(arguments.env(), survey.Add(ListOf(arguments.Array(0))));
}

napi_value LargestSingle(const Arguments& arguments) {
  return ToNumber(arguments.env(), ReceivedSurvey(arguments).precision().largest_single);
}

EventClockHandle::EventClockHandle(const Arguments& arguments) : clock_(ClockOf(arguments)) {}

napi_value StepsOfEvents(const Arguments& arguments) {
  const EventClock& clock = ReceivedClock(arguments);
  const ArrayView times = arguments.Array(0);
  const ArrayView steps = arguments.Array(1, ElementType::kFloat64, times.length, Access::kWrite);
  clock.StepsOf(ListOf(times), static_cast<double*>(steps.data));
  arguments.WriteBack(1, steps.data, 0, steps.size_in_bytes());
  return nullptr;
}

napi_value IsEventEarly(const Arguments& arguments) {
  const EventClock& clock = ReceivedClock(arguments);
  const ArrayView times = arguments.Array(0);
  if (times.length != 1) arguments.Refuse(0, "one time");
  return ToBoolean(arguments.env(), clock.IsEarly(ListOf(times)));
}

napi_value ToleranceOfClock(const Arguments& arguments) {
  return ToNumber(arguments.env(), ReceivedClock(arguments).tolerance());
}

}  // namespace expsyn::binding
