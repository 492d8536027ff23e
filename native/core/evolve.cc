#include "evolve.h"

#include <algorithm>
#include <array>
#include <mutex>

#include "aligned_buffer.h"
#include "floating_point_mode.h"
#include "recursion.h"
#include "worker_pool.h"

namespace expsyn {

namespace {

// The state after a call of ordinary size needs no allocation.
constexpr std::int64_t kSmallState = 256;

// Bytes of output from which on it is not worth a place in the caches: it would push out the input.
constexpr std::int64_t kStreamedBytes = 6 << 20;

// Samples that make it worth to wake another thread.
constexpr std::int64_t kSamplesPerThread = 1 << 17;
// Stretches for each thread, where they are at least kWideShare synapses wide: the wider, the
// better memory is used.
constexpr std::int64_t kStretchesPerThread = 4;
constexpr std::int64_t kWideShare = 128;
// Neighbouring synapses that are not given to different threads: they share cache lines.
constexpr std::int64_t kNarrowestShare = 16;

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
    // What noise is added to is read again at once.
    is_streamed_ = !reader_.is_output_noisy() &&
                   size * n_timesteps_ >= kStreamedBytes / static_cast<std::int64_t>(sizeof(Real));
    if (size > kSmallState) {
      large_ = AlignedBuffer<Real>(static_cast<std::size_t>(size));
      last_ = large_.data();
    }
  }

  EvolveResult Run() {
    const std::int64_t n_batches = call_.input.n_batches;
    PlanStretches();
    const std::int64_t per_item = (n_synapses_ + stretch_width_ - 1) / stretch_width_;
    const std::int64_t n_stretches = n_batches * per_item;
    EvolveResult result;
    if (n_helpers_ == 0 || n_stretches == 1) {
      for (std::int64_t i = 0; i < n_stretches; ++i) {
        result = RunStretch(i / per_item, i % per_item * stretch_width_);
        if (result.status != EvolveResult::Status::kDone) return result;
      }
    } else {
      std::mutex lock;
      WorkerPool::Shared()->ForEach(n_stretches, n_helpers_, [&](std::int64_t i) {
        const FlushSubnormals flush_subnormals;
        const EvolveResult one = RunStretch(i / per_item, i % per_item * stretch_width_);
        const std::lock_guard<std::mutex> guard(lock);
        // Every stretch that meets non-finite input names the same, first one.
        if (one.status != EvolveResult::Status::kDone) result = one;
      });
      if (result.status != EvolveResult::Status::kDone) return result;
    }
    std::copy_n(last_, n_batches * n_synapses_, call_.next_state);
    return {};
  }

 private:
  // How the work is cut. Runs that are over before a helper has come get none; others are cut so
  // that every thread has several stretches, and waits little for the last.
  void PlanStretches() {
    std::int64_t widest = kFftWidth;
    if (call_.method == Method::kRecursive) {
      widest = reader_.is_drive_noisy() ? kNoisyRecursionWidth : kRecursionWidth;
    }
    stretch_width_ = std::min(widest, n_synapses_);
    const std::int64_t n_samples = call_.input.n_batches * n_timesteps_ * n_synapses_;
    const std::int64_t n_threads =
        std::min<std::int64_t>(call_.n_threads, n_samples / kSamplesPerThread);
    if (n_threads < 2) return;
    n_helpers_ = static_cast<unsigned>(n_threads - 1);
    std::int64_t width = ShareOf(n_threads * kStretchesPerThread);
    if (width < kWideShare) width = ShareOf(n_threads);
    // The recursion alone takes hardly longer than its memory: narrow rows would cost more than a
    // second thread gains.
    const bool is_bare = call_.method == Method::kRecursive && !reader_.is_drive_noisy() &&
                         !reader_.is_output_noisy();
    const std::int64_t narrowest = is_bare ? kWideShare : kNarrowestShare;
    stretch_width_ = std::clamp(width, std::min(narrowest, stretch_width_), stretch_width_);
  }

  // The width of stretches of which there are n_wanted in all items together.
  std::int64_t ShareOf(std::int64_t n_wanted) const {
    const std::int64_t n_batches = call_.input.n_batches;
    const std::int64_t per_item = (n_wanted + n_batches - 1) / n_batches;
    return n_synapses_ / per_item / kNarrowestShare * kNarrowestShare;
  }

  EvolveResult RunStretch(std::int64_t batch, std::int64_t first) {
    const std::int64_t width = std::min(stretch_width_, n_synapses_ - first);
    std::array<bool, kMaxColumns> is_sound;
    const Real* state = call_.state + (call_.is_state_shared ? 0 : batch * n_synapses_) + first;
    const Stretch<Real> stretch{kernels_.window(),
                                reader_,
                                batch,
                                first,
                                width,
                                state,
                                call_.output + batch * n_timesteps_ * n_synapses_ + first,
                                n_synapses_,
                                is_streamed_ && width == n_synapses_,
                                last_ + batch * n_synapses_ + first,
                                is_sound.data(),
                                cancelled_};
    if (call_.method == Method::kFft) {
      kernels_.Convolve(stretch);
    } else {
      Recurse(stretch);
    }
    if (!IsCancelled() &&
        !std::all_of(is_sound.begin(), is_sound.begin() + width, [](bool s) { return s; })) {
      const EvolveResult result = Mend(stretch);
      if (result.status != EvolveResult::Status::kDone) return result;
    }
    if (IsCancelled()) return {EvolveResult::Status::kCancelled, -1};
    if (reader_.is_output_noisy() &&
        (call_.is_state_noisy || call_.noise.placement == NoisePlacement::kState)) {
      std::copy_n(stretch.output + (n_timesteps_ - 1) * stretch.row_stride, stretch.n_synapses,
                  stretch.last);
    }
    return {};
  }

  // Computes anew the synapses that met a non-finite value or a sum that overflowed on the way.
  EvolveResult Mend(const Stretch<Real>& stretch) {
    if (call_.throw_non_finite) {
      const std::int64_t index = FirstNonFinite(call_.input);
      if (index >= 0) return {EvolveResult::Status::kNonFinite, index};
    }
    for (std::int64_t c = 0; c < stretch.n_synapses; ++c) {
      if (stretch.is_sound[c]) continue;
      Stretch<Real> one = stretch;
      one.first_synapse += c;
      one.n_synapses = 1;
      one.state += c;
      one.output += c;
      one.last += c;
      one.is_sound += c;
      RecurseCarefully(one);
    }
    return {};
  }

  bool IsCancelled() const { return cancelled_.load(std::memory_order_relaxed); }

  const Kernels& kernels_;
  const EvolveCall<Real>& call_;
  const std::atomic<bool>& cancelled_;
  const InputReader reader_;
  std::int64_t n_synapses_;
  std::int64_t n_timesteps_;
  std::int64_t stretch_width_ = 0;
  unsigned n_helpers_ = 0;
  bool is_streamed_;
  std::array<Real, kSmallState> small_;
  AlignedBuffer<Real> large_;
  Real* last_ = small_.data();
};

}  // namespace

template <typename Real>
EvolveResult Evolve(const Kernels& kernels, const EvolveCall<Real>& call,
                    const std::atomic<bool>& cancelled) {
  const Raster& input = call.input;
  if (input.n_batches == 0 || input.n_timesteps == 0 || kernels.window().n_synapses() == 0) {
    return {};
  }
  const FlushSubnormals flush_subnormals;
  return Evolution<Real>(kernels, call, cancelled).Run();
}

template EvolveResult Evolve<float>(const Kernels&, const EvolveCall<float>&,
                                    const std::atomic<bool>&);
template EvolveResult Evolve<double>(const Kernels&, const EvolveCall<double>&,
                                     const std::atomic<bool>&);

}  // namespace expsyn
