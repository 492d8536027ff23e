#ifndef EXPSYN_BINDING_LOAD_H_
#define EXPSYN_BINDING_LOAD_H_

#include <chrono>
#include <cstdint>
#include <mutex>

namespace expsyn::binding {

// What the process has pending, has done, and may have pending: of all environments together.
// Thread-safe.
class ProcessLoad {
 public:
  enum class Outcome { kDone, kFailed, kAborted };

  struct Snapshot {
    // Pending calls and the bytes of their inputs and outputs; of them, those that compute now.
    std::int64_t calls = 0, bytes = 0, running = 0;
    // Since the process began.
    std::int64_t done = 0, failed = 0, aborted = 0, rejected = 0;
    // From when calls were made until they settled, and computing alone.
    double pending_seconds = 0, running_seconds = 0;
    std::int64_t max_calls = 0, max_bytes = 0;
    // Kernels, spectra and sessions.
    std::int64_t memory = 0;
    // Of those that compute, the ones that are not pending any more.
    std::int64_t detached = 0;
  };

  static ProcessLoad& Shared();

  // Counts a call as pending, or as rejected if it would exceed a limit. A call is never rejected
  // if it is the only one pending.
  bool Acquire(std::int64_t bytes);
  // Counts the end of an acquired call.
  void Release(std::int64_t bytes, Outcome outcome, double seconds);
  // Counts the calls that an environment leaves pending at its end as aborted.
  void Forget(std::int64_t calls, std::int64_t bytes);

  // Counts memory that handles hold, or, below 0, have given back.
  void AddMemory(std::int64_t bytes);

  void SetLimits(std::int64_t max_calls, std::int64_t max_bytes);
  // The same unless limits have been set.
  void SetDefaultLimits(std::int64_t max_calls, std::int64_t max_bytes);
  Snapshot Read();

  // Counts a call as running for as long as it lives.
  class Running {
   public:
    Running();
    ~Running();
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

    // The call is over; what runs is what cannot be stopped at once.
    void Detach();

   private:
    bool is_detached_ = false;
    const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  };

 private:
  std::mutex lock_;
  Snapshot now_;
  bool has_limits_ = false;
};

// One environment's share of what is pending, which goes with it.
class EnvironmentLoad {
 public:
  ~EnvironmentLoad() { ProcessLoad::Shared().Forget(calls_, bytes_); }

  bool Acquire(std::int64_t bytes);
  void Release(std::int64_t bytes, ProcessLoad::Outcome outcome, double seconds);

 private:
  std::int64_t calls_ = 0, bytes_ = 0;
};

}  // namespace expsyn::binding

#endif  // EXPSYN_BINDING_LOAD_H_
