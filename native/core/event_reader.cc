#include "event_reader.h"

#include <algorithm>
#include <cmath>

#include "kernel/kernel.h"
#include "simd/ops.h"

namespace expsyn {

namespace {

// Whether a number is an index below `end`.
bool IsIndex(double number, std::int64_t end) {
  return number >= 0 && number < static_cast<double>(end) && std::floor(number) == number;
}

TimeSurvey SurveyTimes(const Raster& times) {
  TimeSurvey survey;
  survey.Add(times);
  return survey;
}

}  // namespace

void EventFaults::Add(EventFault fault) {
  const auto [found, is_new] = by_item_.try_emplace(is_first_only_ ? 0 : fault.item, fault);
  if (!is_new && fault.index < found->second.index) found->second = fault;
}

std::vector<EventFault> EventFaults::List() const {
  std::vector<EventFault> list;
  for (const auto& [item, fault] : by_item_) list.push_back(fault);
  return list;
}

EventReader::EventReader(const GivenEvents& given, std::int64_t n_batches, std::int64_t n_timesteps,
                         std::int64_t n_columns)
    : given_(given),
      n_batches_(n_batches),
      n_timesteps_(n_timesteps),
      n_columns_(n_columns),
      has_batches_(given.batches.data != nullptr || n_batches == 0),
      clock_(given.dt, SurveyTimes(given.times)) {
  values_.fill(1);
  batches_.fill(0);
  items_.fill(0);
}

bool EventReader::Next(EventFaults& faults) {
  const std::int64_t n_left = given_.times.size() - next_;
  if (n_left == 0) return false;
  first_ = next_;
  size_ = static_cast<std::size_t>(std::min<std::int64_t>(kChunk, n_left));
  next_ += static_cast<std::int64_t>(size_);
  Read(given_.times, times_);
  Read(given_.channels, channels_);
  Read(given_.values, values_);
  Read(given_.batches, batches_);
  clock_.StepsOf(times_.data(), static_cast<std::int64_t>(size_), steps_.data());
  has_all_ = HaveAllPlaces();
  if (!has_all_) KeepThoseWithPlace(faults);
  if (given_.weighing != nullptr) Weigh();
  return true;
}

// Leaves the numbers if the list is not given.
void EventReader::Read(const Raster& list, Numbers& numbers) const {
  if (list.data == nullptr) return;
  simd::OpsOf<double>().convert(list.type, list.data, first_, static_cast<std::int64_t>(size_),
                                numbers.data());
}

bool EventReader::Convert(const Numbers& numbers, std::int64_t end, Indices& indices) const {
  return simd::ActiveOps().convert_to_indices(numbers.data(), static_cast<std::int64_t>(size_),
                                              static_cast<double>(end), indices.data());
}

// Whether no event has to be left out, as is usual. That is asked for many at once, which takes a
// fraction of the time that a look at each takes.
bool EventReader::HaveAllPlaces() {
  const bool are_inside = Convert(steps_, n_timesteps_, step_indices_) &&
                          Convert(channels_, n_columns_, columns_) &&
                          (!has_batches_ || Convert(batches_, n_batches_, items_));
  if (!are_inside || given_.lengths != nullptr) return false;
  if (!given_.HaveValues() || !given_.throws_non_finite) return true;
  bool are_finite = true;
  for (std::size_t i = 0; i < size_; ++i) are_finite &= std::isfinite(values_[i]);
  return are_finite;
}

void EventReader::KeepThoseWithPlace(EventFaults& faults) {
  std::size_t n_kept = 0;
  for (std::size_t i = 0; i < size_; ++i) {
    if (!HasPlace(i, faults)) continue;
    indices_[n_kept] = first_ + static_cast<std::int64_t>(i);
    times_[n_kept] = times_[i];
    channels_[n_kept] = channels_[i];
    values_[n_kept] = values_[i];
    batches_[n_kept] = batches_[i];
    steps_[n_kept] = steps_[i];
    ++n_kept;
  }
  size_ = n_kept;
  Convert(steps_, n_timesteps_, step_indices_);
  Convert(channels_, n_columns_, columns_);
  if (has_batches_) Convert(batches_, n_batches_, items_);
}

bool EventReader::HasPlace(std::size_t i, EventFaults& faults) const {
  const std::int64_t index = first_ + static_cast<std::int64_t>(i);
  if (has_batches_ && !IsIndex(batches_[i], n_batches_)) {
    faults.Add({EventFault::kNoItem, index, EventFaultKind::kBatch});
    return false;
  }
  const auto item = static_cast<std::int64_t>(batches_[i]);
  const double step = steps_[i];
  // What lies after the end of an item is not read.
  if (given_.lengths != nullptr && step >= static_cast<double>(given_.lengths[item]) &&
      step < static_cast<double>(n_timesteps_)) {
    return false;
  }
  const bool is_inside = step >= 0 && step < static_cast<double>(n_timesteps_);
  if (!is_inside && !(given_.is_outside_dropped && std::isfinite(times_[i]))) {
    const EventFaultKind kind = !std::isfinite(times_[i]) ? EventFaultKind::kTime
                                : step < 0                ? EventFaultKind::kBefore
                                                          : EventFaultKind::kAfter;
    faults.Add({item, index, kind});
    return false;
  }
  if (!IsIndex(channels_[i], n_columns_)) {
    faults.Add({item, index, EventFaultKind::kChannel});
    return false;
  }
  if (given_.HaveValues() && given_.throws_non_finite && !std::isfinite(values_[i])) {
    faults.Add({item, index, EventFaultKind::kValue});
    return false;
  }
  return is_inside;
}

void EventReader::Weigh() {
  for (std::size_t i = 0; i < size_; ++i) {
    const double value = given_.values.data == nullptr ? 1 : values_[i];
    const double fraction = clock_.FractionOf(times_[i], steps_[i]);
    values_[i] = value * given_.weighing->EventWeight(Column(i), fraction);
  }
}

}  // namespace expsyn
