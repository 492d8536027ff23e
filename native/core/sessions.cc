#include "sessions.h"

#include <algorithm>

namespace expsyn {

namespace {

// Small states share an allocation. In doubles.
constexpr std::int64_t kBlockSize = 1 << 13;

}  // namespace

SessionTable::SessionTable(std::int64_t n_synapses, std::int64_t state_size,
                           std::optional<ElementType> inputs)
    : n_synapses_(n_synapses),
      state_size_(state_size),
      inputs_(inputs),
      sessions_per_block_(
          std::max<std::int64_t>(1, kBlockSize / std::max<std::int64_t>(1, session_size()))) {}

std::int64_t SessionTable::Open(std::uint64_t seed) {
  if (closed_.empty()) {
    const auto number = static_cast<std::int64_t>(sessions_.size());
    // Room for every number, so that closing a session cannot fail.
    closed_.reserve(sessions_.size() + 1);
    std::unique_ptr<InputHistory> history;
    if (inputs_.has_value()) {
      history = std::make_unique<InputHistory>(n_synapses_, state_size_, *inputs_, history_bytes_);
    }
    // The block exists already if an earlier call failed after it had allocated it.
    if (!inputs_.has_value() &&
        number / sessions_per_block_ == static_cast<std::int64_t>(blocks_.size())) {
      blocks_.emplace_back(CheckedSize(sessions_per_block_ * session_size()));
    }
    sessions_.emplace_back();
    sessions_.back().history = std::move(history);
    if (!inputs_.has_value())
      sessions_.back().state = {
          blocks_.back().data() + number % sessions_per_block_ * session_size(), n_synapses_};
    closed_.push_back(number);
  }
  const std::int64_t number = closed_.back();
  closed_.pop_back();
  Session& session = sessions_[static_cast<std::size_t>(number)];
  if (inputs_.has_value()) {
    session.history->Clear();
  } else {
    std::fill_n(session.state.values, session_size(), 0);
  }
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

void SessionTable::Read(const Session& session, NextState to) const {
  if (inputs_.has_value()) {
    session.history->Read(to);
  } else {
    Copy(session.state.view(), to);
  }
}

void SessionTable::Write(Session& session, State state) const {
  if (inputs_.has_value()) {
    session.history->Write(state);
  } else {
    Copy(state, session.state);
  }
}

void SessionTable::Advance(Session& session, State next_state, std::int64_t n_timesteps) const {
  if (inputs_.has_value()) {
    session.history->Append(next_state, n_timesteps);
  } else {
    Copy(next_state, session.state);
  }
  session.step += static_cast<std::uint64_t>(n_timesteps);
}

void SessionTable::Copy(State from, NextState to) const {
  for (std::int64_t p = 0; p < state_size_; ++p) {
    std::copy_n(from.Plane(p), n_synapses_, to.Plane(p));
  }
}

double* SessionTable::Scratch(std::size_t size) {
  if (scratch_.size() < size) scratch_ = AlignedBuffer<double>(size);
  return scratch_.data();
}

std::size_t SessionTable::size_in_bytes() const {
  return history_bytes_->load() +
         blocks_.size() * static_cast<std::size_t>(sessions_per_block_ * session_size()) *
             sizeof(double) +
         sessions_.size() * (sizeof(Session) + sizeof(std::int64_t)) +
         scratch_.size() * sizeof(double);
}

}  // namespace expsyn
