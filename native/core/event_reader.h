#ifndef EXPSYN_CORE_EVENT_READER_H_
#define EXPSYN_CORE_EVENT_READER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "event_clock.h"
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
  // The number of steps of each item, if they differ. Later events of the raster are left out.
  const std::int64_t* lengths = nullptr;

  bool HaveValues() const { return values.data != nullptr || weighing != nullptr; }
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

// The faults that are kept: the one that comes first in the list, or the first one of each item.
class EventFaults {
 public:
  explicit EventFaults(bool is_first_only) : is_first_only_(is_first_only) {}

  void Add(EventFault fault);
  // Ascending by item; those of no item come first.
  std::vector<EventFault> List() const;

 private:
  bool is_first_only_;
  std::map<std::int64_t, EventFault> by_item_;
};

// Reads the events of a list that have a place in a raster of shape (n_batches, n_timesteps,
// n_columns), some at a time, in their order. Row batch * T + t is step t of an item.
class EventReader {
 public:
  // The list must outlive the reader.
  EventReader(const GivenEvents& given, std::int64_t n_batches, std::int64_t n_timesteps,
              std::int64_t n_columns);

  // Begins anew.
  void Rewind() { next_ = 0; }
  // Goes on to further events, which may be none. Returns false at the end of the list. Adds the
  // faults of those that have no place.
  bool Next(EventFaults& faults);

  // Of the events that were read last.
  std::size_t size() const { return size_; }
  std::int64_t Row(std::size_t i) const { return items_[i] * n_timesteps_ + step_indices_[i]; }
  std::int64_t Item(std::size_t i) const { return items_[i]; }
  std::uint32_t Column(std::size_t i) const { return static_cast<std::uint32_t>(columns_[i]); }
  double Value(std::size_t i) const { return values_[i]; }
  // Of an event in the list.
  std::int64_t Index(std::size_t i) const {
    return has_all_ ? first_ + static_cast<std::int64_t>(i) : indices_[i];
  }

 private:
  static constexpr std::size_t kChunk = 1024;
  using Numbers = std::array<double, kChunk>;
  using Indices = std::array<std::int64_t, kChunk>;

  void Read(const Raster& list, Numbers& numbers) const;
  // Whether the numbers are below `end`; they are then converted.
  bool Convert(const Numbers& numbers, std::int64_t end, Indices& indices) const;
  bool HaveAllPlaces();
  void KeepThoseWithPlace(EventFaults& faults);
  // Whether an event has a place; else adds its fault, unless it may be left out.
  bool HasPlace(std::size_t i, EventFaults& faults) const;
  void Weigh();

  const GivenEvents& given_;
  const std::int64_t n_batches_;
  const std::int64_t n_timesteps_;
  const std::int64_t n_columns_;
  // Without them, all events are of item 0, if there is one.
  const bool has_batches_;
  const EventClock clock_;
  std::int64_t next_ = 0;
  // Where in the list the events begin, and whether they are all that follow there.
  std::int64_t first_ = 0;
  bool has_all_ = true;
  std::size_t size_ = 0;
  Numbers times_, channels_, values_, batches_, steps_;
  // The same as whole numbers, and those of the events in the list.
  Indices step_indices_, columns_, items_, indices_;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_EVENT_READER_H_
