#ifndef EXPSYN_CORE_EVENTS_H_
#define EXPSYN_CORE_EVENTS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "event_reader.h"
#include "raster.h"

namespace expsyn {

// The elements of a raster that are not 0, by row; several events of one element are one entry, the
// sum of their values in the order of the list. Row batch * T + t is step t of an item.
class EventList {
 public:
  // The events of a raster of shape (n_batches, n_timesteps, n_columns), and the faults. If there
  // are any, the events of their items are incomplete. With `is_first_only`, there is at most the
  // fault that comes first in the list; otherwise there is one an item, ascending, the first of
  // each, after the first of those without an item. Throws std::bad_alloc, and std::length_error
  // for 2^32 events or columns and more.
  EventList(const GivenEvents& given, std::int64_t n_batches, std::int64_t n_timesteps,
            std::int64_t n_columns, bool is_first_only);

  const std::vector<EventFault>& faults() const { return faults_; }

  // Whether all elements are whole numbers up to `largest`.
  bool AreCountsUpTo(double largest) const;

  // A place in the list. Reading row after row from one takes less time than searching each.
  struct Cursor {
    std::size_t next = 0;
  };

  // Calls visit(r, c - column, value) for each element of n_rows rows and n_columns columns that is
  // not 0, where r is its row and c its column, row by row.
  template <typename Visit>
  void ForEach(std::int64_t row, std::int64_t n_rows, std::int64_t column, std::int64_t n_columns,
               Cursor& cursor, Visit visit) const;

  // target[(r - row) * stride + (c - column)] = the element of row r and column c, for n_rows rows
  // and n_columns columns, converted to T.
  template <typename T>
  void Fill(std::int64_t row, std::int64_t n_rows, std::int64_t column, std::int64_t n_columns,
            T* target, std::int64_t stride) const;

  // The element of a row and column.
  double ElementAt(std::int64_t row, std::int64_t column) const;
  // Whether all elements of n_rows rows are finite; else the place of the first one that is not.
  bool AreFinite(std::int64_t row, std::int64_t n_rows, std::int64_t* bad_row,
                 std::int64_t* bad_column) const;

 private:
  struct Entry {
    std::int64_t row;
    std::uint32_t column;
    std::uint32_t count;  // of events, or the number of the value while entries are sorted
  };

  class Sums;

  // The events of a row of more columns are in their order, so that a part of them is found fast.
  static constexpr std::int64_t kWideColumns = 1024;

  // Whether an entry comes before another: by row and, if rows are wide, by column.
  static bool IsBefore(const Entry& entry, const Entry& other, bool are_wide) {
    return entry.row < other.row ||
           (are_wide && entry.row == other.row && entry.column < other.column);
  }
  // The index of the first entry of row `row` or a later one.
  std::size_t FirstOf(std::int64_t row, Cursor cursor) const;
  // The index of the first entry from index `i` on that is of row `row` and of column `column`, or
  // comes after it. For rows of many columns.
  std::size_t FirstInRow(std::size_t i, std::int64_t row, std::int64_t column) const;
  double ValueOf(std::size_t index) const {
    return has_values_ ? values_[index] : static_cast<double>(entries_[index].count);
  }
  const Entry* begin() const { return entries_.get(); }
  const Entry* end() const { return entries_.get() + size_; }

  void AddUp(EventReader& reader, EventFaults& faults);
  void AddFaultsOfSums(EventReader& reader, EventFaults& faults) const;
  void Sort();
  void SortByDigits();

  std::int64_t n_columns_;
  bool has_values_;  // else the counts are the values
  // With room for all events. No vector, which would fill it with zeros first.
  std::unique_ptr<Entry[]> entries_;
  std::size_t size_ = 0;
  std::vector<double> values_;  // one an entry
  std::vector<EventFault> faults_;
};

template <typename Visit>
inline void EventList::ForEach(std::int64_t row, std::int64_t n_rows, std::int64_t column,
                               std::int64_t n_columns, Cursor& cursor, Visit visit) const {
  // Copies, which no store of the visitor can change, so that they stay in registers.
  const Entry* const entries = entries_.get();
  const double* const values = values_.data();
  const std::size_t size = size_;
  const std::int64_t end_row = row + n_rows;
  const bool is_searched = n_columns < n_columns_ && n_columns_ > kWideColumns;
  std::size_t i = FirstOf(row, cursor);
  const auto visit_all = [&](auto&& value_at) {
    while (i < size && entries[i].row < end_row) {
      const Entry entry = entries[i];
      const std::int64_t c = static_cast<std::int64_t>(entry.column) - column;
      if (static_cast<std::uint64_t>(c) < static_cast<std::uint64_t>(n_columns)) {
        visit(entry.row, c, value_at(i));
        ++i;
      } else if (!is_searched) {
        ++i;
      } else {
        i = c < 0 ? FirstInRow(i, entry.row, column) : FirstOf(entry.row + 1, {});
      }
    }
  };
  if (has_values_) {
    visit_all([=](std::size_t index) { return values[index]; });
  } else {
    visit_all([=](std::size_t index) { return static_cast<double>(entries[index].count); });
  }
  cursor = {i};
}

}  // namespace expsyn

#endif  // EXPSYN_CORE_EVENTS_H_
