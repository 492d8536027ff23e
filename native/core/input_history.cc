#include "input_history.h"

#include <cmath>
#include <utility>

namespace expsyn {

InputHistory::InputHistory(std::int64_t n_synapses, std::int64_t n_rows, ElementType dtype,
                           std::shared_ptr<std::atomic<std::size_t>> total)
    : n_synapses_(n_synapses),
      n_rows_(n_rows),
      is_single_(dtype == ElementType::kFloat32),
      n_finite_(n_rows),
      total_(std::move(total)) {
  const std::size_t size = CheckedProduct(CheckedSize(n_rows), CheckedSize(n_synapses));
  if (is_single_) {
    values32_ = AlignedBuffer<float>(size);
  } else {
    values64_ = AlignedBuffer<double>(size);
  }
  *total_ += OwnBytes();
}

InputHistory::~InputHistory() {
  SetCache(nullptr);
  *total_ -= OwnBytes();
}

std::size_t InputHistory::OwnBytes() const {
  return sizeof(InputHistory) + values32_.size() * sizeof(float) +
         values64_.size() * sizeof(double);
}

void InputHistory::SetCache(std::unique_ptr<SessionCache> cache) {
  if (cache_ != nullptr) *total_ -= cache_->size_in_bytes();
  cache_ = std::move(cache);
  if (cache_ != nullptr) *total_ += cache_->size_in_bytes();
}

void InputHistory::Clear() {
  const std::lock_guard<std::mutex> guard(lock_);
  std::fill_n(values32_.data(), values32_.size(), 0.0F);
  std::fill_n(values64_.data(), values64_.size(), 0.0);
  n_finite_ = n_rows_;
  SetCache(nullptr);
}

void InputHistory::WriteRow(const double* row) {
  newest_ = newest_ + 1 == n_rows_ ? 0 : newest_ + 1;
  const std::int64_t first = newest_ * n_synapses_;
  bool is_finite = true;
  for (std::int64_t n = 0; n < n_synapses_; ++n) {
    is_finite = is_finite && std::isfinite(row[n]);
    if (is_single_) {
      values32_[static_cast<std::size_t>(first + n)] = static_cast<float>(row[n]);
    } else {
      values64_[static_cast<std::size_t>(first + n)] = row[n];
    }
  }
  n_finite_ = is_finite ? std::min(n_finite_ + 1, n_rows_) : 0;
}

void InputHistory::Write(State state) {
  const std::lock_guard<std::mutex> guard(lock_);
  n_finite_ = 0;
  for (std::int64_t p = n_rows_ - 1; p >= 0; --p) WriteRow(state.Plane(p));
  SetCache(nullptr);
}

void InputHistory::Append(State state, std::int64_t n_timesteps) {
  const std::lock_guard<std::mutex> guard(lock_);
  for (std::int64_t p = std::min(n_timesteps, n_rows_) - 1; p >= 0; --p) WriteRow(state.Plane(p));
}

void InputHistory::Read(NextState to) const {
  for (std::int64_t p = 0; p < n_rows_; ++p) {
    if (is_single_) {
      std::copy_n(Row<float>(p), n_synapses_, to.Plane(p));
    } else {
      std::copy_n(Row<double>(p), n_synapses_, to.Plane(p));
    }
  }
}

}  // namespace expsyn
