#include "method/partitions.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "kernel/kernel.h"

namespace expsyn {

namespace {

// Samples that are summed directly, and steps of the shortest blocks.
constexpr std::int64_t kShortestBlock = 64;
// The block of a level is this many times that of the one before it.
constexpr std::int64_t kBlockGrowth = 8;

// The largest power of two that is at most `most`, which is at least 1.
std::int64_t PowerOfTwoTo(std::int64_t most) {
  std::int64_t power = 1;
  while (power * 2 <= most) power *= 2;
  return power;
}

}  // namespace

PartitionPlan PartitionPlan::For(std::int64_t window_length, bool has_transforms) {
  if (!has_transforms || window_length <= 2 * kShortestBlock) return {window_length, {}};
  PartitionPlan plan{kShortestBlock, {}};
  const std::int64_t last_block = std::max(kShortestBlock, PowerOfTwoTo(window_length / 4));
  for (std::int64_t block = kShortestBlock; block < last_block;) {
    const std::int64_t next = std::min(block * kBlockGrowth, last_block);
    plan.levels.push_back({block, 2 * block, next / block - 1});
    block = next;
  }
  const std::int64_t n_blocks = (window_length + last_block - 1) / last_block;
  plan.levels.push_back({last_block, n_blocks * last_block, 1});
  return plan;
}

template <typename Real>
std::shared_ptr<const Partitions<Real>> PartitionCache<Real>::Get(
    bool has_transforms, const std::atomic<bool>& cancelled) const {
  const std::lock_guard<std::mutex> guard(lock_);
  std::shared_ptr<const Partitions<Real>>& entry = partitions_[has_transforms];
  if (entry != nullptr) return entry;
  const std::int64_t window_length = kernel_.window_length();
  auto partitions = std::make_shared<Partitions<Real>>();
  partitions->plan = PartitionPlan::For(window_length, has_transforms);
  partitions->direct = MakeSampleTable<Real>(kernel_, partitions->plan.n_direct, cancelled);
  if (partitions->direct == nullptr) return nullptr;
  std::size_t size = partitions->direct->values.size();
  std::vector<std::int64_t> first_with;
  const std::vector<std::int64_t> first_equal = kernel_.FirstEqual();
  for (std::size_t n = 0; n < first_equal.size(); ++n) {
    const auto first = static_cast<std::size_t>(first_equal[n]);
    partitions->kernel_of.push_back(first < n ? partitions->kernel_of[first]
                                              : static_cast<std::int32_t>(first_with.size()));
    if (first == n) first_with.push_back(first_equal[n]);
  }
  for (const PartitionLevel& level : partitions->plan.levels) {
    if (level.length > kMaxFftLength) {
      throw std::length_error("the window is too long for a transform");
    }
    const auto exact = FftPlan<double>::Of(level.length, 1);
    typename Partitions<Real>::Level& made = partitions->levels.emplace_back();
    made.transform = FftPlan<Real>::Of(level.length, 1);
    made.n_parts = level.n_parts;
    // Whole cache lines.
    made.stride = (level.spectrum_size() + 15) / 16 * 16;
    made.spectra = AlignedBuffer<Real>(CheckedProduct(
        CheckedProduct(first_with.size(), CheckedSize(level.n_parts)), CheckedSize(made.stride)));
    size += made.spectra.size();
    AlignedBuffer<double> samples(static_cast<std::size_t>(exact->signals_size()));
    AlignedBuffer<double> spectrum(static_cast<std::size_t>(exact->spectrum_size()));
    const double norm = 1.0 / static_cast<double>(level.length);
    for (std::int64_t j = 0; j < static_cast<std::int64_t>(first_with.size()); ++j) {
      for (std::int64_t p = 0; p < level.n_parts; ++p) {
        if (cancelled.load(std::memory_order_relaxed)) return nullptr;
        const std::int64_t first = level.block + p * level.samples_per_part();
        std::fill_n(samples.data(), samples.size(), 0.0);
        const std::int64_t end = std::min(first + level.samples_per_part(), window_length);
        for (std::int64_t k = first; k < end; ++k) {
          samples[static_cast<std::size_t>(k - first)] =
              kernel_.Sample(first_with[static_cast<std::size_t>(j)], k) * norm;
        }
        exact->Forward(samples.data(), spectrum.data());
        Real* target = made.spectra.data() + (j * level.n_parts + p) * made.stride;
        for (std::int64_t i = 0; i < level.spectrum_size(); ++i) {
          target[i] = static_cast<Real>(spectrum[static_cast<std::size_t>(i)]);
        }
      }
    }
  }
  entry = std::move(partitions);
  size_in_bytes_ += size * sizeof(Real);
  return entry;
}

template class PartitionCache<float>;
template class PartitionCache<double>;

}  // namespace expsyn
