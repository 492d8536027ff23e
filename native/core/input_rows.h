#ifndef EXPSYN_CORE_INPUT_ROWS_H_
#define EXPSYN_CORE_INPUT_ROWS_H_

#include <cstdint>

#include "event_rows.h"
#include "raster.h"

namespace expsyn {

// Some rows in memory, and the rows one window earlier, which leave the window in these rows.
template <typename Real>
struct Source {
  ElementType type;
  const void* input;
  const void* delayed;  // null while the window is not full, and if the input is free of tails
  std::int64_t stride;
  bool is_repeated;  // whether a row is one value, which all synapses receive
  const Real* gain;  // by which the rows are still to be multiplied; null if that is 1 for all
};

// The rows of an input for some neighbouring synapses: where they are in memory, or, if events give
// the input, made some at a time, without the tails that leave the window.
template <typename Real>
class InputRows {
 public:
  // `n_all` is the number of synapses of the kernel. The raster and the factors must outlive the
  // rows.
  InputRows(const Raster& raster, std::int64_t n_all, std::int64_t first_synapse,
            std::int64_t n_synapses, const InputFactors<Real>& factors)
      : raster_(raster),
        first_(raster.n_columns == 1 ? 0 : first_synapse),
        width_(n_synapses),
        is_repeated_(raster.n_columns == 1 && n_all > 1),
        gain_(factors.gain),
        events_(raster_, first_, width_, is_repeated_, factors) {}

  // The rows from `step` on. If `earlier` is positive, the delayed ones are so many steps before.
  // Valid until the next call.
  Source<Real> At(std::int64_t step, std::int64_t n_rows, std::int64_t earlier = 0) {
    if (raster_.events != nullptr) {
      const Real* const rows = events_.At(step, n_rows, earlier);
      return {kElementTypeOf<Real>, rows, nullptr, width_, false, nullptr};
    }
    return {raster_.type,      AddressOf(step), earlier > 0 ? AddressOf(step - earlier) : nullptr,
            raster_.n_columns, is_repeated_,    gain_};
  }

  // Where the row of `step` will be read, so that it can be brought to the cache; null if it is not
  // in memory.
  const void* AddressOf(std::int64_t step) const {
    if (raster_.events != nullptr) return nullptr;
    return raster_.AddressOf(raster_.IndexOf(0, step, first_));
  }

 private:
  const Raster& raster_;
  std::int64_t first_;
  std::int64_t width_;
  bool is_repeated_;
  const Real* gain_;
  EventRows<Real> events_;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_INPUT_ROWS_H_
