#include "load.h"

#include <algorithm>

namespace expsyn::binding {

ProcessLoad& ProcessLoad::Shared() {
  // Never destroyed: threads may still count when the process ends.
  static auto* const shared = new ProcessLoad();
  return *shared;
}

bool ProcessLoad::Acquire(std::int64_t bytes) {
  const std::lock_guard<std::mutex> guard(lock_);
  const bool fits = now_.calls < now_.max_calls && bytes <= now_.max_bytes - now_.bytes;
  if (now_.calls > 0 && !fits) {
    ++now_.rejected;
    return false;
  }
  ++now_.calls;
  now_.bytes += bytes;
  return true;
}

void ProcessLoad::Release(std::int64_t bytes, Outcome outcome, double seconds) {
  const std::lock_guard<std::mutex> guard(lock_);
  --now_.calls;
  now_.bytes -= bytes;
  now_.pending_seconds += seconds;
  switch (outcome) {
    case Outcome::kDone:
      ++now_.done;
      return;
    case Outcome::kFailed:
      ++now_.failed;
      return;
    case Outcome::kAborted:
      ++now_.aborted;
  }
}

void ProcessLoad::Forget(std::int64_t calls, std::int64_t bytes) {
  const std::lock_guard<std::mutex> guard(lock_);
  now_.calls -= calls;
  now_.bytes -= bytes;
  now_.aborted += calls;
}

void ProcessLoad::AddMemory(std::int64_t bytes) {
  const std::lock_guard<std::mutex> guard(lock_);
  now_.memory += bytes;
}

void ProcessLoad::SetLimits(std::int64_t max_calls, std::int64_t max_bytes, bool is_default) {
  const std::lock_guard<std::mutex> guard(lock_);
  if (is_default && has_limits_) return;
  now_.max_calls = max_calls;
  now_.max_bytes = max_bytes;
  has_limits_ = true;
}

ProcessLoad::Snapshot ProcessLoad::Read() {
  const std::lock_guard<std::mutex> guard(lock_);
  return now_;
}

ProcessLoad::Running::Running() {
  ProcessLoad& load = Shared();
  const std::lock_guard<std::mutex> guard(load.lock_);
  ++load.now_.running;
}

ProcessLoad::Running::~Running() {
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
  ProcessLoad& load = Shared();
  const std::lock_guard<std::mutex> guard(load.lock_);
  --load.now_.running;
  if (is_detached_) --load.now_.detached;
  load.now_.running_seconds += elapsed.count();
}

void ProcessLoad::Running::Detach() {
  ProcessLoad& load = Shared();
  const std::lock_guard<std::mutex> guard(load.lock_);
  if (is_detached_) return;
  is_detached_ = true;
  ++load.now_.detached;
}

bool EnvironmentLoad::Acquire(std::int64_t bytes) {
  if (!ProcessLoad::Shared().Acquire(bytes)) return false;
  ++calls_;
  bytes_ += bytes;
  return true;
}

void EnvironmentLoad::Release(std::int64_t bytes, ProcessLoad::Outcome outcome, double seconds) {
  // Never more than was acquired.
  if (calls_ == 0) return;
  bytes = std::min(bytes, bytes_);
  --calls_;
  bytes_ -= bytes;
  ProcessLoad::Shared().Release(bytes, outcome, seconds);
}

}  // namespace expsyn::binding
