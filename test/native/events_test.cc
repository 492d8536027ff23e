// Lists of events: which step a time belongs to, and the elements that the events add up to.
#include "events.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "event_clock.h"
#include "input_rows.h"

namespace expsyn::test {
namespace {

Raster ListOf(const std::vector<double>& numbers) {
  return {numbers.data(), ElementType::kFloat64, 1, static_cast<std::int64_t>(numbers.size()), 1};
}

EventClock ClockFor(double dt, const std::vector<double>& times) {
  TimeSurvey survey;
  for (const double time : times) survey.Add(time);
  return {dt, survey};
}

// The step of a time in seconds.
double StepOf(const EventClock& clock, double time) {
  double step = 0;
  clock.StepsOf(&time, 1, &step);
  return step;
}

TEST_CASE("a time belongs to the step that it lies in, or begins up to 1e-3 of a step later") {
  const EventClock clock = ClockFor(1e-3, {0.1});
  double sum = 0;
  for (int step = 0; step < 100000; ++step) {
    CHECK(StepOf(clock, step * 1e-3) == step);
    CHECK(StepOf(clock, sum) == step);
    CHECK(StepOf(clock, (step + 0.5) * 1e-3) == step);
    CHECK(StepOf(clock, (step - 0.9e-3) * 1e-3) == step);
    CHECK(StepOf(clock, (step - 2e-3) * 1e-3) == step - 1);
    sum += 1e-3;
  }
}

TEST_CASE("times that are not finite have no step") {
  const EventClock clock = ClockFor(1e-3, {0.1});
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(std::isnan(StepOf(clock, std::nan(""))));
  CHECK(StepOf(clock, infinity) == infinity);
  CHECK(StepOf(clock, -infinity) == -infinity);
  CHECK(StepOf(clock, 1e300) > 1e300);
}

TEST_CASE("steps are those of the whole list, at any position") {
  // Where a vector of positions is rounded at once, and beyond.
  const EventClock clock = ClockFor(1e-3, {0.1});
  std::vector<double> times;
  for (int exponent = -60; exponent < 60; ++exponent) {
    for (const double part : {1.0, 1.1, 1.9999999}) {
      times.push_back(std::ldexp(part, exponent));
      times.push_back(-std::ldexp(part, exponent));
    }
  }
  std::vector<double> steps(times.size());
  clock.StepsOf(ListOf(times), steps.data());
  for (std::size_t i = 0; i < times.size(); ++i) {
    const double position = times[i] * 1000;
    const double step = std::floor(position);
    const double error = std::abs(position) * 0x1p-50;
    const double tolerance = std::min(0.5, std::max(1e-3 - error, error));
    CHECK(steps[i] == (step + 1 - position <= tolerance ? step + 1 : step));
  }
}

TEST_CASE("a start far from zero loses nothing of whole times, of any size") {
  // In nanoseconds, in steps of 100 us: each step has 100,000.
  const std::int64_t start = 1'700'000'000'000'000'001;
  for (const std::int64_t sign : {1, -1}) {
    const double whole = static_cast<double>(sign * start);
    const auto rounded = static_cast<std::int64_t>(whole);
    const EventClock clock({1e-5, 1e5, whole, 0}, {true, 0});
    std::vector<std::int64_t> times;
    std::vector<std::uint64_t> unsigned_times;
    for (std::int64_t step = 0; step < 3000; ++step) {
      times.push_back(rounded + step * 100'000);
      unsigned_times.push_back(static_cast<std::uint64_t>(times.back()));
    }
    const auto size = static_cast<std::int64_t>(times.size());
    std::vector<double> steps(times.size());
    clock.StepsOf({times.data(), ElementType::kInt64, 1, size, 1}, steps.data());
    for (std::size_t i = 0; i < times.size(); ++i) CHECK(steps[i] == static_cast<double>(i));
    if (sign < 0) continue;
    clock.StepsOf({unsigned_times.data(), ElementType::kUint64, 1, size, 1}, steps.data());
    for (std::size_t i = 0; i < times.size(); ++i) CHECK(steps[i] == static_cast<double>(i));
  }
  const double largest = 0x1p+63;
  const EventClock clock({1, 1, largest, 0}, {true, 0});
  const std::uint64_t time = 0xffff'ffff'ffff'ffff;
  double step = 0;
  clock.StepsOf({&time, ElementType::kUint64, 1, 1, 1}, &step);
  CHECK(step == largest);
}

TEST_CASE("times that were rounded to single precision belong to the step that they came from") {
  std::vector<double> times;
  for (int step = 0; step < 40000; ++step) {
    times.push_back(static_cast<double>(static_cast<float>(50 + step * 1e-3)));
  }
  const EventClock clock = ClockFor(1e-3, times);
  for (int step = 0; step < 40000; ++step) {
    CHECK(StepOf(clock, times[static_cast<std::size_t>(step)]) == 50000 + step);
  }
  // Times that single precision holds by chance are taken as they are.
  std::vector<double> exact;
  for (int i = 0; i < 64; ++i) exact.push_back(1024 + i * 0.25);
  CHECK(StepOf(ClockFor(1e-4, exact), 1024.25 - 1e-5) == 10242499);
}

TEST_CASE("the fraction of a step is exact far from the beginning") {
  // 3 * 12345677 is more than its product with this dt keeps in double precision.
  const double dt = 0x1.0000001p-10;
  const EventClock clock = ClockFor(dt, {0.1});
  const double step = 12345677;
  const double time = step * 0x1p-10 + 0x1p-11;
  // step dt = step 2^-10 + step 2^-38
  const double expected = (0x1p-11 - step * 0x1p-38) / dt;
  CHECK(clock.FractionOf(time, step) == expected);
}

TEST_CASE("lists in any order are the raster that they add up to, read in any parts") {
  struct Case {
    std::int64_t n_columns;
    int n_events;
    std::int64_t n_timesteps;
  };
  std::mt19937_64 random(1);
  // Few events are sorted by comparison, many by digits.
  for (const auto& [n_columns, n_events, n_timesteps] :
       {Case{1, 500, 50}, {7, 500, 50}, {2000, 500, 50}, {7, 5000, 3000}, {2000, 5000, 50}}) {
    for (const bool has_values : {false, true}) {
      const std::int64_t n_batches = 2;
      std::vector<double> times, channels, values, batches;
      std::vector<double> raster(static_cast<std::size_t>(n_batches * n_timesteps * n_columns));
      const auto draw = [&](std::int64_t size) {
        return std::uniform_int_distribution<std::int64_t>(0, size - 1)(random);
      };
      for (int i = 0; i < n_events; ++i) {
        const std::int64_t batch = draw(n_batches);
        const std::int64_t step = draw(n_timesteps);
        const std::int64_t column = draw(n_columns);
        const double value = has_values ? 0.25 * static_cast<double>(draw(100)) : 1;
        times.push_back((static_cast<double>(step) + 0.3) * 1e-3);
        channels.push_back(static_cast<double>(column));
        batches.push_back(static_cast<double>(batch));
        values.push_back(value);
        raster[static_cast<std::size_t>((batch * n_timesteps + step) * n_columns + column)] +=
            value;
      }
      GivenEvents given;
      given.times = ListOf(times);
      given.channels = ListOf(channels);
      given.batches = ListOf(batches);
      if (has_values) given.values = ListOf(values);
      given.dt = 1e-3;
      const EventList list(given, n_batches, n_timesteps, n_columns, true);
      CHECK(list.faults().empty());
      CHECK(list.AreCountsUpTo(500) == !has_values);
      CHECK_FALSE(list.AreCountsUpTo(0));
      for (int i = 0; i < 200; ++i) {
        const std::int64_t row = draw(n_batches * n_timesteps);
        const std::int64_t n_rows = 1 + draw(n_batches * n_timesteps - row);
        const std::int64_t column = draw(n_columns);
        const std::int64_t width = 1 + draw(n_columns - column);
        const std::int64_t stride = width + draw(3);
        std::vector<double> part(static_cast<std::size_t>(n_rows * stride), -1);
        list.Fill(row, n_rows, column, width, part.data(), stride);
        bool is_same = true;
        for (std::int64_t r = 0; r < n_rows; ++r) {
          for (std::int64_t c = 0; c < stride; ++c) {
            const double expected =
                c < width ? raster[static_cast<std::size_t>((row + r) * n_columns + column + c)]
                          : -1;
            is_same = is_same && part[static_cast<std::size_t>(r * stride + c)] == expected;
          }
        }
        CHECK(is_same);
      }
    }
  }
}

TEST_CASE("events that are left out leave the others where they are") {
  std::vector<double> times, channels, batches;
  std::vector<double> raster(2 * 40 * 3);
  const std::int64_t lengths[] = {40, 25};
  for (int i = 0; i < 3000; ++i) {
    const int batch = i % 2;
    const int step = (i * 7) % 60 - 10;
    const int channel = (i * 5) % 3;
    times.push_back((step + 0.5) * 1e-3);
    channels.push_back(channel);
    batches.push_back(batch);
    if (step < 0 || step >= lengths[batch]) continue;
    raster[static_cast<std::size_t>((batch * 40 + step) * 3 + channel)] += 1;
  }
  GivenEvents given;
  given.times = ListOf(times);
  given.channels = ListOf(channels);
  given.batches = ListOf(batches);
  given.dt = 1e-3;
  given.is_outside_dropped = true;
  given.lengths = lengths;
  const EventList list(given, 2, 40, 3, true);
  CHECK(list.faults().empty());
  std::vector<double> filled(raster.size());
  list.Fill(0, 80, 0, 3, filled.data(), 3);
  CHECK(filled == raster);
}

TEST_CASE("rows of a list are those of its raster without tails, one after the other or anywhere") {
  constexpr std::int64_t kSteps = 3000;
  std::mt19937_64 random(1);
  const auto draw = [&](std::int64_t size) {
    return std::uniform_int_distribution<std::int64_t>(0, size - 1)(random);
  };
  // One column for all synapses; then few elements of a row are set, or many, of few columns or
  // of a part of many.
  for (const auto& [n_columns, n_events] :
       {std::pair{1, 300}, {1, 9000}, {7, 4000}, {64, 4000}, {64, 40000}, {5000, 4000}}) {
    const bool is_repeated = n_columns == 1 && n_events < kSteps;
    const std::int64_t n_synapses = is_repeated ? 5 : n_columns;
    std::vector<double> times, channels, values;
    for (int i = 0; i < n_events; ++i) {
      times.push_back((static_cast<double>(draw(kSteps)) + 0.5) * 1e-3);
      channels.push_back(static_cast<double>(draw(n_columns)));
      values.push_back(0.1 * static_cast<double>(draw(200) - 100));
    }
    GivenEvents given;
    given.times = ListOf(times);
    given.channels = ListOf(channels);
    if (n_columns != 7) given.values = ListOf(values);
    given.dt = 1e-3;
    const EventList list(given, 1, kSteps, n_columns, true);
    Raster raster;
    raster.n_batches = 1;
    raster.n_timesteps = kSteps;
    raster.n_columns = n_columns;
    raster.events = &list;
    const std::int64_t first = n_synapses / 3;
    const std::int64_t width = std::min<std::int64_t>(n_synapses - first, 1000);
    std::vector<float> gain, tail_weight;
    for (std::int64_t c = 0; c < width; ++c) {
      gain.push_back(0.1F * static_cast<float>(draw(50)));
      tail_weight.push_back(0.01F * static_cast<float>(draw(50)));
    }
    const bool has_gain = n_columns != 64;
    InputRows<float> rows(raster, n_synapses, first, width,
                          {has_gain ? gain.data() : nullptr, tail_weight.data()});
    const auto element_at = [&](std::int64_t step, std::int64_t c) {
      const auto element = static_cast<float>(list.ElementAt(step, is_repeated ? 0 : first + c));
      return has_gain ? element * gain[static_cast<std::size_t>(c)] : element;
    };
    const auto is_raster = [&](std::int64_t step, std::int64_t n_rows, std::int64_t earlier) {
      const Source<float> source = rows.At(step, n_rows, earlier);
      CHECK(source.type == ElementType::kFloat32);
      CHECK(source.stride == width);
      CHECK(source.delayed == nullptr);
      CHECK(source.gain == nullptr);
      CHECK_FALSE(source.is_repeated);
      bool is_same = true;
      for (std::int64_t r = 0; r < n_rows; ++r) {
        for (std::int64_t c = 0; c < width; ++c) {
          float expected = element_at(step + r, c);
          if (earlier > 0) {
            expected -=
                tail_weight[static_cast<std::size_t>(c)] * element_at(step + r - earlier, c);
          }
          is_same = is_same && static_cast<const float*>(source.input)[r * width + c] == expected;
        }
      }
      return is_same;
    };
    for (const std::int64_t window : {1, 16, 200, 2500}) {
      std::int64_t n_rows = 0;
      for (std::int64_t step = 0; step < kSteps; step += n_rows) {
        n_rows = std::min(1 + draw(64), kSteps - step);
        // Now and then, as where sums are computed again.
        if (draw(10) == 0) {
          const std::int64_t other = draw(kSteps);
          CHECK(is_raster(other, std::min<std::int64_t>(16, kSteps - other), 0));
        }
        CHECK(is_raster(step, n_rows, step >= window ? window : 0));
      }
    }
  }
}

TEST_CASE("faults are the first of the list, or the first of each item") {
  const std::vector<double> times = {0, 0.002, -1, std::nan(""), 0, 0, 5};
  const std::vector<double> channels = {0, 1, 0, 0, 2, 0.5, 0};
  const std::vector<double> batches = {0, 0, 1, 1, 2, 2, 3};
  GivenEvents given;
  given.times = ListOf(times);
  given.channels = ListOf(channels);
  given.batches = ListOf(batches);
  given.dt = 1e-3;
  const EventList first(given, 4, 3, 2, true);
  REQUIRE(first.faults().size() == 1);
  CHECK(first.faults()[0].index == 2);
  CHECK(first.faults()[0].kind == EventFaultKind::kBefore);
  const EventList each(given, 4, 3, 2, false);
  REQUIRE(each.faults().size() == 3);
  CHECK(each.faults()[1].index == 4);
  CHECK(each.faults()[1].kind == EventFaultKind::kChannel);
  CHECK(each.faults()[2].kind == EventFaultKind::kAfter);
  const std::int64_t lengths[] = {2, 3, 3, 3};
  given.lengths = lengths;
  CHECK(EventList(given, 4, 3, 2, true).faults()[0].index == 2);
}

TEST_CASE("an event of no item is a fault of its own, and hidden by none") {
  const std::vector<double> times = {-1, 0, 0, -1};
  const std::vector<double> channels = {0, 0, 0, 0};
  const std::vector<double> batches = {0, 0, 7, 1};
  GivenEvents given;
  given.times = ListOf(times);
  given.channels = ListOf(channels);
  given.batches = ListOf(batches);
  given.dt = 1e-3;
  const EventList list(given, 2, 3, 1, false);
  REQUIRE(list.faults().size() == 3);
  CHECK(list.faults()[0].item == EventFault::kNoItem);
  CHECK(list.faults()[0].index == 2);
  CHECK(list.faults()[0].kind == EventFaultKind::kBatch);
  CHECK(list.faults()[1].item == 0);
  CHECK(list.faults()[2].item == 1);
}

TEST_CASE("of the values whose sum is too large, the first one of the element is named") {
  const double largest = std::numeric_limits<double>::max();
  // The first one of item 0 is after its last step, and left out; that of item 2 is not a number.
  const std::vector<double> times = {3.5e-3, 0, 0, 0.5e-3, 0};
  const std::vector<double> channels = {0, 0, 0, 0, 0};
  const std::vector<double> batches = {0, 2, 1, 1, 1};
  const std::vector<double> values = {1, std::nan(""), largest, 1, largest};
  GivenEvents given;
  given.times = ListOf(times);
  given.channels = ListOf(channels);
  given.batches = ListOf(batches);
  given.values = ListOf(values);
  given.dt = 1e-3;
  given.is_outside_dropped = true;
  const EventList list(given, 3, 3, 1, false);
  REQUIRE(list.faults().size() == 2);
  CHECK(list.faults()[0].item == 1);
  CHECK(list.faults()[0].index == 2);
  CHECK(list.faults()[0].kind == EventFaultKind::kValue);
  CHECK(list.faults()[1].item == 2);
  CHECK(list.faults()[1].index == 1);
}

}  // namespace
}  // namespace expsyn::test
