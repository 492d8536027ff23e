#include "evolve.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <mutex>
#include <set>
#include <vector>

#include "aligned_buffer.h"
#include "floating_point_mode.h"
#include "method/recursion.h"
#include "worker_pool.h"

namespace expsyn {

namespace {

// The state after a call of ordinary size needs no allocation.
constexpr std::int64_t kSmallState = 128;

// Bytes of output from which on it is not worth a place in the caches: it would push out the input.
constexpr std::int64_t kStreamedBytes = 6 << 20;

// Samples that make it worth to wake another thread.
constexpr std::int64_t kSamplesPerThread = 1 << 17;
// Tiles for each thread, where they are at least kWideTile synapses wide: the wider, the
// better memory is used.
constexpr std::int64_t kTilesPerThread = 4;
constexpr std::int64_t kWideTile = 128;
// Long runs are cut in time, into parts of at least so many steps and windows: what a chunk sums
// before it begins is little beside it.
constexpr std::int64_t kLeastChunk = 16384;
constexpr std::int64_t kWindowsPerChunk = 64;
// Neighbouring synapses that are not given to different threads: they share cache lines.
constexpr std::int64_t kNarrowestTile = 16;

// Adds the noise of the last step, which the output holds already, to the state `last` of one item.
template <typename Real>
void AddNoiseToState(const InputReader& reader, const EvolveCall<Real>& call, std::int64_t batch,
                     std::int64_t n_synapses, NextState last) {
  constexpr std::int64_t kChunk = 256;
  const std::int64_t step = call.input.n_timesteps - 1;
  const Real* shown = call.output + (batch * call.input.n_timesteps + step) * n_synapses;
  for (std::int64_t first = 0; first < n_synapses; first += kChunk) {
    const std::int64_t count = std::min(kChunk, n_synapses - first);
    Real noise[kChunk] = {};
    reader.AddNoise(batch, step, 1, first, count, noise, count);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t n = first + i;
      const DoubleDouble sum = TwoSum(last.isyn[n], static_cast<double>(noise[i]));
      last.Set(n, static_cast<double>(shown[n]), {sum.high, sum.low + last.correction[n]});
    }
  }
}

template <typename Real>
class Evolution {
 public:
  Evolution(const Kernels& kernels, const EvolveCall<Real>& call,
            const std::atomic<bool>& cancelled)
      : kernels_(kernels),
        call_(call),
        cancelled_(cancelled),
        reader_(call.input, call.noise),
        n_synapses_(kernels.window().n_synapses()),
        n_timesteps_(call.input.n_timesteps) {
    const std::int64_t size = call.input.n_batches * n_synapses_;
    is_streamed_ = size * n_timesteps_ >= kStreamedBytes / static_cast<std::int64_t>(sizeof(Real));
    double* states = small_.data();
    if (size > kSmallState) {
      large_ = AlignedBuffer<double>(static_cast<std::size_t>(2 * size));
      states = large_.data();
    }
    last_ = {states, states + size};
  }

  EvolveResult Run() {
    const std::int64_t n_batches = call_.input.n_batches;
    PlanTiles();
    const std::int64_t n_groups = (n_synapses_ + tile_width_ - 1) / tile_width_;
    const std::int64_t n_tiles = n_batches * n_groups * n_chunks_;
    const auto run = [&](std::int64_t i) {
      const std::int64_t chunk = i % n_chunks_;
      const std::int64_t group = i / n_chunks_ % n_groups;
      return RunTile(i / n_chunks_ / n_groups, group * tile_width_, chunk);
    };
    EvolveResult result;
    if (n_helpers_ == 0 || n_tiles == 1) {
      for (std::int64_t i = 0; i < n_tiles; ++i) {
        result = run(i);
        if (result.status != EvolveResult::Status::kDone) return result;
      }
    } else {
      WorkerPool::Shared()->ForEach(n_tiles, n_helpers_, [&](std::int64_t i) {
        const FlushSubnormals flush_subnormals;
        const EvolveResult one = run(i);
        const std::lock_guard<std::mutex> guard(lock_);
        // Every tile that meets non-finite input names the same, first one.
        if (one.status != EvolveResult::Status::kDone) result = one;
      });
      if (result.status != EvolveResult::Status::kDone) return result;
    }
    if (!recomputed_.empty()) Recompute();
    if (IsCancelled()) return {EvolveResult::Status::kCancelled, -1};
    if (reader_.is_output_noisy() &&
        (call_.is_state_noisy || call_.noise.placement == NoisePlacement::kState)) {
      for (std::int64_t batch = 0; batch < n_batches; ++batch) {
        AddNoiseToState(reader_, call_, batch, n_synapses_, last_.From(batch * n_synapses_));
      }
    }
    std::copy_n(last_.isyn, n_batches * n_synapses_, call_.next_state.isyn);
    std::copy_n(last_.correction, n_batches * n_synapses_, call_.next_state.correction);
    return {};
  }

 private:
  // How the work is cut. Runs that are over before a helper has come get none; others are cut so
  // that every thread has several tiles, and waits little for the last.
  void PlanTiles() {
    std::int64_t widest = kFftWidth;
    if (call_.method == Method::kRecursive) {
      widest = reader_.is_drive_noisy() ? kNoisyRecursionWidth : kRecursionWidth;
    }
    tile_width_ = std::min(widest, n_synapses_);
    PlanChunks();
    const std::int64_t n_samples = call_.input.n_batches * n_timesteps_ * n_synapses_;
    const std::int64_t n_threads =
        std::min<std::int64_t>(call_.n_threads, n_samples / kSamplesPerThread);
    if (n_threads < 2) return;
    n_helpers_ = static_cast<unsigned>(n_threads - 1);
    if (n_chunks_ > 1) return;
    std::int64_t width = TileWidthFor(n_threads * kTilesPerThread);
    if (width < kWideTile) width = TileWidthFor(n_threads);
    // The recursion alone takes hardly longer than its memory: narrow rows would cost more than a
    // second thread gains.
    const bool is_bare = call_.method == Method::kRecursive && !reader_.is_drive_noisy() &&
                         !reader_.is_output_noisy();
    const std::int64_t narrowest = is_bare ? kWideTile : kNarrowestTile;
    tile_width_ = std::clamp(width, std::min(narrowest, tile_width_), tile_width_);
  }

  // Cuts long runs in time, where a window forgets: each chunk but the first sums one window before
  // it begins. The parts do not depend on the number of threads, as no bit may.
  void PlanChunks() {
    const std::int64_t length = kernels_.window().length();
    if (call_.method != Method::kRecursive || length > n_timesteps_ / kWindowsPerChunk) return;
    chunk_length_ = std::max(kLeastChunk, kWindowsPerChunk * length);
    n_chunks_ = std::max<std::int64_t>(1, n_timesteps_ / chunk_length_);
  }

  // The width of tiles of which there are n_wanted in all items together.
  std::int64_t TileWidthFor(std::int64_t n_wanted) const {
    const std::int64_t n_batches = call_.input.n_batches;
    const std::int64_t per_item = (n_wanted + n_batches - 1) / n_batches;
    return n_synapses_ / per_item / kNarrowestTile * kNarrowestTile;
  }

  Tile<Real> TileOf(std::int64_t batch, std::int64_t first, std::int64_t width,
                    NextState next_state, Finding* findings) const {
    const State state = call_.state.From((call_.is_state_shared ? 0 : batch * n_synapses_) + first);
    return {kernels_.window(),
            reader_,
            batch,
            first,
            width,
            0,
            n_timesteps_,
            state,
            call_.output + batch * n_timesteps_ * n_synapses_ + first,
            n_synapses_,
            is_streamed_ && width == n_synapses_,
            next_state,
            findings,
            cancelled_};
  }

  EvolveResult RunTile(std::int64_t batch, std::int64_t first, std::int64_t chunk) {
    const std::int64_t width = std::min(tile_width_, n_synapses_ - first);
    const bool is_last_chunk = chunk == n_chunks_ - 1;
    std::array<Finding, simd::kMaxColumns> findings;
    std::array<double, 2 * simd::kMaxColumns> ignored;
    const NextState next_state =
        is_last_chunk ? last_.From(batch * n_synapses_ + first)
                      : NextState{ignored.data(), ignored.data() + simd::kMaxColumns};
    Tile<Real> tile = TileOf(batch, first, width, next_state, findings.data());
    tile.first_step = chunk * chunk_length_;
    if (!is_last_chunk) tile.end_step = tile.first_step + chunk_length_;
    if (call_.method == Method::kFft) {
      kernels_.Convolve(tile);
    } else {
      Recurse(tile);
    }
    if (IsCancelled()) return {EvolveResult::Status::kCancelled, -1};
    if (std::all_of(findings.begin(), findings.begin() + width,
                    [](Finding finding) { return finding == Finding::kFinite; })) {
      return {};
    }
    const std::lock_guard<std::mutex> guard(lock_);
    if (call_.throw_non_finite) {
      // Finite inputs whose sum overflowed concern many tiles: searched once for all.
      if (!is_searched_) non_finite_index_ = FirstNonFinite(call_.input);
      is_searched_ = true;
      if (non_finite_index_ >= 0) return {EvolveResult::Status::kNonFinite, non_finite_index_};
    }
    for (std::int64_t c = 0; c < width; ++c) {
      if (findings[c] == Finding::kRecompute) {
        recomputed_.insert(batch * n_synapses_ + first + c);
      }
    }
    return {};
  }

  // Computes with care the synapses that met a non-finite value or a sum that overflowed on the
  // way, or whose decay is no normal number.
  void Recompute() {
    const std::vector<std::int64_t> places(recomputed_.begin(), recomputed_.end());
    const auto recompute = [&](std::int64_t i) {
      const FlushSubnormals flush_subnormals;
      const std::int64_t place = places[static_cast<std::size_t>(i)];
      Finding finding;
      RecursePrecisely(
          TileOf(place / n_synapses_, place % n_synapses_, 1, last_.From(place), &finding),
          FirstWrong(place / n_synapses_, place % n_synapses_));
    };
    const auto count = static_cast<std::int64_t>(places.size());
    if (n_helpers_ > 0 && count > 1) {
      WorkerPool::Shared()->ForEach(count, n_helpers_, recompute);
    } else {
      for (std::int64_t i = 0; i < count; ++i) recompute(i);
    }
  }

  // The first step of a synapse that is to be recomputed whose output may be wrong: that of its
  // first input or output that is not finite. What comes before keeps its bits.
  std::int64_t FirstWrong(std::int64_t batch, std::int64_t synapse) const {
    if (kernels_.window().template IsDecayTiny<Real>(synapse)) return 0;
    const Raster& input = call_.input;
    const std::int64_t column = input.n_columns == 1 ? 0 : synapse;
    const Real* output = call_.output + batch * n_timesteps_ * n_synapses_ + synapse;
    for (std::int64_t step = 0; step < n_timesteps_; ++step) {
      if (!std::isfinite(output[step * n_synapses_]) ||
          !IsFinite(input, input.IndexOf(batch, step, column))) {
        return step;
      }
    }
    return n_timesteps_;
  }

  bool IsCancelled() const { return cancelled_.load(std::memory_order_relaxed); }

  const Kernels& kernels_;
  const EvolveCall<Real>& call_;
  const std::atomic<bool>& cancelled_;
  const InputReader reader_;
  std::int64_t n_synapses_;
  std::int64_t n_timesteps_;
  std::int64_t tile_width_ = 0;
  std::int64_t n_chunks_ = 1;
  std::int64_t chunk_length_ = 0;
  unsigned n_helpers_ = 0;
  std::mutex lock_;
  // Guarded by lock_.
  std::set<std::int64_t> recomputed_;  // item * n_synapses_ + synapse
  bool is_searched_ = false;
  std::int64_t non_finite_index_ = -1;  // the first in the input, once it has been searched
  bool is_streamed_;
  std::array<double, 2 * kSmallState> small_;
  AlignedBuffer<double> large_;
  NextState last_;  // the state after the call, before it is known that the call succeeds
};

// Does a call that ends before a sum has to be carried over, or anything leaves the window: a
// server's steps, where everything else would take longer than the arithmetic. Returns false, with
// the state untouched, for other calls and for sums that are not finite.
template <typename Real>
bool EvolveFewSteps(const Window& window, const EvolveCall<Real>& call) {
  const Raster& input = call.input;
  const std::int64_t n_synapses = window.n_synapses();
  const InputReader reader(input, call.noise);
  if (call.method != Method::kRecursive || input.n_batches != 1 || n_synapses > simd::kMaxColumns ||
      input.n_timesteps >= simd::kRestartInterval<Real> || input.n_timesteps > window.length() ||
      reader.is_drive_noisy() || window.HasTinyDecay<Real>()) {
    return false;
  }
  const bool is_done = simd::OpsOf<Real>().advance_few(
      {input.n_timesteps, n_synapses, input.type, input.data,
       input.n_columns == 1 && n_synapses > 1, input.n_columns, call.output, n_synapses,
       window.factors<Real>().decay.data(), window.decay_offset(), call.state.isyn,
       call.state.correction, call.next_state.isyn, call.next_state.correction});
  if (!is_done) return false;
  reader.AddOutputNoise(0, 0, input.n_timesteps, 0, n_synapses, call.output, n_synapses);
  if (call.is_state_noisy && reader.is_output_noisy()) {
    AddNoiseToState(reader, call, 0, n_synapses, call.next_state);
  }
  return true;
}

}  // namespace

bool HasAtMost(std::int64_t n_samples, const Raster& input, std::int64_t n_synapses) {
  return input.n_batches == 0 || input.n_timesteps == 0 ||
         n_synapses <= n_samples / input.n_batches / input.n_timesteps;
}

template <typename Real>
EvolveResult Evolve(const Kernels& kernels, const EvolveCall<Real>& call,
                    const std::atomic<bool>& cancelled) {
  const Raster& input = call.input;
  if (input.n_batches == 0 || input.n_timesteps == 0 || kernels.window().n_synapses() == 0) {
    return {};
  }
  const FlushSubnormals flush_subnormals;
  if (EvolveFewSteps(kernels.window(), call)) return {};
  return Evolution<Real>(kernels, call, cancelled).Run();
}

template EvolveResult Evolve<float>(const Kernels&, const EvolveCall<float>&,
                                    const std::atomic<bool>&);
template EvolveResult Evolve<double>(const Kernels&, const EvolveCall<double>&,
                                     const std::atomic<bool>&);

}  // namespace expsyn
