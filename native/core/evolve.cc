#include "evolve.h"

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "aligned_buffer.h"
#include "floating_point_mode.h"
#include "recursion.h"

namespace expsyn {

namespace {

// The state after a call of ordinary size needs no allocation.
constexpr std::int64_t kSmallState = 256;

// Rows of the output to which noise is added at a time.
constexpr std::int64_t kNoiseRows = 64;

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
    if (size > kSmallState) {
      large_ = AlignedBuffer<Real>(static_cast<std::size_t>(size));
      last_ = large_.data();
    }
  }

  EvolveResult Run() {
    for (std::int64_t batch = 0; batch < call_.input.n_batches; ++batch) {
      for (std::int64_t first = 0; first < n_synapses_; first += kStretchWidth) {
        const EvolveResult result =
            RunStretch(batch, first, std::min(kStretchWidth, n_synapses_ - first));
        if (result.status != EvolveResult::Status::kDone) return result;
      }
    }
    std::copy_n(last_, call_.input.n_batches * n_synapses_, call_.next_state);
    return {};
  }

 private:
  EvolveResult RunStretch(std::int64_t batch, std::int64_t first, std::int64_t width) {
    const double* state = call_.state + (call_.is_state_shared ? 0 : batch * n_synapses_) + first;
    const Stretch<Real> stretch{kernels_.window(),
                                reader_,
                                batch,
                                first,
                                width,
                                state,
                                call_.output + batch * n_timesteps_ * n_synapses_ + first,
                                n_synapses_,
                                last_ + batch * n_synapses_ + first,
                                is_sound_.data(),
                                cancelled_};
    if (call_.method == Method::kFft) {
      kernels_.Convolve(stretch);
    } else {
      Recurse(stretch);
    }
    if (!IsCancelled() &&
        !std::all_of(is_sound_.begin(), is_sound_.begin() + width, [](bool s) { return s; })) {
      const EvolveResult result = Mend(stretch);
      if (result.status != EvolveResult::Status::kDone) return result;
    }
    if (!IsCancelled()) AddOutputNoise(stretch);
    if (IsCancelled()) return {EvolveResult::Status::kCancelled, -1};
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

  void AddOutputNoise(const Stretch<Real>& stretch) {
    const NoisePlacement placement = call_.noise.placement;
    if (placement != NoisePlacement::kOutput && placement != NoisePlacement::kState) return;
    // The first block ends where the absolute step is even, since noise is made for step pairs.
    std::int64_t n_rows = 0;
    for (std::int64_t step = 0; step < n_timesteps_ && !IsCancelled(); step += n_rows) {
      const auto odd =
          static_cast<std::int64_t>((call_.noise.step + static_cast<std::uint64_t>(step)) % 2);
      n_rows = std::min(kNoiseRows - odd, n_timesteps_ - step);
      reader_.AddOutputNoise(stretch.batch, step, n_rows, stretch.first_synapse, stretch.n_synapses,
                             stretch.output + step * stretch.row_stride, stretch.row_stride);
    }
    if (call_.is_state_noisy || placement == NoisePlacement::kState) {
      std::copy_n(stretch.output + (n_timesteps_ - 1) * stretch.row_stride, stretch.n_synapses,
                  stretch.last);
    }
  }

  bool IsCancelled() const { return cancelled_.load(std::memory_order_relaxed); }

  const Kernels& kernels_;
  const EvolveCall<Real>& call_;
  const std::atomic<bool>& cancelled_;
  const InputReader reader_;
  std::int64_t n_synapses_;
  std::int64_t n_timesteps_;
  std::array<Real, kSmallState> small_;
  AlignedBuffer<Real> large_;
  Real* last_ = small_.data();
  std::array<bool, kStretchWidth> is_sound_;
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
