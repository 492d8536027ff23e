#ifndef EXPSYN_CORE_EVENT_ROWS_H_
#define EXPSYN_CORE_EVENT_ROWS_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "aligned_buffer.h"
#include "events.h"
#include "raster.h"

namespace expsyn {

// The factors of some neighbouring synapses; null for those that are 1 or not needed.
template <typename Real>
struct InputFactors {
  const Real* gain = nullptr;
  const Real* tail_weight = nullptr;
};

// The rows that a list of events gives some neighbouring synapses, made as they are needed:
//
//   row = gain * input - tail_weight * (gain * delayed)
//
// with the rounding that rows in memory have. Only the elements that have events are computed.
template <typename Real>
class EventRows {
 public:
  // The raster and the factors must outlive the rows. If they are repeated, every synapse receives
  // the events of the column.
  EventRows(const Raster& raster, std::int64_t column, std::int64_t n_synapses, bool is_repeated,
            const InputFactors<Real>& factors);

  // n_rows rows from `step` on, without gaps. If `earlier` is positive, the delayed ones are so
  // many steps before; otherwise nothing leaves the window. Valid until the next call.
  const Real* At(std::int64_t step, std::int64_t n_rows, std::int64_t earlier) {
    const bool are_made = earlier == earlier_ && step >= begin_ && step + n_rows <= end_;
    if (!are_made) Make(step, n_rows, earlier);
    return rows_.data() + (step - begin_) * width_;
  }

 private:
  // Up to so many elements are cleared one by one.
  static constexpr std::size_t kFew = 256;

  void Make(std::int64_t step, std::int64_t n_rows, std::int64_t earlier);
  void Clear();
  // Adds the events from `step` on to the rows, or subtracts their tails.
  template <bool kAreDelayed>
  void AddEvents(std::int64_t step, EventList::Cursor& cursor);

  const Raster& raster_;
  std::int64_t column_;
  std::int64_t width_;
  bool is_repeated_;
  InputFactors<Real> factors_;
  // Rows begin_ to end_ - 1; the rest is 0.
  AlignedBuffer<Real> rows_;
  std::int64_t begin_ = 0;
  std::int64_t end_ = 0;
  std::int64_t earlier_ = 0;
  // How many elements were set, and the indices of the first ones.
  std::size_t n_set_ = 0;
  std::array<std::uint32_t, kFew> set_;
  EventList::Cursor next_input_, next_delayed_;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_EVENT_ROWS_H_
