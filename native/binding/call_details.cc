#include "call_details.h"

#include <string>
#include <utility>
#include <vector>

#include "event_lists.h"
#include "properties.h"

namespace expsyn::binding {

namespace {

// The properties of the details at a position.
class Details : public Properties {
 public:
  Details(const Arguments& arguments, std::size_t position)
      : Properties(arguments.env(), arguments[position], "detail"), arguments_(arguments) {}

  bool Has(const char* name) const {
    napi_valuetype type = napi_undefined;
    Require(env(), napi_typeof(env(), Get(name), &type));
    return type != napi_undefined;
  }

  std::int64_t SizeOf(const char* name) const {
    std::int64_t size = 0;
    if (!ReadSize(NumberOf(name), &size)) Refuse("an integer from 0 to 2^53 - 1", name);
    return size;
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
    if (view.data != nullptr && view.type != ElementType::kFloat64) Refuse("a Float64Array", name);
    std::vector<std::int64_t> sizes(view.length);
    for (std::size_t i = 0; i < view.length; ++i) {
      const double number = static_cast<const double*>(view.data)[i];
      if (!ReadSize(number, &sizes[i]) || sizes[i] > most) Refuse("integers within the call", name);
    }
    return sizes;
  }

 private:
  const Arguments& arguments_;
};

ReductionKind KindOf(const Details& details) {
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

Segments SegmentsOf(const Details& details, std::int64_t n_items, std::int64_t n_timesteps) {
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
  const Details given(arguments, position);
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
  ArrayMemory::WriteBack(Details(arguments, position).Get("partial"), 0, partial.data,
                         partial.size_in_bytes());
}

}  // namespace expsyn::binding
