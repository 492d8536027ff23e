#ifndef EXPSYN_CORE_INPUT_ROWS_H_
#define EXPSYN_CORE_INPUT_ROWS_H_

#include <algorithm>
#include <cstdint>
#include <utility>

#include "aligned_buffer.h"
#include "events.h"
#include "raster.h"

namespace expsyn {

// Some rows in memory, and the rows one window earlier, which leave the window in these rows.
struct Source {
  ElementType type;
  const void* input;
  const void* delayed;  // null while the window is not full
  std::int64_t stride;
  bool is_repeated;  // whether a row is one value, which all synapses receive
};

// The rows of a list of events for some neighbouring columns, made as they are needed.
template <typename T>
class EventRows {
 public:
  // The raster must outlive the rows.
  EventRows(const Raster& raster, std::int64_t column, std::int64_t n_columns)
      : raster_(raster), column_(column), n_columns_(n_columns) {}

  // n_rows rows from `step` on. Earlier ones are forgotten. Valid until the next call.
  const T* At(std::int64_t step, std::int64_t n_rows) {
    if (step < begin_ || step > end_) begin_ = end_ = step;
    if (step + n_rows > end_) MakeMore(step, n_rows);
    return rows_.data() + (step - begin_) * n_columns_;
  }

 private:
  // Rows are made before they are asked for, as each time costs as much as several events. So many
  // bytes stay in the first-level cache.
  static constexpr std::int64_t kBytesAhead = 4096;

  void MakeMore(std::int64_t step, std::int64_t n_rows) {
    const std::int64_t n_ahead = kBytesAhead / (n_columns_ * static_cast<std::int64_t>(sizeof(T)));
    const std::int64_t end = std::min(std::max(step + n_rows, end_ + n_ahead), raster_.n_timesteps);
    const std::int64_t n_places = static_cast<std::int64_t>(rows_.size()) / n_columns_;
    if (end - begin_ > n_places) {
      // Twice as many as are asked for, so that moving rows to the front costs little.
      const std::int64_t n_wanted = std::min(2 * n_rows + n_ahead, raster_.n_timesteps);
      AlignedBuffer<T> larger;
      if (n_wanted > n_places) larger = AlignedBuffer<T>(CheckedSize(n_wanted * n_columns_));
      T* const target = n_wanted > n_places ? larger.data() : rows_.data();
      std::copy_n(rows_.data() + (step - begin_) * n_columns_, (end_ - step) * n_columns_, target);
      if (n_wanted > n_places) rows_ = std::move(larger);
      begin_ = step;
    }
    raster_.events->Fill(raster_.first_row + end_, end - end_, column_, n_columns_,
                         rows_.data() + (end_ - begin_) * n_columns_, n_columns_, &next_);
    end_ = end;
  }

  const Raster& raster_;
  std::int64_t column_;
  std::int64_t n_columns_;
  // Rows begin_ to end_ - 1.
  AlignedBuffer<T> rows_;
  std::int64_t begin_ = 0;
  std::int64_t end_ = 0;
  EventList::Cursor next_;
};

// The rows of an input for some neighbouring synapses: where they are in memory, or, if events give
// the input, made some at a time, as bytes where these hold all elements, else as Real.
template <typename Real>
class InputRows {
 public:
  // `n_all` is the number of synapses of the kernel. The raster must outlive the rows.
  InputRows(const Raster& raster, std::int64_t n_all, std::int64_t first_synapse,
            std::int64_t n_synapses)
      : raster_(raster),
        first_(raster.n_columns == 1 ? 0 : first_synapse),
        width_(raster.n_columns == 1 ? 1 : n_synapses),
        is_repeated_(raster.n_columns == 1 && n_all > 1),
        bytes_(raster_, first_, width_),
        delayed_bytes_(raster_, first_, width_),
        rows_(raster_, first_, width_),
        delayed_rows_(raster_, first_, width_) {}

  // The rows from `step` on. If `earlier` is positive, the delayed ones are so many steps before.
  // Valid until the next call.
  Source At(std::int64_t step, std::int64_t n_rows, std::int64_t earlier = 0) {
    const bool has_delayed = earlier > 0;
    if (raster_.events == nullptr) {
      return {raster_.type, AddressOf(step), has_delayed ? AddressOf(step - earlier) : nullptr,
              raster_.n_columns, is_repeated_};
    }
    if (raster_.events->type() == ElementType::kUint8) {
      return Made(ElementType::kUint8, bytes_, delayed_bytes_, step, n_rows, earlier);
    }
    return Made(kElementTypeOf<Real>, rows_, delayed_rows_, step, n_rows, earlier);
  }

  // Where the row of `step` will be read, so that it can be brought to the cache; null if it is not
  // in memory.
  const void* AddressOf(std::int64_t step) const {
    if (raster_.events != nullptr) return nullptr;
    return raster_.AddressOf(raster_.IndexOf(0, step, first_));
  }

 private:
  // The rows of a window stay in memory if they take at most so many bytes, which the second-level
  // cache holds. Those of longer windows are made twice.
  static constexpr std::int64_t kMaxKeptBytes = 128 << 10;

  template <typename T>
  Source Made(ElementType type, EventRows<T>& rows, EventRows<T>& delayed_rows, std::int64_t step,
              std::int64_t n_rows, std::int64_t earlier) {
    if (earlier == 0) return {type, rows.At(step, n_rows), nullptr, width_, is_repeated_};
    if (earlier * width_ * static_cast<std::int64_t>(sizeof(T)) <= kMaxKeptBytes) {
      const T* const delayed = rows.At(step - earlier, earlier + n_rows);
      return {type, delayed + earlier * width_, delayed, width_, is_repeated_};
    }
    return {type, rows.At(step, n_rows), delayed_rows.At(step - earlier, n_rows), width_,
            is_repeated_};
  }

  const Raster& raster_;
  std::int64_t first_;
  std::int64_t width_;
  bool is_repeated_;
  EventRows<std::uint8_t> bytes_, delayed_bytes_;
  EventRows<Real> rows_, delayed_rows_;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_INPUT_ROWS_H_
