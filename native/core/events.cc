#include "events.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <stdexcept>
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

// The number of events and columns that entries can tell apart.
constexpr std::int64_t kMost = 0xffff'ffff;

using Numbers = std::array<double, kChunk>;

// Reads the elements of a list from `first` on. Leaves the numbers if it is not given.
void Read(const Raster& list, std::int64_t first, std::int64_t count, Numbers& numbers) {
  if (list.data == nullptr) return;
  simd::OpsOf<double>().convert(list.type, list.data, first, count, numbers.data());
}

// Whether a number is an index below `size`.
bool IsIndex(double number, std::int64_t size) {
  return number >= 0 && number < static_cast<double>(size) &&
         static_cast<double>(static_cast<std::int64_t>(number)) == number;
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
  for (std::int64_t first = 0; first < times.size(); first += kChunk) {
    const std::int64_t count = std::min(kChunk, times.size() - first);
    Read(times, first, count, numbers);
    for (std::int64_t i = 0; i < count; ++i) {
      if (!survey.Add(numbers[static_cast<std::size_t>(i)])) return survey;
    }
  }
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
  if (n_events > kMost || n_columns > kMost) throw std::length_error("too many events or channels");
  const bool has_values = given.values.data != nullptr || given.weighing != nullptr;
  const EventClock clock(given.dt, SurveyTimes(given.times));
  Faults faults(is_first_only);
  entries_.resize(static_cast<std::size_t>(n_events));
  if (has_values) values_.resize(static_cast<std::size_t>(n_events));
  std::size_t n_kept = 0;
  Numbers times, channels, values, batches;
  values.fill(1);
  batches.fill(0);
  Entry last{-1, 0, 0};
  bool is_sorted = true;
  bool is_finite = true;
  ForChunks(n_events, [&](std::int64_t first, std::int64_t count) {
    Read(given.times, first, count, times);
    Read(given.channels, first, count, channels);
    Read(given.values, first, count, values);
    Read(given.batches, first, count, batches);
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
      if (has_values && !std::isfinite(value)) {
        is_finite = false;
        if (given.throws_non_finite) {
          faults.Add({item, first + i, EventFaultKind::kValue});
          continue;
        }
      }
      if (!is_inside) continue;
      const auto column = static_cast<std::int64_t>(channels[at]);
      const Entry entry{item * n_timesteps + static_cast<std::int64_t>(step),
                        static_cast<std::uint32_t>(column),
                        has_values ? static_cast<std::uint32_t>(n_kept) : 1};
      if (has_values) {
        if (given.weighing != nullptr) {
          value *= given.weighing->EventWeight(column, clock.FractionOf(times[at], step));
        }
        values_[n_kept] = value;
      }
      is_sorted = is_sorted && !IsBefore(entry, last);
      last = entries_[n_kept++] = entry;
    }
  });
  entries_.resize(n_kept);
  if (has_values) values_.resize(n_kept);
  if (!is_sorted) Sort();
  AddUp();
  if (given.throws_non_finite && is_finite && has_values) {
    // Of the events of an element whose sum is too large, the first one is named.
    std::set<std::pair<double, double>> overflowed;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (std::isfinite(values_[i])) continue;
      overflowed.emplace(static_cast<double>(entries_[i].row),
                         static_cast<double>(entries_[i].column));
    }
    const std::int64_t n_searched = overflowed.empty() ? 0 : n_events;
    ForChunks(n_searched, [&](std::int64_t first, std::int64_t count) {
      Read(given.times, first, count, times);
      Read(given.channels, first, count, channels);
      Read(given.batches, first, count, batches);
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

void EventList::Sort() {
  std::stable_sort(entries_.begin(), entries_.end(),
                   [this](const Entry& a, const Entry& b) { return IsBefore(a, b); });
  if (values_.empty()) return;
  std::vector<double> sorted;
  sorted.reserve(values_.size());
  for (const Entry& entry : entries_) sorted.push_back(values_[entry.count]);
  values_ = std::move(sorted);
}

// Adds up the events of each element.
void EventList::AddUp() {
  constexpr double kMostOfByte = 255;
  std::vector<std::int64_t> last(static_cast<std::size_t>(n_columns_), -1);
  std::size_t n_kept = 0;
  std::int64_t row = -1;
  std::int64_t row_begin = 0;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Entry entry = entries_[i];
    if (entry.row != row) {
      row = entry.row;
      row_begin = static_cast<std::int64_t>(n_kept);
    }
    std::int64_t& place = last[entry.column];
    if (place >= row_begin) {
      const auto found = static_cast<std::size_t>(place);
      if (values_.empty()) {
        ++entries_[found].count;
      } else {
        values_[found] += values_[i];
      }
      continue;
    }
    place = static_cast<std::int64_t>(n_kept);
    entries_[n_kept] = entry;
    if (!values_.empty()) values_[n_kept] = values_[i];
    ++n_kept;
  }
  entries_.resize(n_kept);
  if (!values_.empty()) values_.resize(n_kept);
  type_ = AreCountsUpTo(kMostOfByte) ? ElementType::kUint8 : ElementType::kFloat64;
}

bool EventList::AreCountsUpTo(double largest) const {
  if (values_.empty()) {
    return std::all_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
      return static_cast<double>(entry.count) <= largest;
    });
  }
  return std::all_of(values_.begin(), values_.end(), [&](double value) {
    // False for NaN.
    return value >= 0 && value <= largest && std::floor(value) == value;
  });
}

std::size_t EventList::FirstOf(std::int64_t row, const Cursor* cursor) const {
  const std::size_t size = entries_.size();
  const auto is_first = [&](std::size_t index) {
    return (index == size || entries_[index].row >= row) &&
           (index == 0 || entries_[index - 1].row < row);
  };
  if (cursor != nullptr && cursor->next <= size && is_first(cursor->next)) return cursor->next;
  const auto found =
      std::lower_bound(entries_.begin(), entries_.end(), row,
                       [](const Entry& entry, std::int64_t wanted) { return entry.row < wanted; });
  return static_cast<std::size_t>(found - entries_.begin());
}

bool EventList::IsBefore(const Entry& a, const Entry& b) const {
  if (a.row != b.row || n_columns_ <= kWideColumns) return a.row < b.row;
  return a.column < b.column;
}

template <typename T>
void EventList::Fill(std::int64_t row, std::int64_t n_rows, std::int64_t column,
                     std::int64_t n_columns, T* target, std::int64_t stride, Cursor* cursor) const {
  if (stride == n_columns) {
    std::fill_n(target, n_rows * n_columns, T{0});
  } else {
    for (std::int64_t r = 0; r < n_rows; ++r) std::fill_n(target + r * stride, n_columns, T{0});
  }
  const std::size_t end = entries_.size();
  const auto put = [&](std::size_t index) {
    const Entry& entry = entries_[index];
    const std::int64_t place = static_cast<std::int64_t>(entry.column) - column;
    target[(entry.row - row) * stride + place] = static_cast<T>(ValueOf(index));
  };
  std::size_t i = FirstOf(row, cursor);
  if (n_columns == n_columns_) {
    for (; i < end && entries_[i].row < row + n_rows; ++i) put(i);
  } else if (n_columns_ > kWideColumns) {
    for (std::int64_t r = row; r < row + n_rows; ++r) {
      const Entry sought{r, static_cast<std::uint32_t>(column), 0};
      const auto found = std::lower_bound(
          entries_.begin() + static_cast<std::ptrdiff_t>(i), entries_.end(), sought,
          [this](const Entry& a, const Entry& b) { return IsBefore(a, b); });
      i = static_cast<std::size_t>(found - entries_.begin());
      for (; i < end && entries_[i].row == r && entries_[i].column < column + n_columns; ++i)
        put(i);
    }
    if (cursor != nullptr) *cursor = {FirstOf(row + n_rows)};
    return;
  } else {
    for (; i < end && entries_[i].row < row + n_rows; ++i) {
      if (entries_[i].column >= column && entries_[i].column < column + n_columns) put(i);
    }
  }
  if (cursor != nullptr) *cursor = {i};
}

double EventList::ElementAt(std::int64_t row, std::int64_t column) const {
  double element = 0;
  Fill(row, 1, column, 1, &element, 1);
  return element;
}

bool EventList::AreFinite(std::int64_t row, std::int64_t n_rows, std::int64_t* bad_row,
                          std::int64_t* bad_column) const {
  if (values_.empty()) return true;
  const std::size_t end = FirstOf(row + n_rows);
  const Entry* bad = nullptr;
  for (std::size_t i = FirstOf(row); i < end; ++i) {
    const Entry& entry = entries_[i];
    if (bad != nullptr && entry.row != bad->row) break;
    const bool is_earlier = bad == nullptr || entry.column < bad->column;
    if (!std::isfinite(values_[i]) && is_earlier) bad = &entry;
  }
  if (bad == nullptr) return true;
  *bad_row = bad->row;
  *bad_column = bad->column;
  return false;
}

template void EventList::Fill(std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::uint8_t*,
                              std::int64_t, Cursor*) const;
template void EventList::Fill(std::int64_t, std::int64_t, std::int64_t, std::int64_t,
                              std::uint16_t*, std::int64_t, Cursor*) const;
template void EventList::Fill(std::int64_t, std::int64_t, std::int64_t, std::int64_t, float*,
                              std::int64_t, Cursor*) const;
template void EventList::Fill(std::int64_t, std::int64_t, std::int64_t, std::int64_t, double*,
                              std::int64_t, Cursor*) const;

}  // namespace expsyn
