#include "evolve_segments.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "aligned_buffer.h"
#include "evolve_item.h"
#include "worker_pool.h"

namespace expsyn {

namespace {

template <typename Real>
class SegmentsEvolution {
 public:
  SegmentsEvolution(const Kernel& kernel, const Settings& settings, const Call<Real>& call,
                    const Segments& segments, const std::atomic<bool>& cancelled)
      : kernel_(kernel),
        settings_(settings),
        call_(call),
        segments_(segments),
        cancelled_(cancelled),
        n_items_(call.input.n_batches),
        n_synapses_(kernel.n_synapses()),
        state_length_(CheckedProduct(CheckedSize(kernel.state_size()), CheckedSize(n_synapses_))),
        zeros_(state_length_),
        next_(CheckedProduct(CheckedSize(n_items_), state_length_)) {}

  EvolveResult Run() {
    if (n_items_ > 1 && settings_.n_threads > 1) {
      settings_.n_threads = 1;
      WorkerPool::Shared()->ForEach(n_items_, threads_ - 1, [&](std::int64_t i) { RunItem(i); });
    } else {
      for (std::int64_t item = 0; item < n_items_; ++item) RunItem(item);
    }
    if (cancelled_.load(std::memory_order_relaxed)) return {EvolveResult::Status::kCancelled, {}};
    if (!failures_.empty()) {
      const auto first = std::min_element(
          failures_.begin(), failures_.end(),
          [](const ItemFailure& a, const ItemFailure& b) { return a.index < b.index; });
      return {EvolveResult::Status::kFailed, {*first}};
    }
    for (std::int64_t item = 0; item < n_items_; ++item) Commit(item);
    return {};
  }

 private:
  std::int64_t LengthOf(std::int64_t item) const {
    return segments_.lengths.empty() ? call_.input.n_timesteps
                                     : segments_.lengths[static_cast<std::size_t>(item)];
  }
  const std::vector<std::int64_t>& ResetsOf(std::int64_t item) const {
    static const std::vector<std::int64_t> kNone;
    if (segments_.resets.empty()) return kNone;
    const std::size_t at = segments_.resets.size() == 1 ? 0 : static_cast<std::size_t>(item);
    return segments_.resets[at];
  }
  NextState NextOf(std::int64_t item) {
    return {next_.data() + static_cast<std::size_t>(item) * state_length_, n_synapses_};
  }

  void RunItem(std::int64_t item) {
    const std::int64_t length = LengthOf(item);
    const Item& own = call_.items[item];
    PutZeros(item, length);
    Item one = own;
    one.next_state = NextOf(item);
    std::int64_t begin = 0;
    const auto run_to = [&](std::int64_t end) {
      if (end > begin) RunSegment(item, begin, end, one);
      begin = std::max(begin, end);
    };
    for (const std::int64_t reset : ResetsOf(item)) {
      if (reset >= length) break;
      run_to(reset);
      one.state = {zeros_.data(), n_synapses_};
    }
    run_to(length);
    if (length > 0) return;
    for (std::int64_t p = 0; p < kernel_.state_size(); ++p) {
      std::copy_n(own.state.Plane(p), n_synapses_, one.next_state.Plane(p));
    }
  }

  void RunSegment(std::int64_t item, std::int64_t begin, std::int64_t end, Item& one) {
    if (cancelled_.load(std::memory_order_relaxed)) return;
    const Item& own = call_.items[item];
    one.step = own.step + static_cast<std::uint64_t>(begin);
    Call<Real> call = call_;
    call.input = call_.input.Items(item, 1).Steps(begin, end - begin);
    call.output = KeptRowsOf(call_, item, n_synapses_) +
                  call_.reduction.CountKept(own.step, begin) * n_synapses_;
    call.items = &one;
    const EvolveResult result = Evolve(kernel_, settings_, call, cancelled_);
    one.partial.n_steps = one.partial.StepsAfter(call_.reduction, one.step, end - begin);
    if (result.status != EvolveResult::Status::kFailed) return;
    const std::int64_t first = call_.input.IndexOf(item, begin, 0);
    const std::lock_guard<std::mutex> guard(lock_);
    failures_.push_back({item, first + result.failures[0].index});
  }

  // Sets the output of the steps after the end of an item to 0.
  void PutZeros(std::int64_t item, std::int64_t length) const {
    const std::uint64_t step = call_.items[item].step;
    const std::int64_t n_kept = call_.reduction.CountKept(step, call_.input.n_timesteps);
    const std::int64_t n_own = call_.reduction.CountKept(step, length);
    std::fill_n(KeptRowsOf(call_, item, n_synapses_) + n_own * n_synapses_,
                (n_kept - n_own) * n_synapses_, Real{0});
  }

  void Commit(std::int64_t item) {
    const NextState from = NextOf(item);
    for (std::int64_t p = 0; p < kernel_.state_size(); ++p) {
      std::copy_n(from.Plane(p), n_synapses_, call_.items[item].next_state.Plane(p));
    }
  }

  const Kernel& kernel_;
  Settings settings_;
  const Call<Real>& call_;
  const Segments& segments_;
  const std::atomic<bool>& cancelled_;
  std::int64_t n_items_;
  std::int64_t n_synapses_;
  unsigned threads_ = settings_.n_threads;
  std::size_t state_length_;
  AlignedBuffer<double> zeros_, next_;
  std::mutex lock_;
  std::vector<ItemFailure> failures_;  // guarded by lock_
};

}  // namespace

template <typename Real>
EvolveResult EvolveSegments(const Kernel& kernel, const Settings& settings, const Call<Real>& call,
                            const Segments& segments, const std::atomic<bool>& cancelled) {
  return SegmentsEvolution<Real>(kernel, settings, call, segments, cancelled).Run();
}

template EvolveResult EvolveSegments<float>(const Kernel&, const Settings&, const Call<float>&,
                                            const Segments&, const std::atomic<bool>&);
template EvolveResult EvolveSegments<double>(const Kernel&, const Settings&, const Call<double>&,
                                             const Segments&, const std::atomic<bool>&);

}  // namespace expsyn
