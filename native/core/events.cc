#include "events.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <stdexcept>
#include <utility>

namespace expsyn {

namespace {

// The events of a row of more columns are in their order, so that a part of them is found fast.
constexpr std::int64_t kWideColumns = 1024;

// So many events are sorted by digits.
constexpr std::size_t kManyEvents = 1024;

// The number of events and columns that entries can tell apart.
constexpr std::int64_t kMost = 0xffff'ffff;

}  // namespace

// Adds up what comes row by row, one entry an element. The entries that come may be those of the
// list itself, which are written over.
class EventList::Sums {
 public:
  explicit Sums(EventList& list)
      : entries_(list.entries_.get()),
        values_(list.has_values_ ? list.values_.data() : nullptr),
        places_(static_cast<std::size_t>(list.n_columns_), 0) {}

  void Add(const Entry& entry, double value) {
    row_begin_ = entry.row == row_ ? row_begin_ : size_;
    row_ = entry.row;
    std::uint32_t& place = places_[entry.column];
    if (place > row_begin_) {
      Entry& sum = entries_[place - 1];
      sum.count += entry.count;
      largest_count_ = std::max(largest_count_, sum.count);
      if (values_ != nullptr) values_[place - 1] += value;
      return;
    }
    entries_[size_] = entry;
    if (values_ != nullptr) values_[size_] = value;
    largest_count_ = std::max(largest_count_, entry.count);
    place = ++size_;
  }

  std::uint32_t size() const { return size_; }
  std::uint32_t largest_count() const { return largest_count_; }

 private:
  Entry* const entries_;
  double* const values_;
  // Of each column's latest entry, counted from 1; 0 as long as there is none.
  std::vector<std::uint32_t> places_;
  std::uint32_t size_ = 0;
  std::uint32_t row_begin_ = 0;
  std::int64_t row_ = -1;
  std::uint32_t largest_count_ = 0;
};

EventList::EventList(const GivenEvents& given, std::int64_t n_batches, std::int64_t n_timesteps,
                     std::int64_t n_columns, bool is_first_only)
    : n_columns_(n_columns), has_values_(given.HaveValues()) {
  const std::int64_t n_events = given.times.size();
  if (n_events > kMost || n_columns > kMost) throw std::length_error("too many events or channels");
  entries_.reset(new Entry[static_cast<std::size_t>(n_events)]);
  if (has_values_) values_.resize(static_cast<std::size_t>(n_events));
  EventFaults faults(is_first_only);
  EventReader reader(given, n_batches, n_timesteps, n_columns);
  AddUp(reader, faults);
  values_.resize(has_values_ ? size_ : 0);
  if (given.throws_non_finite) AddFaultsOfSums(reader, faults);
  faults_ = faults.List();
  constexpr double kMostOfByte = 255;
  type_ = AreCountsUpTo(kMostOfByte) ? ElementType::kUint8 : ElementType::kFloat64;
}

void EventList::AddUp(EventReader& reader, EventFaults& faults) {
  Sums sums(*this);
  Entry last{-1, 0, 1};
  bool is_in_order = true;
  while (reader.Next(faults)) {
    for (std::size_t i = 0; i < reader.size(); ++i) {
      const Entry entry{reader.Row(i), reader.Column(i), 1};
      if (is_in_order && IsBefore(entry, last)) {
        is_in_order = false;
        size_ = sums.size();
      }
      last = entry;
      if (is_in_order) {
        sums.Add(entry, reader.Value(i));
      } else {
        // Not even those of a row, as they would be added before earlier ones of other rows are.
        if (has_values_) values_[size_] = reader.Value(i);
        entries_[size_++] = entry;
      }
    }
  }
  if (is_in_order) {
    Keep(sums);
    return;
  }
  Sort();
  Sums sorted_sums(*this);
  for (std::size_t i = 0; i < size_; ++i) {
    sorted_sums.Add(entries_[i], has_values_ ? values_[i] : 1);
  }
  Keep(sorted_sums);
}

void EventList::Keep(const Sums& sums) {
  size_ = sums.size();
  largest_count_ = sums.largest_count();
}

// Finds elements whose sum is too large. Of the events of each, the first one is named.
void EventList::AddFaultsOfSums(EventReader& reader, EventFaults& faults) const {
  if (!has_values_) return;
  std::set<std::pair<std::int64_t, std::uint32_t>> overflowed;
  for (std::size_t i = 0; i < size_; ++i) {
    if (!std::isfinite(values_[i])) overflowed.emplace(entries_[i].row, entries_[i].column);
  }
  if (overflowed.empty()) return;
  reader.Rewind();
  while (reader.Next(faults)) {
    for (std::size_t i = 0; i < reader.size(); ++i) {
      if (overflowed.count({reader.Row(i), reader.Column(i)}) == 0) continue;
      faults.Add({reader.Item(i), reader.Index(i), EventFaultKind::kValue});
    }
  }
}

void EventList::Sort() {
  if (has_values_) {
    for (std::size_t i = 0; i < size_; ++i) entries_[i].count = static_cast<std::uint32_t>(i);
  }
  if (size_ < kManyEvents) {
    std::stable_sort(entries_.get(), entries_.get() + size_,
                     [this](const Entry& a, const Entry& b) { return IsBefore(a, b); });
  } else {
    SortByDigits();
  }
  if (!has_values_) return;
  std::vector<double> sorted(values_.size());
  for (std::size_t i = 0; i < size_; ++i) sorted[i] = values_[entries_[i].count];
  values_ = std::move(sorted);
}

// Digit by digit, the lowest first, each by counting: a pass takes the same time for each event,
// however many there are.
void EventList::SortByDigits() {
  constexpr int kDigitBits = 11;
  constexpr std::int64_t kDigits = std::int64_t{1} << kDigitBits;
  std::unique_ptr<Entry[]> sorted(new Entry[size_]);
  const auto sort_by = [&](auto&& number_of) {
    std::int64_t largest = 0;
    for (const Entry& entry : *this) largest = std::max(largest, number_of(entry));
    for (int shift = 0; largest >> shift > 0; shift += kDigitBits) {
      const auto digit_of = [&](const Entry& entry) {
        return static_cast<std::size_t>((number_of(entry) >> shift) % kDigits);
      };
      std::array<std::size_t, kDigits> places{};
      for (const Entry& entry : *this) ++places[digit_of(entry)];
      std::size_t begin = 0;
      for (std::size_t& place : places) begin += std::exchange(place, begin);
      for (const Entry& entry : *this) sorted[places[digit_of(entry)]++] = entry;
      entries_.swap(sorted);
    }
  };
  if (n_columns_ > kWideColumns) {
    sort_by([](const Entry& entry) { return static_cast<std::int64_t>(entry.column); });
  }
  sort_by([](const Entry& entry) { return entry.row; });
}

bool EventList::AreCountsUpTo(double largest) const {
  if (!has_values_) return static_cast<double>(largest_count_) <= largest;
  return std::all_of(values_.begin(), values_.end(), [&](double value) {
    // False for NaN.
    return value >= 0 && value <= largest && std::floor(value) == value;
  });
}

std::size_t EventList::FirstOf(std::int64_t row, const Cursor* cursor) const {
  const auto is_first = [&](std::size_t index) {
    return (index == size_ || entries_[index].row >= row) &&
           (index == 0 || entries_[index - 1].row < row);
  };
  if (cursor != nullptr && cursor->next <= size_ && is_first(cursor->next)) return cursor->next;
  const Entry* found =
      std::lower_bound(begin(), end(), row,
                       [](const Entry& entry, std::int64_t wanted) { return entry.row < wanted; });
  return static_cast<std::size_t>(found - begin());
}

bool EventList::IsBefore(const Entry& entry, const Entry& other) const {
  if (n_columns_ <= kWideColumns || entry.row != other.row) return entry.row < other.row;
  return entry.column < other.column;
}

template <typename T>
void EventList::Fill(std::int64_t row, std::int64_t n_rows, std::int64_t column,
                     std::int64_t n_columns, T* target, std::int64_t stride, Cursor* cursor) const {
  if (stride == n_columns) {
    std::fill_n(target, n_rows * n_columns, T{0});
  } else {
    for (std::int64_t r = 0; r < n_rows; ++r) std::fill_n(target + r * stride, n_columns, T{0});
  }
  const auto put = [&](std::size_t index) {
    const Entry& entry = entries_[index];
    const std::int64_t place = static_cast<std::int64_t>(entry.column) - column;
    target[(entry.row - row) * stride + place] = static_cast<T>(ValueOf(index));
  };
  std::size_t i = FirstOf(row, cursor);
  if (n_columns == n_columns_) {
    for (; i < size_ && entries_[i].row < row + n_rows; ++i) put(i);
  } else if (n_columns_ > kWideColumns) {
    for (std::int64_t r = row; r < row + n_rows; ++r) {
      const Entry sought{r, static_cast<std::uint32_t>(column), 0};
      const Entry* found = std::lower_bound(
          begin() + i, end(), sought,
          [this](const Entry& entry, const Entry& other) { return IsBefore(entry, other); });
      i = static_cast<std::size_t>(found - begin());
      for (; i < size_ && entries_[i].row == r && entries_[i].column < column + n_columns; ++i)
        put(i);
    }
    if (cursor != nullptr) *cursor = {FirstOf(row + n_rows)};
    return;
  } else {
    for (; i < size_ && entries_[i].row < row + n_rows; ++i) {
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
  if (!has_values_) return true;
  const std::size_t last = FirstOf(row + n_rows);
  const Entry* bad = nullptr;
  for (std::size_t i = FirstOf(row); i < last; ++i) {
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
