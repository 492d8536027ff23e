#include "evolve_histories.h"

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "aligned_buffer.h"
#include "evolve_item.h"
#include "floating_point_mode.h"
#include "method/partitioned.h"
#include "worker_pool.h"

namespace expsyn {

namespace {

// The number of samples for which it is worth waking another thread.
constexpr std::int64_t kSamplesPerThread = 1 << 14;

template <typename Real>
class HistoriesEvolution {
 public:
  HistoriesEvolution(const Kernel& kernel, const Settings& settings, Method method,
                     const Call<Real>& call, const std::atomic<bool>& cancelled)
      : kernel_(kernel),
        settings_(settings),
        method_(method),
        call_(call),
        cancelled_(cancelled),
        n_timesteps_(call.input.n_timesteps) {}

  EvolveResult Run() {
    const std::int64_t n_items = call_.input.n_batches;
    const std::int64_t n_samples = n_items * n_timesteps_ * kernel_.n_synapses();
    const std::int64_t n_threads = std::clamp<std::int64_t>(
        n_samples / kSamplesPerThread, 1, std::min<std::int64_t>(settings_.n_threads, n_items));
    if (n_threads < 2) {
      for (std::int64_t item = 0; item < n_items; ++item) RunItem(item);
    } else {
      WorkerPool::Shared()->ForEach(n_items, static_cast<unsigned>(n_threads - 1),
                                    [&](std::int64_t item) { RunItem(item); });
    }
    if (IsCancelled()) return {EvolveResult::Status::kCancelled, {}};
    std::sort(failures_.begin(), failures_.end(),
              [](const ItemFailure& a, const ItemFailure& b) { return a.item < b.item; });
    const bool has_failed = call_.policy == FailurePolicy::kCall && !failures_.empty();
    if (has_failed) failures_.resize(1);
    return {has_failed ? EvolveResult::Status::kFailed : EvolveResult::Status::kDone,
            std::move(failures_)};
  }

 private:
  bool IsCancelled() const { return cancelled_.load(std::memory_order_relaxed); }

  void RunItem(std::int64_t item) {
    if (IsCancelled()) return;
    const FlushSubnormals flush_subnormals;
    const Item& own = call_.items[item];
    const Raster input = call_.input.Items(item, 1);
    const std::int64_t bad = FirstNonFinite(input);
    if (bad >= 0 && settings_.throw_non_finite) {
      const std::lock_guard<std::mutex> guard(lock_);
      failures_.push_back({item, item * call_.input.IndexOf(1, 0, 0) + bad});
      return;
    }
    const std::lock_guard<std::mutex> guard(own.history->lock());
    if (bad < 0 && !own.history->HasNonFinite() && n_timesteps_ <= LongestDividedCall(kernel_)) {
      const InputReader reader(input, {settings_.noise, settings_.noise_scale, own.seed, own.step,
                                       own.batch, call_.first_synapse});
      AlignedBuffer<Real> rows;
      if (!call_.reduction.IsNone()) {
        rows = AlignedBuffer<Real>(
            CheckedProduct(CheckedSize(n_timesteps_), CheckedSize(kernel_.n_synapses())));
      }
      Real* const output =
          call_.reduction.IsNone() ? KeptRowsOf(call_, item, kernel_.n_synapses()) : rows.data();
      if (ConvolveSession<Real>({kernel_, reader, *own.history, static_cast<std::int64_t>(own.step),
                                 output, own.next_state, cancelled_},
                                method_ == Method::kFft)) {
        if (!call_.reduction.IsNone()) {
          ReduceItem(call_, item, kernel_.n_synapses(), output);
        }
        return;
      }
    }
    RunFromPlanes(item);
  }

  // Computes an item as a batch of one: from a copy of its inputs as planes, which takes a time of
  // its own.
  void RunFromPlanes(std::int64_t item) {
    const Item& own = call_.items[item];
    const std::int64_t n_synapses = kernel_.n_synapses();
    AlignedBuffer<double> planes(
        CheckedProduct(CheckedSize(kernel_.state_size()), CheckedSize(n_synapses)));
    const NextState state{planes.data(), n_synapses};
    own.history->Read(state);
    Item one = own;
    one.history = nullptr;
    one.state = state.view();
    one.next_state = state;
    Settings settings = settings_;
    settings.method = method_;
    settings.n_threads = call_.input.n_batches == 1 ? settings_.n_threads : 1;
    Call<Real> call = call_;
    call.input = call_.input.Items(item, 1);
    call.output = KeptRowsOf(call_, item, kernel_.n_synapses());
    call.items = &one;
    const EvolveResult result = Evolve(kernel_, settings, call, cancelled_);
    if (result.status != EvolveResult::Status::kDone) return;
    for (std::int64_t p = 0; p < std::min(kernel_.state_size(), n_timesteps_); ++p) {
      std::copy_n(state.Plane(p), n_synapses, own.next_state.Plane(p));
    }
  }

  const Kernel& kernel_;
  const Settings& settings_;
  const Method method_;
  const Call<Real>& call_;
  const std::atomic<bool>& cancelled_;
  const std::int64_t n_timesteps_;
  std::mutex lock_;
  std::vector<ItemFailure> failures_;  // guarded by lock_
};

}  // namespace

template <typename Real>
EvolveResult EvolveHistories(const Kernel& kernel, const Settings& settings, Method method,
                             const Call<Real>& call, const std::atomic<bool>& cancelled) {
  return HistoriesEvolution<Real>(kernel, settings, method, call, cancelled).Run();
}

template EvolveResult EvolveHistories<float>(const Kernel&, const Settings&, Method,
                                             const Call<float>&, const std::atomic<bool>&);
template EvolveResult EvolveHistories<double>(const Kernel&, const Settings&, Method,
                                              const Call<double>&, const std::atomic<bool>&);

}  // namespace expsyn
