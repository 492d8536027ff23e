#include "events.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "event_clock.h"
#include "kernel/kernel.h"
#include "simd/ops.h"

namespace expsyn {

namespace {

// Events that are read at a time.
constexpr std::int64_t kChunk = 1024;

// The events of a row of more columns are in their order, so that a part of them is found fast.
constexpr std::int64_t kWideColumns = 1024;

using Numbers = std::array<double, kChunk>;

// Reads the elements of a list from `first` on, or `count` times `otherwise` if it has none.
void Read(const Raster& list, std::int64_t first, std::int64_t count, double otherwise,
          Numbers& numbers) {
  if (list.data == nullptr) {
    std::fill_n(numbers.begin(), count, otherwise);
  } else {
    simd::OpsOf<double>().convert(list.type, list.data, first, count, numbers.data());
  }
}

// Whether a number is an index below `size`.
bool IsIndex(double number, std::int64_t size) {
  return number >= 0 && number < static_cast<double>(size) && std::floor(number) == number;
}

// Calls function(first, count) for chunks of n_events.
template <typename Function>
void ForChunks(std::int64_t n_events, Function&& function) {
  for (std::int64_t first = 0; first < n_events; first += kChunk) {
    function(first, std::min(kChunk, n_events - first));
  }
}

TimeSurvey SurveyTimes(const Raster& times) {
  TimeSurvey survey;
  Numbers numbers;
  ForChunks(times.size(), [&](std::int64_t first, std::int64_t count) {
    Read(times, first, count, 0, numbers);
    for (std::int64_t i = 0; i < count; ++i) survey.Add(numbers[static_cast<std::size_t>(i)]);
  });
  return survey;
}

// The faults that are kept.
class Faults {
 public:
  explicit Faults(bool is_first_only) : is_first_only_(is_first_only) {}

  void Add(EventFault fault) {
    const auto [found, is_new] = by_item_.try_emplace(is_first_only_ ? 0 : fault.item, fault);
    if (!is_new && fault.index < found->second.index) found->second = fault;
  }
  bool IsEmpty() const { return by_item_.empty(); }
  std::vector<EventFault> List() const {
    std::vector<EventFault> list;
    for (const auto& [item, fault] : by_item_) list.push_back(fault);
    return list;
  }

 private:
  bool is_first_only_;
  std::map<std::int64_t, EventFault> by_item_;
};

}  // namespace

EventList::EventList(const GivenEvents& given, std::int64_t n_batches, std::int64_t n_timesteps,
                     std::int64_t n_columns, bool is_first_only)
    : n_columns_(n_columns) {
  const std::int64_t n_events = given.times.size();
  const EventClock clock(given.dt, SurveyTimes(given.times));
  Faults faults(is_first_only);
  entries_.reserve(static_cast<std::size_t>(n_events));
  Numbers times, channels, values, batches;
  bool is_sorted = true;
  bool is_finite = true;
  ForChunks(n_events, [&](std::int64_t first, std::int64_t count) {
    Read(given.times, first, count, 0, times);
    Read(given.channels, first, count, 0, channels);
    Read(given.values, first, count, 1, values);
    Read(given.batches, first, count, 0, batches);
    for (std::int64_t i = 0; i < count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (!IsIndex(batches[at], n_batches)) {
        faults.Add({0, first + i, EventFaultKind::kBatch});
        continue;
      }
      const auto item = static_cast<std::int64_t>(batches[at]);
      const std::int64_t end = given.lengths == nullptr ? n_timesteps : given.lengths[item];
      const double step = clock.StepOf(times[at]);
      const bool is_inside = step >= 0 && step < static_cast<double>(end);
      if (!is_inside && !(given.is_outside_dropped && std::isfinite(times[at]))) {
        const EventFaultKind kind = !std::isfinite(times[at]) ? EventFaultKind::kTime
                                    : step < 0                ? EventFaultKind::kBefore
                                                              : EventFaultKind::kAfter;
        faults.Add({item, first + i, kind});
        continue;
      }
      if (!IsIndex(channels[at], n_columns)) {
        faults.Add({item, first + i, EventFaultKind::kChannel});
        continue;
      }
      double value = values[at];
      if (!std::isfinite(value)) {
        is_finite = false;
        if (given.throws_non_finite) {
          faults.Add({item, first + i, EventFaultKind::kValue});
          continue;
        }
      }
      if (!is_inside) continue;
      const auto column = static_cast<std::int64_t>(channels[at]);
      if (given.weighing != nullptr) {
        value *= given.weighing->EventWeight(column, clock.FractionOf(times[at], step));
      }
      const std::int64_t row = item * n_timesteps + static_cast<std::int64_t>(step);
      const Entry entry{row, value, column};
      is_sorted = is_sorted && (entries_.empty() || !IsBefore(entry, entries_.back()));
      entries_.push_back(entry);
    }
  });
  if (!is_sorted) {
    std::stable_sort(entries_.begin(), entries_.end(),
                     [this](const Entry& a, const Entry& b) { return IsBefore(a, b); });
  }
  AddUp();
  if (given.throws_non_finite && is_finite) {
    // Of the events of an element whose sum is too large, the first one is named.
    std::set<std::pair<double, double>> overflowed;
    for (const Entry& entry : entries_) {
      if (std::isfinite(entry.value)) continue;
      overflowed.emplace(static_cast<double>(entry.row), static_cast<double>(entry.column));
    }
    const std::int64_t n_searched = overflowed.empty() ? 0 : n_events;
    ForChunks(n_searched, [&](std::int64_t first, std::int64_t count) {
      Read(given.times, first, count, 0, times);
      Read(given.channels, first, count, 0, channels);
      Read(given.batches, first, count, 0, batches);
      for (std::int64_t i = 0; i < count; ++i) {
        const auto at = static_cast<std::size_t>(i);
        const double row = batches[at] * static_cast<double>(n_timesteps) + clock.StepOf(times[at]);
        if (overflowed.count({row, channels[at]}) == 0) continue;
        faults.Add({static_cast<std::int64_t>(batches[at]), first + i, EventFaultKind::kValue});
      }
    });
  }
  faults_ = faults.List();
}

// Adds up the events of each element.
void EventList::AddUp() {
  constexpr double kMostOfByte = 255;
  std::vector<std::int64_t> last(static_cast<std::size_t>(n_columns_), -1);
  std::int64_t n_kept = 0;
  std::int64_t row_begin = 0;
  for (const Entry& entry : entries_) {
    if (n_kept > 0 && entries_[static_cast<std::size_t>(n_kept - 1)].row != entry.row) {
      row_begin = n_kept;
    }
    std::int64_t& place = last[static_cast<std::size_t>(entry.column)];
    if (place >= row_begin) {
      entries_[static_cast<std::size_t>(place)].value += entry.value;
    } else {
      place = n_kept;
      entries_[static_cast<std::size_t>(n_kept++)] = entry;
    }
  }
  entries_.resize(static_cast<std::size_t>(n_kept));
  type_ = AreCountsUpTo(kMostOfByte) ? ElementType::kUint8 : ElementType::kFloat64;
}

bool EventList::AreCountsUpTo(double largest) const {
  return std::all_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    // False for NaN.
    return entry.value >= 0 && entry.value <= largest && std::floor(entry.value) == entry.value;
  });
}

const EventList::Entry* EventList::FirstOf(std::int64_t row) const {
  const auto found =
      std::lower_bound(entries_.begin(), entries_.end(), row,
                       [](const Entry& entry, std::int64_t wanted) { return entry.row < wanted; });
  return entries_.data() + (found - entries_.begin());
}

bool EventList::IsBefore(const Entry& a, const Entry& b) const {
  if (a.row != b.row || n_columns_ <= kWideColumns) return a.row < b.row;
  return a.column < b.column;
}

template <typename T>
void EventList::Fill(std::int64_t row, std::int64_t n_rows, std::int64_t column,
                     std::int64_t n_columns, T* target, std::int64_t stride) const {
  if (stride == n_columns) {
    std::fill_n(target, n_rows * n_columns, T{0});
  } else {
    for (std::int64_t r = 0; r < n_rows; ++r) std::fill_n(target + r * stride, n_columns, T{0});
  }
  const Entry* const end = entries_.data() + entries_.size();
  const auto put = [&](const Entry& entry) {
    target[(entry.row - row) * stride + entry.column - column] = static_cast<T>(entry.value);
  };
  if (n_columns_ > kWideColumns && n_columns < n_columns_) {
    const Entry* entry = FirstOf(row);
    for (std::int64_t r = row; r < row + n_rows; ++r) {
      const Entry sought{r, 0, column};
      entry = std::lower_bound(entry, end, sought,
                               [this](const Entry& a, const Entry& b) { return IsBefore(a, b); });
      for (; entry != end && entry->row == r && entry->column < column + n_columns; ++entry) {
        put(*entry);
      }
    }
    return;
  }
  for (const Entry* entry = FirstOf(row); entry != end && entry->row < row + n_rows; ++entry) {
    if (entry->column >= column && entry->column < column + n_columns) put(*entry);
  }
}

double EventList::ElementAt(std::int64_t row, std::int64_t column) const {
  double element = 0;
  Fill(row, 1, column, 1, &element, 1);
  return element;
}

bool EventList::AreFinite(std::int64_t row, std::int64_t n_rows, std::int64_t* bad_row,
                          std::int64_t* bad_column) const {
  if (type_ == ElementType::kUint8) return true;
  const Entry* const end = entries_.data() + entries_.size();
  const Entry* const last = FirstOf(row + n_rows);
  const Entry* bad = end;
  for (const Entry* entry = FirstOf(row); entry != last; ++entry) {
    if (bad != end && entry->row != bad->row) break;
    const bool is_earlier = bad == end || entry->column < bad->column;
    if (!std::isfinite(entry->value) && is_earlier) bad = entry;
  }
  if (bad == end) return true;
  *bad_row = bad->row;
  *bad_column = bad->column;
  return false;
}

template void EventList::Fill(std::int64_t, std::int64_t, std::int64_t, std::int64_t,
                              std::uint8_t*, std::int64_t) const;
template void EventList::Fill(std::int64_t, std::int64_t, std::int64_t, std::int64_t,
                              std::uint16_t*, std::int64_t) const;
template void EventList::Fill(std::int64_t, std::int64_t, std::int64_t, std::int64_t, float*,
                              std::int64_t) const;
template void EventList::Fill(std::int64_t, std::int64_t, std::int64_t, std::int64_t, double*,
                              std::int64_t) const;

}  // namespace expsyn
