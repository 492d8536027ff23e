#include "call_details.h"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "values.h"

namespace expsyn::binding {

namespace {

// The largest integer of JavaScript's numbers.
constexpr double kMaxSafeInteger = 9007199254740991.0;

// The properties of an object.
class Properties {
 public:
  Properties(const Arguments& arguments, std::size_t position)
      : arguments_(arguments), position_(position) {}

  napi_value Get(const char* name) const {
    napi_value value = nullptr;
    Require(arguments_.env(),
            napi_get_named_property(arguments_.env(), arguments_[position_], name, &value));
    return value;
  }

  bool Has(const char* name) const {
    napi_valuetype type = napi_undefined;
    Require(arguments_.env(), napi_typeof(arguments_.env(), Get(name), &type));
    return type != napi_undefined;
  }

  double NumberOf(const char* name) const {
    double value = 0;
    if (napi_get_value_double(arguments_.env(), Get(name), &value) != napi_ok) {
      Refuse("a number", name);
    }
    return value;
  }

  std::int64_t SizeOf(const char* name) const {
    const double value = NumberOf(name);
    if (!(value >= 0 && value <= kMaxSafeInteger && std::floor(value) == value)) {
      Refuse("an integer from 0 to 2^53 - 1", name);
    }
    return static_cast<std::int64_t>(value);
  }

  bool FlagOf(const char* name) const {
    bool value = false;
    if (napi_get_value_bool(arguments_.env(), Get(name), &value) != napi_ok) {
      Refuse("a boolean", name);
    }
    return value;
  }

  // A typed array; an empty view if it is not given.
  ArrayView ArrayOf(const char* name, Access access = Access::kRead) const {
    ArrayView view{};
    if (Has(name) && !arguments_.ReadArray(Get(name), &view, access)) {
      Refuse("a typed array of numbers", name);
    }
    return view;
  }

  // A Float64Array of integers from 0 to `most`.
  std::vector<std::int64_t> SizesOf(const char* name, std::int64_t most) const {
    const ArrayView view = ArrayOf(name);
    std::vector<std::int64_t> sizes;
    if (view.data != nullptr && view.type != ElementType::kFloat64) Refuse("a Float64Array", name);
    sizes.reserve(view.length);
    for (std::size_t i = 0; i < view.length; ++i) {
      const double value = static_cast<const double*>(view.data)[i];
      if (!(value >= 0 && value <= static_cast<double>(most) && std::floor(value) == value)) {
        Refuse("integers within the call", name);
      }
      sizes.push_back(static_cast<std::int64_t>(value));
    }
    return sizes;
  }

  [[noreturn]] void Refuse(const std::string& expected, const char* name) const {
    throw ArgumentError(arguments_.env(),
                        "Expected " + expected + " for the native detail " + name + ".");
  }

 private:
  const Arguments& arguments_;
  std::size_t position_;
};

// A list with as many elements as there are events, or none.
Raster ListOf(const ArrayView& view) {
  Raster list;
  list.data = view.data;
  list.type = view.type;
  list.n_batches = 1;
  list.n_timesteps = static_cast<std::int64_t>(view.length);
  list.n_columns = 1;
  return list;
}

ReductionKind KindOf(const Properties& details) {
  switch (details.SizeOf("reduce")) {
    case 0:
      return ReductionKind::kLast;
    case 1:
      return ReductionKind::kMean;
    case 2:
      return ReductionKind::kPeak;
    default:
      details.Refuse("0, 1 or 2", "reduce");
  }
}

Segments SegmentsOf(const Properties& details, std::int64_t n_items, std::int64_t n_timesteps) {
  Segments segments;
  segments.lengths = details.SizesOf("lengths", n_timesteps);
  if (!segments.lengths.empty() && segments.lengths.size() != static_cast<std::size_t>(n_items)) {
    details.Refuse("a length of every item", "lengths");
  }
  const std::vector<std::int64_t> steps = details.SizesOf("resets", n_timesteps);
  const std::vector<std::int64_t> ends =
      details.SizesOf("resetEnds", static_cast<std::int64_t>(steps.size()));
  if (!ends.empty() && ends.size() != 1 && ends.size() != static_cast<std::size_t>(n_items)) {
    details.Refuse("one list of resets, or one an item", "resetEnds");
  }
  std::int64_t begin = 0;
  for (const std::int64_t end : ends) {
    if (end < begin) details.Refuse("ends that do not decrease", "resetEnds");
    segments.resets.emplace_back(steps.begin() + begin, steps.begin() + end);
    begin = end;
  }
  return segments;
}

}  // namespace

std::optional<CallDetails> ReadDetails(const Arguments& arguments, std::size_t position,
                                       std::int64_t n_items, std::int64_t n_synapses) {
  if (!arguments.Has(position) || arguments.IsUndefined(position)) return std::nullopt;
  const Properties given(arguments, position);
  CallDetails details;
  details.n_timesteps = given.SizeOf("timesteps");
  details.n_columns = given.SizeOf("columns");
  if (details.n_columns != n_synapses && details.n_columns != 1) {
    given.Refuse("one column, or one for each synapse,", "columns");
  }
  const std::int64_t every = given.SizeOf("every");
  details.reduction = {every == 0 ? Reduction::kNever : every, KindOf(given)};
  details.n_partial_steps = given.SizeOf("partialSteps");
  details.partial = given.ArrayOf("partial", Access::kWrite);
  const std::size_t n_values = details.reduction.HasMemory()
                                   ? CheckedProduct(CheckedSize(n_items), CheckedSize(n_synapses))
                                   : 0;
  if (details.partial.length != n_values ||
      (n_values > 0 && details.partial.type != ElementType::kFloat64)) {
    given.Refuse("a Float64Array with one value a synapse", "partial");
  }
  details.segments = SegmentsOf(given, n_items, details.n_timesteps);
  if (!given.Has("channels")) return details;
  GivenEvents& events = details.events.emplace();
  events.channels = ListOf(given.ArrayOf("channels"));
  events.values = ListOf(given.ArrayOf("values"));
  events.batches = ListOf(given.ArrayOf("batches"));
  events.dt = given.NumberOf("dt");
  if (!(events.dt > 0)) given.Refuse("a positive number", "dt");
  events.is_outside_dropped = given.FlagOf("isOutsideDropped");
  details.is_exact = given.FlagOf("isExact");
  return details;
}

void WriteBackPartial(const Arguments& arguments, std::size_t position, const ArrayView& partial) {
  if (!kArraysAreCopied || partial.length == 0) return;
  ArrayMemory::WriteBack(Properties(arguments, position).Get("partial"), 0, partial.data,
                         partial.size_in_bytes());
}

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
  if (!list.faults().empty()) {
    const EventFault& fault = list.faults()[0];
    return ToObject(env, {{"event", ToNumber(env, static_cast<double>(fault.index))},
                          {"fault", ToString(env, NameOf(fault.kind))}});
  }
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

}  // namespace expsyn::binding
