#include "evolve.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "aligned_buffer.h"
#include "evolve_histories.h"
#include "evolve_item.h"
#include "floating_point_mode.h"
#include "method/direct_sum.h"
#include "method/overlap_save.h"
#include "method/precise.h"
#include "remembered_noise.h"
#include "worker_pool.h"

namespace expsyn {

namespace {

// The number of doubles up to which the states after a call need no allocation.
constexpr std::int64_t kSmallStates = 256;

// Outputs of this many bytes and more are written past the caches: they would evict the input.
constexpr std::int64_t kStreamedBytes = 6 << 20;

// The maximum number of steps of an item for Kernel::RecurseFewSteps().
constexpr std::int64_t kFewSteps = 64;

// The number of samples for which it is worth waking another thread.
constexpr std::int64_t kSamplesPerThread = 1 << 17;
// Each thread gets this many tiles if they are then still kWideTile synapses wide: memory is read
// faster in wide tiles. If there are many more tiles, a thread takes several at a time, so that it
// comes kTasksPerThread times.
constexpr std::int64_t kTilesPerThread = 4;
constexpr std::int64_t kWideTile = 128;
constexpr std::int64_t kTasksPerThread = 16;
// The width of a tile whose drive has noise: narrow, because that drive is kept for one window.
constexpr std::int64_t kNoisyTileWidth = 128;
// Long runs are cut in time, into chunks of at least this many steps and windows, so that the
// warm-up of a chunk, which is one window, takes little time in comparison.
constexpr std::int64_t kMinChunkLength = 16384;
constexpr std::int64_t kWindowsPerChunk = 64;
// The minimum width of a tile. Two threads should not write to the same cache line.
constexpr std::int64_t kMinTileWidth = 16;

template <typename Real>
class Evolution {
 public:
  Evolution(const Kernel& kernel, const Settings& settings, Method method, const Call<Real>& call,
            const std::atomic<bool>& cancelled)
      : kernel_(kernel),
        settings_(settings),
        method_(method),
        call_(call),
        cancelled_(cancelled),
        n_items_(call.input.n_batches),
        n_synapses_(kernel.n_synapses()),
        n_timesteps_(call.input.n_timesteps) {
    const std::int64_t n_samples = n_items_ * n_timesteps_ * n_synapses_;
    is_streamed_ =
        !IsReduced() && n_samples >= kStreamedBytes / static_cast<std::int64_t>(sizeof(Real));
    n_threads_ = std::max<std::int64_t>(
        1, std::min<std::int64_t>(settings.n_threads, n_samples / kSamplesPerThread));
  }

  EvolveResult Run() {
    if (call_.policy == FailurePolicy::kCall) StageStates();
    RunFewSteps();
    if (!remaining_.empty() && !IsStopped()) {
      StageStates();
      RunTiles();
      if (!IsStopped()) Recompute();
      if (!IsStopped() && !IsReduced()) RememberNoise();
    }
    if (IsCancelled()) return {EvolveResult::Status::kCancelled, {}};
    if (is_failed_) return {EvolveResult::Status::kFailed, std::move(failures_)};
    Commit();
    return {EvolveResult::Status::kDone, std::move(failures_)};
  }

 private:
  bool IsReduced() const { return !call_.reduction.IsNone(); }
  bool IsCancelled() const { return cancelled_.load(std::memory_order_relaxed); }
  // Whether the rest of the call need not be computed.
  bool IsStopped() const { return IsCancelled() || is_failed_; }

  // Calls task(i) for every i < n_tasks, on this thread and on helpers. Each takes a range of
  // neighbouring tasks at a time.
  template <typename Task>
  void ForEach(std::int64_t n_tasks, const Task& task) {
    const std::int64_t n_ranges = std::min(n_tasks, n_threads_ * kTasksPerThread);
    const auto run = [&](std::int64_t range) {
      const FlushSubnormals flush_subnormals;
      const std::int64_t end = (range + 1) * n_tasks / n_ranges;
      for (std::int64_t i = range * n_tasks / n_ranges; i < end; ++i) {
        if (IsStopped()) return;
        task(i);
      }
    };
    if (n_threads_ < 2 || n_tasks == 1) {
      for (std::int64_t range = 0; range < n_ranges; ++range) run(range);
    } else {
      WorkerPool::Shared()->ForEach(n_ranges, static_cast<unsigned>(n_threads_ - 1), run);
    }
  }

  // Allocates memory for the numbers after the call. They are copied to the items' next states only
  // if the call succeeds. States of inputs are written by CarryInputs() instead.
  void StageStates() {
    if (staged_ != nullptr) return;
    const std::int64_t size = 2 * kernel_.n_numbers() * n_items_ * n_synapses_;
    staged_ = small_.data();
    if (size > kSmallStates) {
      large_ = AlignedBuffer<double>(static_cast<std::size_t>(size));
      staged_ = large_.data();
    }
  }
  NextState Staged(std::int64_t item) {
    return {staged_ + item * n_synapses_, n_items_ * n_synapses_};
  }

  // Computes the items that Kernel::RecurseFewSteps() can; remaining_ becomes the others.
  void RunFewSteps() {
    std::vector<std::uint8_t> is_done(static_cast<std::size_t>(n_items_));
    if (method_ == Method::kRecursive && n_timesteps_ <= kFewSteps) {
      ForEach(n_items_, [&](std::int64_t item) {
        const NextState next_state =
            call_.policy == FailurePolicy::kItem ? call_.items[item].next_state : Staged(item);
        is_done[static_cast<std::size_t>(item)] =
            EvolveFewSteps(kernel_, settings_, call_, item, next_state, cancelled_) ? 1 : 0;
      });
    }
    for (std::int64_t item = 0; item < n_items_; ++item) {
      if (is_done[static_cast<std::size_t>(item)] == 0) remaining_.push_back(item);
    }
  }

  // Plans how the work is divided. Every thread gets several tiles, so that it waits little for the
  // others at the end.
  void PlanTiles() {
    std::int64_t widest = kFftWidth;
    if (method_ != Method::kFft) {
      const bool is_drive_noisy = ReaderOf(kernel_, settings_, call_, 0).is_drive_noisy();
      widest = is_drive_noisy ? kNoisyTileWidth : kMaxTileWidth;
    }
    tile_width_ = std::min(widest, n_synapses_);
    PlanChunks();
    if (n_threads_ < 2 || n_chunks_ > 1) return;
    std::int64_t width = TileWidthFor(n_threads_ * kTilesPerThread);
    if (width < kWideTile) width = TileWidthFor(n_threads_);
    // The recursion alone hardly takes longer than reading and writing memory: narrow rows would
    // cost more than a second thread gains.
    const bool is_bare = method_ == Method::kRecursive && settings_.noise == NoisePlacement::kNone;
    const std::int64_t narrowest = is_bare ? kWideTile : kMinTileWidth;
    tile_width_ = std::clamp(width, std::min(narrowest, tile_width_), tile_width_);
  }

  // Cuts long runs in time if the window is cut: each chunk but the first warms up for one window
  // before it begins. The chunks do not depend on the number of threads, because no bit may.
  void PlanChunks() {
    const std::int64_t length = kernel_.window_length();
    if (method_ != Method::kRecursive || length > n_timesteps_ / kWindowsPerChunk) return;
    chunk_length_ = std::max(kMinChunkLength, kWindowsPerChunk * length);
    n_chunks_ = std::max<std::int64_t>(1, n_timesteps_ / chunk_length_);
  }

  // The width of tiles if all items together are to have about n_tiles of them.
  std::int64_t TileWidthFor(std::int64_t n_tiles) const {
    const auto n_remaining = static_cast<std::int64_t>(remaining_.size());
    const std::int64_t per_item = (n_tiles + n_remaining - 1) / n_remaining;
    return n_synapses_ / per_item / kMinTileWidth * kMinTileWidth;
  }

  void RunTiles() {
    PlanTiles();
    const std::int64_t n_across = (n_synapses_ + tile_width_ - 1) / tile_width_;
    const auto n_items = static_cast<std::int64_t>(remaining_.size());
    if (IsReduced()) KeepForReduction();
    // A group of steps may reach into the next chunk.
    const std::int64_t n_together = call_.reduction.HasMemory() ? n_chunks_ : 1;
    const std::int64_t n_tasks = n_chunks_ / n_together;
    ForEach(n_items * n_across * n_tasks, [&](std::int64_t i) {
      const std::int64_t item = remaining_[static_cast<std::size_t>(i / n_tasks / n_across)];
      const std::int64_t first = i / n_tasks % n_across * tile_width_;
      const std::int64_t width = std::min(tile_width_, n_synapses_ - first);
      const InputReader reader = ReaderOf(settings_, call_, item);
      if (!IsReduced()) {
        RunTile(item, first, width, i % n_tasks, nullptr);
        return;
      }
      std::optional<RememberedNoise<Real>> noise;
      if (IsNoiseSeparate(kernel_, settings_)) noise.emplace(kernel_, reader, first, width);
      Real* const last_row = LastRowOf(item) + first;
      ReducedOutput<Real> reduced(ReducerOf(item, first, width), noise ? &*noise : nullptr,
                                  n_timesteps_, last_row);
      for (std::int64_t chunk = 0; chunk < n_together; ++chunk) {
        RunTile(item, first, width, i % n_tasks * n_together + chunk, &reduced);
      }
      if (IsStopped()) return;
      reduced.Finish();
      if (noise) noise->AddToState(last_row, Staged(item).From(first));
    });
  }

  void KeepForReduction() {
    last_rows_ = AlignedBuffer<Real>(CheckedSize(n_items_ * n_synapses_));
    if (!call_.reduction.HasMemory()) return;
    first_partials_ = AlignedBuffer<double>(CheckedSize(n_items_ * n_synapses_));
    for (std::int64_t item = 0; item < n_items_; ++item) {
      const PartialGroup& partial = call_.items[item].partial;
      if (partial.n_steps == 0) continue;
      std::copy_n(partial.values, n_synapses_, first_partials_.data() + item * n_synapses_);
    }
  }

  // The row of the last step of an item, which may not be kept.
  Real* LastRowOf(std::int64_t item) {
    return IsReduced() ? last_rows_.data() + item * n_synapses_
                       : call_.output + ((item + 1) * n_timesteps_ - 1) * n_synapses_;
  }

  RowReducer<Real> ReducerOf(std::int64_t item, std::int64_t first, std::int64_t width) {
    const Item& own = call_.items[item];
    return {call_.reduction, own.step,
            width,           KeptRowsOf(call_, item, n_synapses_) + first,
            n_synapses_,     own.partial.From(first)};
  }

  void RunTile(std::int64_t item, std::int64_t first, std::int64_t width, std::int64_t chunk,
               ReducedOutput<Real>* reduced) {
    const bool is_last_chunk = chunk == n_chunks_ - 1;
    const InputReader reader = ReaderOf(kernel_, settings_, call_, item);
    std::array<Finding, kMaxTileWidth> findings;
    Tile<Real> tile = TileOf(kernel_, call_, reader, item, first, width, Staged(item),
                             findings.data(), cancelled_);
    tile.reduced = reduced;
    AlignedBuffer<double> ignored;
    tile.first_step = chunk * chunk_length_;
    if (!is_last_chunk) {
      tile.end_step = tile.first_step + chunk_length_;
      ignored = AlignedBuffer<double>(static_cast<std::size_t>(2 * kernel_.n_numbers() * width));
      tile.next_state = {ignored.data(), width};
    }
    tile.is_streamed = is_streamed_ && width == n_synapses_;
    RunMethod(tile);
    if (IsCancelled()) return;
    const auto is_finite = [](Finding finding) { return finding == Finding::kFinite; };
    if (std::all_of(findings.begin(), findings.begin() + width, is_finite)) return;
    const std::lock_guard<std::mutex> guard(lock_);
    if (settings_.throw_non_finite && HasFailed(item)) return;
    for (std::int64_t c = 0; c < width; ++c) {
      if (findings[c] == Finding::kRecompute) recomputed_.insert(item * n_synapses_ + first + c);
    }
  }

  void RunMethod(const Tile<Real>& tile) {
    switch (method_) {
      case Method::kFft:
        OverlapSave(kernel_, tile);
        break;
      case Method::kDirect:
        DirectSum(kernel_, tile);
        break;
      default:
        kernel_.Recurse(tile);
    }
  }

  // Whether the input of the item, or of the call if that fails as a whole, is not finite. If it is
  // finite, a sum has overflowed instead. The input is searched once for all tiles; a failure is
  // recorded. The caller holds lock_.
  bool HasFailed(std::int64_t item) {
    const bool is_whole = call_.policy == FailurePolicy::kCall;
    const auto [found, is_new] = first_non_finite_.try_emplace(is_whole ? 0 : item, -1);
    if (is_new) {
      const std::int64_t item_size = call_.input.IndexOf(1, 0, 0);
      const std::int64_t first = is_whole ? 0 : item * item_size;
      const std::int64_t index =
          FirstNonFinite(is_whole ? call_.input : call_.input.Items(item, 1));
      if (index >= 0) {
        found->second = first + index;
        failures_.push_back({found->second / item_size, found->second});
        if (is_whole) is_failed_ = true;
      }
    }
    return found->second >= 0;
  }

  // Recomputes precisely the synapses that have met a non-finite input or a sum that overflowed, or
  // that always need it.
  void Recompute() {
    const std::vector<std::int64_t> places(recomputed_.begin(), recomputed_.end());
    if (places.empty()) return;
    ForEach(static_cast<std::int64_t>(places.size()), [&](std::int64_t i) {
      const std::int64_t place = places[static_cast<std::size_t>(i)];
      const std::int64_t item = place / n_synapses_;
      const std::int64_t synapse = place % n_synapses_;
      const InputReader reader = ReaderOf(kernel_, settings_, call_, item);
      Finding finding;
      Tile<Real> tile =
          TileOf(kernel_, call_, reader, item, synapse, 1, Staged(item), &finding, cancelled_);
      if (IsReduced()) {
        RecomputeReduced(tile, item, synapse);
        return;
      }
      RecomputeColumn(tile);
    });
  }

  void RecomputeColumn(const Tile<Real>& tile) {
    if (kernel_.has_recursion()) {
      RecursePrecisely(kernel_, tile, FirstRecomputed(tile));
    } else {
      SumPrecisely(kernel_, tile);
    }
  }

  // Computes all steps of a synapse again, because what is kept of them does not tell from which
  // step on they are to be recomputed, and reduces them again.
  void RecomputeReduced(Tile<Real>& tile, std::int64_t item, std::int64_t synapse) {
    AlignedBuffer<Real> column(CheckedSize(n_timesteps_));
    tile.output = column.data();
    tile.row_stride = 1;
    const NextState next_state = tile.next_state;
    AlignedBuffer<double> ignored(static_cast<std::size_t>(2 * kernel_.n_numbers()));
    for (std::int64_t chunk = 0; chunk < n_chunks_; ++chunk) {
      const bool is_last = chunk == n_chunks_ - 1;
      tile.first_step = chunk * chunk_length_;
      tile.end_step = is_last ? n_timesteps_ : tile.first_step + chunk_length_;
      tile.next_state = is_last ? next_state : NextState{ignored.data(), 1};
      RunMethod(tile);
      if (IsCancelled()) return;
    }
    tile.first_step = 0;
    RecomputeColumn(tile);
    if (IsNoiseSeparate(kernel_, settings_)) {
      const InputReader reader = ReaderOf(settings_, call_, item);
      RememberedNoise<Real> noise(kernel_, reader, synapse, 1);
      noise.AddTo(0, n_timesteps_, 0, 1, column.data(), 1);
      noise.AddToState(&column[CheckedSize(n_timesteps_ - 1)], next_state);
    }
    LastRowOf(item)[synapse] = column[CheckedSize(n_timesteps_ - 1)];
    const PartialGroup partial = call_.items[item].partial.From(synapse);
    if (partial.values != nullptr) {
      *partial.values = first_partials_[CheckedSize(item * n_synapses_ + synapse)];
    }
    RowReducer<Real> reducer(call_.reduction, call_.items[item].step, 1,
                             KeptRowsOf(call_, item, n_synapses_) + synapse, n_synapses_, partial);
    reducer.Put(0, n_timesteps_, 0, 1, column.data(), 1);
    reducer.Finish();
  }

  // Adds noise that the current remembers by itself to the output and to the next states.
  void RememberNoise() {
    if (!IsNoiseSeparate(kernel_, settings_)) return;
    const std::int64_t n_across = (n_synapses_ + kNoisyTileWidth - 1) / kNoisyTileWidth;
    const auto n_items = static_cast<std::int64_t>(remaining_.size());
    ForEach(n_items * n_across, [&](std::int64_t i) {
      const std::int64_t item = remaining_[static_cast<std::size_t>(i / n_across)];
      const std::int64_t first = i % n_across * kNoisyTileWidth;
      const InputReader reader = ReaderOf(settings_, call_, item);
      AddRememberedNoise(kernel_, TileOf(kernel_, call_, reader, item, first,
                                         std::min(kNoisyTileWidth, n_synapses_ - first),
                                         Staged(item), nullptr, cancelled_));
    });
  }

  // The first step from which on a synapse is recomputed: that of its first input or output that is
  // not finite. Earlier outputs keep their bits.
  std::int64_t FirstRecomputed(const Tile<Real>& tile) const {
    if (kernel_.IsAlwaysPrecise(tile.first_synapse, kElementTypeOf<Real>)) return 0;
    const Raster& input = tile.input.raster();
    const std::int64_t column = input.n_columns == 1 ? 0 : tile.first_synapse;
    for (std::int64_t step = 0; step < n_timesteps_; ++step) {
      if (!std::isfinite(tile.output[step * tile.row_stride]) ||
          !IsFinite(input, input.IndexOf(0, step, column))) {
        return step;
      }
    }
    return n_timesteps_;
  }

  // Copies the next states to the items that have succeeded.
  void Commit() {
    std::sort(failures_.begin(), failures_.end(),
              [](const ItemFailure& a, const ItemFailure& b) { return a.item < b.item; });
    auto failure = failures_.begin();
    auto remaining = remaining_.begin();
    for (std::int64_t item = 0; item < n_items_; ++item) {
      const bool is_remaining = remaining != remaining_.end() && *remaining == item;
      if (is_remaining) ++remaining;
      if (failure != failures_.end() && failure->item == item) {
        ++failure;
      } else if (is_remaining) {
        CommitTiles(item);
      } else if (call_.policy == FailurePolicy::kCall) {
        CopyNumbers(item);
      }
    }
  }

  void CommitTiles(std::int64_t item) {
    const InputReader reader = ReaderOf(kernel_, settings_, call_, item);
    if (IsNoiseCarried(kernel_, settings_, reader)) {
      AddNoiseToState(reader, LastRowOf(item), n_synapses_, Staged(item));
    }
    if (kernel_.has_recursion()) {
      CopyNumbers(item);
    } else {
      CarryInputs(reader, call_.items[item]);
    }
  }

  void CopyNumbers(std::int64_t item) {
    const NextState next = call_.items[item].next_state;
    for (std::int64_t p = 0; p < 2 * kernel_.n_numbers(); ++p) {
      std::copy_n(Staged(item).Plane(p), n_synapses_, next.Plane(p));
    }
  }

  // The state of a kernel without a recursion: plane p is the input p steps before the last one.
  void CarryInputs(const InputReader& reader, const Item& item) {
    const std::int64_t n_planes = kernel_.state_size();
    // From the oldest on, because the next state may be the state.
    for (std::int64_t p = n_planes - 1; p >= n_timesteps_; --p) {
      std::copy_n(item.state.Plane(p - n_timesteps_), n_synapses_, item.next_state.Plane(p));
    }
    std::vector<Real> row(static_cast<std::size_t>(n_synapses_));
    for (std::int64_t p = 0; p < std::min(n_planes, n_timesteps_); ++p) {
      reader.Read(n_timesteps_ - 1 - p, 1, 0, n_synapses_, row.data(), n_synapses_);
      std::copy(row.begin(), row.end(), item.next_state.Plane(p));
    }
  }

  const Kernel& kernel_;
  const Settings& settings_;
  const Method method_;
  const Call<Real>& call_;
  const std::atomic<bool>& cancelled_;
  const std::int64_t n_items_;
  const std::int64_t n_synapses_;
  const std::int64_t n_timesteps_;
  std::int64_t n_threads_;
  bool is_streamed_;
  std::int64_t tile_width_ = 0;
  std::int64_t n_chunks_ = 1;
  std::int64_t chunk_length_ = 0;
  std::vector<std::int64_t> remaining_;  // items that are computed by tiles, ascending
  std::atomic<bool> is_failed_{false};
  std::mutex lock_;
  // Guarded by lock_.
  std::set<std::int64_t> recomputed_;  // item * n_synapses_ + synapse
  std::map<std::int64_t, std::int64_t> first_non_finite_;
  std::vector<ItemFailure> failures_;
  std::array<double, kSmallStates> small_;
  AlignedBuffer<double> large_;
  // Of a call with a reduction: the rows of the last step of the items, and the values of the
  // groups that began before it, for synapses that are reduced again.
  AlignedBuffer<Real> last_rows_;
  AlignedBuffer<double> first_partials_;
  double* staged_ = nullptr;
};

}  // namespace

template <typename Real>
EvolveResult Evolve(const Kernel& kernel, const Settings& settings, const Call<Real>& call,
                    const std::atomic<bool>& cancelled) {
  const std::int64_t n_items = call.input.n_batches;
  const std::int64_t n_timesteps = call.input.n_timesteps;
  if (n_items == 0 || n_timesteps == 0 || kernel.n_synapses() == 0) return {};
  const FlushSubnormals flush_subnormals;
  if (call.items[0].history != nullptr) {
    const Method chosen =
        ChooseSessionMethod(kernel, settings.method, n_timesteps, kElementTypeOf<Real>);
    return EvolveHistories(kernel, settings, chosen, call, cancelled);
  }
  const Method method = ChooseMethod(kernel, settings.method, n_timesteps, kElementTypeOf<Real>);
  // A single short item needs none of the memory that Evolution allocates.
  if (n_items == 1 && n_timesteps <= kFewSteps && method == Method::kRecursive &&
      EvolveFewSteps(kernel, settings, call, 0, call.items[0].next_state, cancelled)) {
    return {};
  }
  return Evolution<Real>(kernel, settings, method, call, cancelled).Run();
}

template EvolveResult Evolve<float>(const Kernel&, const Settings&, const Call<float>&,
                                    const std::atomic<bool>&);
template EvolveResult Evolve<double>(const Kernel&, const Settings&, const Call<double>&,
                                     const std::atomic<bool>&);

}  // namespace expsyn
