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

  // The element type that holds all elements exactly and takes the least memory: kUint8 or
  // kFloat64.
  ElementType type() const { return type_; }
  // Whether all elements are whole numbers up to `largest`.
  bool AreCountsUpTo(double largest) const;

  // A place in the list. Reading row after row from one takes less time than searching each.
  struct Cursor {
    std::size_t next = 0;
  };

  // target[(r - row) * stride + (c - column)] = the element of row r and column c, for n_rows rows
  // and n_columns columns, converted to T.
  template <typename T>
  void Fill(std::int64_t row, std::int64_t n_rows, std::int64_t column, std::int64_t n_columns,
            T* target, std::int64_t stride, Cursor* cursor = nullptr) const;

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

  // Whether an entry comes before another: by row and, if there are many columns, by column.
  bool IsBefore(const Entry& entry, const Entry& other) const;
  // The index of the first entry of row `row` or a later one.
  std::size_t FirstOf(std::int64_t row, const Cursor* cursor = nullptr) const;
  double ValueOf(std::size_t index) const {
    return has_values_ ? values_[index] : static_cast<double>(entries_[index].count);
  }
  const Entry* begin() const { return entries_.get(); }
  const Entry* end() const { return entries_.get() + size_; }

  void AddUp(EventReader& reader, EventFaults& faults);
  void Keep(const Sums& sums);
  void AddFaultsOfSums(EventReader& reader, EventFaults& faults) const;
  void Sort();
  void SortByDigits();

  std::int64_t n_columns_;
  bool has_values_;  // else the counts are the values
  // With room for all events. No vector, which would fill it with zeros first.
  std::unique_ptr<Entry[]> entries_;
  std::size_t size_ = 0;
  std::vector<double> values_;  // one an entry
  std::uint32_t largest_count_ = 0;
  ElementType type_ = ElementType::kUint8;
  std::vector<EventFault> faults_;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_EVENTS_H_
