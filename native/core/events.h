#ifndef EXPSYN_CORE_EVENTS_H_
#define EXPSYN_CORE_EVENTS_H_

#include <atomic>
#include <cstdint>
#include <vector>

#include "raster.h"

namespace expsyn {

class Kernel;

// A list of events, as a caller has them: in any order. Owns nothing.
struct GivenEvents {
  // One element an event each. Times in seconds from the first step on.
  Raster times;
  Raster channels;
  Raster values;   // 1 each if there are none
  Raster batches;  // 0 each if there are none
  double dt = 0;   // seconds
  // Whether events before the first step and after the last are left out; else they are faults.
  bool is_outside_dropped = false;
  // Whether a value that is not finite is a fault.
  bool throws_non_finite = true;
  // For events that are weighed by where in their step they lie, as Kernel::EventWeight() says;
  // null for those that are not.
  const Kernel* weighing = nullptr;
  // The number of steps of each item, if they differ.
  const std::int64_t* lengths = nullptr;
};

// Why an event has no place in a raster.
enum class EventFaultKind {
  kTime,     // not finite
  kBefore,   // before the first step
  kAfter,    // after the last step
  kChannel,  // not one of the channels
  kBatch,    // not one of the items
  kValue,    // not finite, or its sum with others is not
};

struct EventFault {
  static constexpr std::int64_t kNoItem = -1;

  std::int64_t item;   // kNoItem for an event of none
  std::int64_t index;  // of the event in the list
  EventFaultKind kind;
};

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
  std::size_t size_in_bytes() const {
    return entries_.capacity() * sizeof(Entry) + values_.capacity() * sizeof(double);
  }

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

  // Whether the entry of a place comes before that of another: by row and, if there are many
  // columns, by column.
  bool IsBefore(std::int64_t row, std::int64_t column, std::int64_t other_row,
                std::int64_t other_column) const;
  // The index of the first entry of row `row` or a later one.
  std::size_t FirstOf(std::int64_t row, const Cursor* cursor = nullptr) const;
  double ValueOf(std::size_t index) const {
    return values_.empty() ? static_cast<double>(entries_[index].count) : values_[index];
  }
  void Sort();
  void SortByDigits();
  void AddUp();

  std::int64_t n_columns_;
  std::vector<Entry> entries_;
  std::vector<double> values_;  // one an entry, or none: the counts are the values
  ElementType type_ = ElementType::kUint8;
  std::vector<EventFault> faults_;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_EVENTS_H_
