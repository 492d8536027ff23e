#include "sessions.h"

#include <algorithm>
#include <mutex>

#include "floating_point_mode.h"
#include "worker_pool.h"

namespace expsyn {

namespace {

// Small states share an allocation.
constexpr std::int64_t kBlockBytes = 1 << 16;

// Samples that make it worth to wake another thread, and how many shares each thread then has.
constexpr std::int64_t kSamplesPerThread = 1 << 17;
constexpr std::int64_t kSharesPerThread = 4;

}  // namespace

SessionTable::SessionTable(std::int64_t n_synapses)
    : n_synapses_(n_synapses),
      sessions_per_block_(std::max<std::int64_t>(
          1, kBlockBytes / static_cast<std::int64_t>(2 * sizeof(double)) / n_synapses)) {}

std::int64_t SessionTable::Open(std::uint64_t seed) {
  if (closed_.empty()) {
    const auto number = static_cast<std::int64_t>(sessions_.size());
    // Room for every number first, so that closing one cannot fail.
    closed_.reserve(sessions_.size() + 1);
    // A block that is there already was made for an opening that then failed.
    if (number / sessions_per_block_ == static_cast<std::int64_t>(blocks_.size())) {
      blocks_.emplace_back(static_cast<std::size_t>(2 * sessions_per_block_ * n_synapses_));
    }
    sessions_.emplace_back();
    double* place = blocks_.back().data() + number % sessions_per_block_ * 2 * n_synapses_;
    sessions_.back().state = {place, place + n_synapses_};
    closed_.push_back(number);
  }
  const std::int64_t number = closed_.back();
  closed_.pop_back();
  Session& session = sessions_[static_cast<std::size_t>(number)];
  std::fill_n(session.state.isyn, n_synapses_, 0);
  std::fill_n(session.state.correction, n_synapses_, 0);
  session.step = 0;
  session.seed = seed;
  session.is_open = true;
  return number;
}

void SessionTable::Close(std::int64_t number) {
  Session* session = Find(number);
  if (session == nullptr) return;
  session->is_open = false;
  closed_.push_back(number);
}

Session* SessionTable::Find(std::int64_t number) {
  if (number < 0 || number >= static_cast<std::int64_t>(sessions_.size())) return nullptr;
  Session& session = sessions_[static_cast<std::size_t>(number)];
  return session.is_open ? &session : nullptr;
}

void SessionTable::Advance(Session& session, State state, std::int64_t n_timesteps) const {
  std::copy_n(state.isyn, n_synapses_, session.state.isyn);
  std::copy_n(state.correction, n_synapses_, session.state.correction);
  session.step += static_cast<std::uint64_t>(n_timesteps);
}

double* SessionTable::Scratch(std::size_t size) {
  if (scratch_.size() < size) scratch_ = AlignedBuffer<double>(size);
  return scratch_.data();
}

std::size_t SessionTable::size_in_bytes() const {
  return blocks_.size() * static_cast<std::size_t>(2 * sessions_per_block_ * n_synapses_) *
             sizeof(double) +
         sessions_.size() * (sizeof(Session) + sizeof(std::int64_t)) +
         scratch_.size() * sizeof(double);
}

template <typename Real>
bool EvolveSessions(const Kernels& kernels, const SessionsCall<Real>& call,
                    const std::atomic<bool>& cancelled, std::vector<SessionFailure>* failures) {
  const std::int64_t n_sessions = call.input.n_batches;
  const std::int64_t n_synapses = kernels.window().n_synapses();
  const std::int64_t item_size = call.input.n_timesteps * call.input.n_columns;
  const std::int64_t n_samples = call.input.n_timesteps * n_synapses;
  const std::size_t item_bytes = static_cast<std::size_t>(item_size) * ElementSize(call.input.type);
  std::mutex lock;
  const FlushSubnormals flush_subnormals;

  EvolveCall<Real> common;
  common.method = call.method;
  common.input = call.input;
  common.input.n_batches = 1;
  common.noise.placement = call.noise_placement;
  common.noise.scale = call.noise_scale;
  common.throw_non_finite = call.throw_non_finite;
  common.is_state_noisy = call.is_state_noisy;
  common.n_threads = call.n_threads;
  const auto evolve = [&](std::int64_t item) {
    // A few steps are over without a look at it, but not those of thousands of sessions.
    if (cancelled.load(std::memory_order_relaxed)) return;
    const Session& session = *call.sessions[item];
    EvolveCall<Real> one = common;
    one.input.data =
        static_cast<const char*>(call.input.data) + static_cast<std::size_t>(item) * item_bytes;
    one.noise.seed = session.seed;
    one.noise.step = session.step;
    one.state = {session.state.isyn, session.state.correction};
    one.output = call.output + item * n_samples;
    one.next_state = call.next_states.From(item * n_synapses);
    const EvolveResult result = Evolve(kernels, one, cancelled);
    if (result.status != EvolveResult::Status::kNonFinite) return;
    const std::lock_guard<std::mutex> guard(lock);
    failures->push_back({item, item * item_size + result.non_finite_index});
  };

  const auto n_threads =
      std::min<std::int64_t>(call.n_threads, n_sessions * n_samples / kSamplesPerThread);
  if (n_threads < 2 || n_sessions == 1) {
    for (std::int64_t item = 0; item < n_sessions; ++item) evolve(item);
  } else {
    const std::int64_t n_shares = std::min(n_sessions, n_threads * kSharesPerThread);
    WorkerPool::Shared()->ForEach(
        n_shares, static_cast<unsigned>(n_threads - 1), [&](std::int64_t share) {
          const std::int64_t end = (share + 1) * n_sessions / n_shares;
          for (std::int64_t item = share * n_sessions / n_shares; item < end; ++item) evolve(item);
        });
    std::sort(failures->begin(), failures->end(),
              [](const SessionFailure& a, const SessionFailure& b) { return a.item < b.item; });
  }
  return !cancelled.load(std::memory_order_relaxed);
}

template bool EvolveSessions<float>(const Kernels&, const SessionsCall<float>&,
                                    const std::atomic<bool>&, std::vector<SessionFailure>*);
template bool EvolveSessions<double>(const Kernels&, const SessionsCall<double>&,
                                     const std::atomic<bool>&, std::vector<SessionFailure>*);

}  // namespace expsyn
