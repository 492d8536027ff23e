#include "events.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <stdexcept>
#include <utility>

namespace expsyn {

namespace {

// So many events are sorted by digits.
constexpr std::size_t kManyEvents = 1024;

// The number of events and columns that entries can tell apart.
constexpr std::int64_t kMost = 0xffff'ffff;

}  // namespace

// Adds up what comes in order, one entry an element. The entries that come may be those of the list
// itself, which are written over.
class EventList::Sums {
 public:
  explicit Sums(EventList& list)
      : entries_(list.entries_.get()),
        values_(list.has_values_ ? list.values_.data() : nullptr),
        is_wide_(list.n_columns_ > kWideColumns),
        latest_(static_cast<std::size_t>(list.n_columns_), {-1, 0}) {}

  // Adds entries and values that entry_at(i) and value_at(i) return, for i < n, until one comes
  // before an earlier one. Returns how many were added.
  template <typename EntryAt, typename ValueAt>
  std::size_t Add(std::size_t n, EntryAt entry_at, ValueAt value_at) {
    return values_ == nullptr ? AddAll<false>(n, entry_at, value_at)
                              : AddAll<true>(n, entry_at, value_at);
  }

  std::uint32_t size() const { return size_; }

 private:
  struct Latest {
    std::int64_t row;
    std::uint32_t index;
  };

  template <bool kHasValues, typename EntryAt, typename ValueAt>
  std::size_t AddAll(std::size_t n, EntryAt entry_at, ValueAt value_at) {
    // Copies, which no store can change, so that they stay in registers.
    Entry* const entries = entries_;
    double* const values = values_;
    Latest* const latest = latest_.data();
    const bool is_wide = is_wide_;
    std::uint32_t size = size_;
    Entry last = last_;
    std::size_t i = 0;
    for (; i < n; ++i) {
      const Entry entry = entry_at(i);
      if (IsBefore(entry, last, is_wide)) break;
      last = entry;
      Latest& of_column = latest[entry.column];
      // Not whether the row is a new one, which no processor can predict.
      if (of_column.row == entry.row) {
        entries[of_column.index].count += entry.count;
        if (kHasValues) values[of_column.index] += value_at(i);
        continue;
      }
      of_column = {entry.row, size};
      entries[size] = entry;
      if (kHasValues) values[size] = value_at(i);
      ++size;
    }
    size_ = size;
    last_ = last;
    return i;
  }

  Entry* const entries_;
  double* const values_;
  const bool is_wide_;
  // Of each column, the latest entry.
  std::vector<Latest> latest_;
  std::uint32_t size_ = 0;
  Entry last_{-1, 0, 0};
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
}

void EventList::AddUp(EventReader& reader, EventFaults& faults) {
  const auto read_entry = [&](std::size_t i) { return Entry{reader.Row(i), reader.Column(i), 1}; };
  const auto read_value = [&](std::size_t i) { return reader.Value(i); };
  Sums sums(*this);
  bool is_in_order = true;
  while (reader.Next(faults)) {
    std::size_t i = 0;
    if (is_in_order) {
      i = sums.Add(reader.size(), read_entry, read_value);
      is_in_order = i == reader.size();
      size_ = sums.size();
    }
    // Once one has come late, none is added up, as it would be before earlier ones of its element.
    for (; i < reader.size(); ++i) {
      if (has_values_) values_[size_] = reader.Value(i);
      entries_[size_++] = read_entry(i);
    }
  }
  if (is_in_order) return;
  Sort();
  Sums sorted_sums(*this);
  sorted_sums.Add(
      size_, [this](std::size_t i) { return entries_[i]; },
      [this](std::size_t i) { return values_[i]; });
  size_ = sorted_sums.size();
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
                     [this](const Entry& a, const Entry& b) {
                       return IsBefore(a, b, n_columns_ > kWideColumns);
                     });
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
  for (std::size_t i = 0; i < size_; ++i) {
    const double value = ValueOf(i);
    // False for NaN.
    if (!(value >= 0 && value <= largest && std::floor(value) == value)) return false;
  }
  return true;
}

std::size_t EventList::FirstOf(std::int64_t row, Cursor cursor) const {
  const std::size_t next = cursor.next;
  const bool is_first = next <= size_ && (next == size_ || entries_[next].row >= row) &&
                        (next == 0 || entries_[next - 1].row < row);
  if (is_first) return next;
  const Entry* found =
      std::lower_bound(begin(), end(), row,
                       [](const Entry& entry, std::int64_t wanted) { return entry.row < wanted; });
  return static_cast<std::size_t>(found - begin());
}

std::size_t EventList::FirstInRow(std::size_t i, std::int64_t row, std::int64_t column) const {
  const Entry sought{row, static_cast<std::uint32_t>(column), 0};
  const Entry* found = std::lower_bound(
      begin() + i, end(), sought,
      [](const Entry& entry, const Entry& other) { return IsBefore(entry, other, true); });
  return static_cast<std::size_t>(found - begin());
}

template <typename T>
void EventList::Fill(std::int64_t row, std::int64_t n_rows, std::int64_t column,
                     std::int64_t n_columns, T* target, std::int64_t stride) const {
  for (std::int64_t r = 0; r < n_rows; ++r) std::fill_n(target + r * stride, n_columns, T{0});
  Cursor cursor;
  ForEach(row, n_rows, column, n_columns, cursor,
          [=](std::int64_t r, std::int64_t c, double value) {
            target[(r - row) * stride + c] = static_cast<T>(value);
          });
}

double EventList::ElementAt(std::int64_t row, std::int64_t column) const {
  double element = 0;
  Fill(row, 1, column, 1, &element, 1);
  return element;
}

bool EventList::AreFinite(std::int64_t row, std::int64_t n_rows, std::int64_t* bad_row,
                          std::int64_t* bad_column) const {
  if (!has_values_) return true;
  const std::size_t last = FirstOf(row + n_rows, {});
  const Entry* bad = nullptr;
  for (std::size_t i = FirstOf(row, {}); i < last; ++i) {
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

template void EventList::Fill(std::int64_t, std::int64_t, std::int64_t, std::int64_t,
                              std::uint16_t*, std::int64_t) const;
template void EventList::Fill(std::int64_t, std::int64_t, std::int64_t, std::int64_t, float*,
                              std::int64_t) const;
template void EventList::Fill(std::int64_t, std::int64_t, std::int64_t, std::int64_t, double*,
                              std::int64_t) const;

}  // namespace expsyn
