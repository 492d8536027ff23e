#include "event_rows.h"

#include <algorithm>

#include "floating_point_mode.h"

namespace expsyn {

namespace {

// Rows are made before they are asked for, as each time costs as much as several events. So many
// bytes stay in the first-level cache.
constexpr std::int64_t kBytesAhead = 16 << 10;

}  // namespace

template <typename Real>
EventRows<Real>::EventRows(const Raster& raster, std::int64_t column, std::int64_t n_synapses,
                           bool is_repeated, const InputFactors<Real>& factors)
    : raster_(raster),
      column_(column),
      width_(n_synapses),
      is_repeated_(is_repeated),
      factors_(factors) {}

template <typename Real>
void EventRows<Real>::Make(std::int64_t step, std::int64_t n_rows, std::int64_t earlier) {
  // A multiple of what is asked for, so that none is made twice.
  constexpr auto kAhead = kBytesAhead / static_cast<std::int64_t>(sizeof(Real));
  const std::int64_t n_times = std::max<std::int64_t>(kAhead / (n_rows * width_), 1);
  const std::size_t size = CheckedSize(n_rows * n_times * width_);
  if (size > rows_.size()) {
    rows_ = AlignedBuffer<Real>(size);
  } else {
    Clear();
  }
  n_set_ = 0;
  begin_ = step;
  end_ = std::min(step + n_rows * n_times, raster_.n_timesteps);
  earlier_ = earlier;
  AddEvents<false>(step, next_input_);
  if (earlier > 0) AddEvents<true>(step - earlier, next_delayed_);
}

template <typename Real>
void EventRows<Real>::Clear() {
  if (n_set_ > kFew) {
    std::fill_n(rows_.data(), (end_ - begin_) * width_, Real{0});
    return;
  }
  for (std::size_t i = 0; i < n_set_; ++i) rows_[set_[i]] = 0;
}

template <typename Real>
template <bool kAreDelayed>
void EventRows<Real>::AddEvents(std::int64_t step, EventList::Cursor& cursor) {
  const std::int64_t first_row = raster_.first_row + step;
  // Copies, which no store can change, so that they stay in registers.
  const InputFactors<Real> factors = factors_;
  const std::int64_t width = width_;
  Real* const rows = rows_.data();
  std::uint32_t* const set = set_.data();
  std::size_t n_set = n_set_;
  const auto put = [=, &n_set](std::int64_t row, std::int64_t synapse, double value) {
    Real element = Flushed(static_cast<Real>(Flushed(value)));
    if (factors.gain != nullptr) element = Flushed(element * factors.gain[synapse]);
    const std::int64_t index = (row - first_row) * width + synapse;
    if (kAreDelayed) element = rows[index] - Flushed(factors.tail_weight[synapse] * element);
    rows[index] = element;
    if (n_set < kFew) set[n_set] = static_cast<std::uint32_t>(index);
    ++n_set;
  };
  const std::int64_t n_rows = end_ - begin_;
  if (is_repeated_) {
    const auto put_all = [=](std::int64_t row, std::int64_t, double value) {
      for (std::int64_t synapse = 0; synapse < width; ++synapse) put(row, synapse, value);
    };
    raster_.events->ForEach(first_row, n_rows, column_, 1, cursor, put_all);
  } else {
    raster_.events->ForEach(first_row, n_rows, column_, width, cursor, put);
  }
  n_set_ = n_set;
}

template class EventRows<float>;
template class EventRows<double>;

}  // namespace expsyn
