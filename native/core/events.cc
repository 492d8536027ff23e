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

// So many events are sorted by digits.
constexpr std::size_t kManyEvents = 1024;

// The number of events and columns that entries can tell apart.
constexpr std::int64_t kMost = 0xffff'ffff;

using Numbers = std::array<double, kChunk>;

// The elements of a list from `first` on. Leaves the numbers if it is not given.
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
  survey.Add(times);
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
  // Without them, all events are of item 0, if there is one.
  const bool has_batches = given.batches.data != nullptr || n_batches == 0;
  const bool has_values = given.values.data != nullptr || given.weighing != nullptr;
  const EventClock clock(given.dt, SurveyTimes(given.times));
  Faults faults(is_first_only);
  entries_.reserve(static_cast<std::size_t>(n_events));
  if (has_values) values_.reserve(static_cast<std::size_t>(n_events));
  Numbers times, channels, values, batches, steps;
  values.fill(1);
  batches.fill(0);
  // Of a chunk. In memory of their own, as a vector that grows would be asked for its size each
  // time.
  std::array<Entry, kChunk> entries;
  bool is_sorted = true;
  std::int64_t last_row = -1;
  std::int64_t last_column = 0;
  ForChunks(n_events, [&](std::int64_t first, std::int64_t count) {
    Read(given.times, first, count, times);
    Read(given.channels, first, count, channels);
    Read(given.values, first, count, values);
    Read(given.batches, first, count, batches);
    clock.StepsOf(times.data(), count, steps.data());
    auto next = entries.begin();
    for (std::int64_t i = 0; i < count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (has_batches && !IsIndex(batches[at], n_batches)) {
        faults.Add({EventFault::kNoItem, first + i, EventFaultKind::kBatch});
        continue;
      }
      const auto item = has_batches ? static_cast<std::int64_t>(batches[at]) : 0;
      const std::int64_t end = given.lengths == nullptr ? n_timesteps : given.lengths[item];
      const double step = steps[at];
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
      if (has_values && given.throws_non_finite && !std::isfinite(values[at])) {
        faults.Add({item, first + i, EventFaultKind::kValue});
        continue;
      }
      if (!is_inside) continue;
      const std::int64_t row = item * n_timesteps + static_cast<std::int64_t>(step);
      const auto column = static_cast<std::int64_t>(channels[at]);
      next->row = row;
      next->column = static_cast<std::uint32_t>(column);
      next->count = 1;
      if (has_values) {
        next->count = static_cast<std::uint32_t>(values_.size());
        const double weight =
            given.weighing == nullptr
                ? 1
                : given.weighing->EventWeight(column, clock.FractionOf(times[at], step));
        values_.push_back(values[at] * weight);
      }
      ++next;
      is_sorted &= !IsBefore(row, column, last_row, last_column);
      last_row = row;
      last_column = column;
    }
    entries_.insert(entries_.end(), entries.begin(), next);
  });
  if (!is_sorted) Sort();
  AddUp();
  if (given.throws_non_finite && has_values) {
    // Of the events of an element whose sum is too large, the first one is named.
    std::set<std::pair<std::int64_t, std::int64_t>> overflowed;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (!std::isfinite(values_[i])) overflowed.emplace(entries_[i].row, entries_[i].column);
    }
    const std::int64_t n_searched = overflowed.empty() ? 0 : n_events;
    ForChunks(n_searched, [&](std::int64_t first, std::int64_t count) {
      Read(given.times, first, count, times);
      Read(given.channels, first, count, channels);
      Read(given.batches, first, count, batches);
      clock.StepsOf(times.data(), count, steps.data());
      for (std::int64_t i = 0; i < count; ++i) {
        const auto at = static_cast<std::size_t>(i);
        const bool has_place = IsIndex(batches[at], n_batches) && IsIndex(steps[at], n_timesteps) &&
                               IsIndex(channels[at], n_columns);
        if (!has_place) continue;
        const auto item = static_cast<std::int64_t>(batches[at]);
        const std::int64_t row = item * n_timesteps + static_cast<std::int64_t>(steps[at]);
        if (overflowed.count({row, static_cast<std::int64_t>(channels[at])}) == 0) continue;
        faults.Add({item, first + i, EventFaultKind::kValue});
      }
    });
  }
  faults_ = faults.List();
}

void EventList::Sort() {
  if (entries_.size() < kManyEvents) {
    std::stable_sort(entries_.begin(), entries_.end(), [this](const Entry& a, const Entry& b) {
      return IsBefore(a.row, a.column, b.row, b.column);
    });
  } else {
    SortByDigits();
  }
  if (values_.empty()) return;
  std::vector<double> sorted;
  sorted.reserve(values_.size());
  for (const Entry& entry : entries_) sorted.push_back(values_[entry.count]);
  values_ = std::move(sorted);
}

// Digit by digit, the lowest first, each by counting: a pass takes the same time for each event,
// however many there are.
void EventList::SortByDigits() {
  constexpr int kDigitBits = 11;
  constexpr std::int64_t kDigits = std::int64_t{1} << kDigitBits;
  std::vector<Entry> sorted(entries_.size());
  const auto sort_by = [&](auto&& number_of) {
    std::int64_t largest = 0;
    for (const Entry& entry : entries_) largest = std::max(largest, number_of(entry));
    for (int shift = 0; largest >> shift > 0; shift += kDigitBits) {
      const auto digit_of = [&](const Entry& entry) {
        return static_cast<std::size_t>((number_of(entry) >> shift) % kDigits);
      };
      std::array<std::size_t, kDigits> places{};
      for (const Entry& entry : entries_) ++places[digit_of(entry)];
      std::size_t begin = 0;
      for (std::size_t& place : places) begin += std::exchange(place, begin);
      for (const Entry& entry : entries_) sorted[places[digit_of(entry)]++] = entry;
      entries_.swap(sorted);
    }
  };
  if (n_columns_ > kWideColumns) {
    sort_by([](const Entry& entry) { return static_cast<std::int64_t>(entry.column); });
  }
  sort_by([](const Entry& entry) { return entry.row; });
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
    row_begin = entry.row == row ? row_begin : static_cast<std::int64_t>(n_kept);
    row = entry.row;
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

bool EventList::IsBefore(std::int64_t row, std::int64_t column, std::int64_t other_row,
                         std::int64_t other_column) const {
  if (n_columns_ <= kWideColumns || row != other_row) return row < other_row;
  return column < other_column;
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
      const auto found =
          std::lower_bound(entries_.begin() + static_cast<std::ptrdiff_t>(i), entries_.end(), r,
                           [&](const Entry& entry, std::int64_t row_sought) {
                             return IsBefore(entry.row, entry.column, row_sought, column);
                           });
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
