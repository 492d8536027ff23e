#ifndef EXPSYN_CORE_INPUT_ROWS_H_
#define EXPSYN_CORE_INPUT_ROWS_H_

#include <cstdint>

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
        is_repeated_(raster.n_columns == 1 && n_all > 1) {}

  // The rows from `step` on. If `earlier` is positive, the delayed ones are so many steps before.
  // Valid until the next call.
  Source At(std::int64_t step, std::int64_t n_rows, std::int64_t earlier = 0) {
    const bool has_delayed = earlier > 0;
    if (raster_.events == nullptr) {
      return {raster_.type, AddressOf(step), has_delayed ? AddressOf(step - earlier) : nullptr,
              raster_.n_columns, is_repeated_};
    }
    if (raster_.events->type() == ElementType::kUint8) {
      return {ElementType::kUint8, Fill(bytes_, step, n_rows, next_),
              has_delayed ? Fill(delayed_bytes_, step - earlier, n_rows, next_delayed_) : nullptr,
              width_, is_repeated_};
    }
    return {kElementTypeOf<Real>, Fill(rows_, step, n_rows, next_),
            has_delayed ? Fill(delayed_rows_, step - earlier, n_rows, next_delayed_) : nullptr,
            width_, is_repeated_};
  }

  // Where the row of `step` will be read, so that it can be brought to the cache; null if it is not
  // in memory.
  const void* AddressOf(std::int64_t step) const {
    if (raster_.events != nullptr) return nullptr;
    return raster_.AddressOf(raster_.IndexOf(0, step, first_));
  }

 private:
  template <typename T>
  const void* Fill(AlignedBuffer<T>& buffer, std::int64_t step, std::int64_t n_rows,
                   EventList::Cursor& cursor) {
    const auto size = static_cast<std::size_t>(n_rows * width_);
    if (buffer.size() < size) buffer = AlignedBuffer<T>(size);
    raster_.events->Fill(raster_.first_row + step, n_rows, first_, width_, buffer.data(), width_,
                         &cursor);
    return buffer.data();
  }

  const Raster& raster_;
  std::int64_t first_;
  std::int64_t width_;
  bool is_repeated_;
  AlignedBuffer<std::uint8_t> bytes_, delayed_bytes_;
  AlignedBuffer<Real> rows_, delayed_rows_;
  EventList::Cursor next_, next_delayed_;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_INPUT_ROWS_H_
