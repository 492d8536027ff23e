#ifndef EXPSYN_BINDING_LOAD_H_
#define EXPSYN_BINDING_LOAD_H_

#include <chrono>
#include <cstdint>
#include <mutex>

namespace expsyn::binding {

// The calls of the process, in all its environments together: how many are pending, how they have
// ended, and how many may be pending. Thread-safe.
class ProcessLoad {
 public:
  enum class Outcome { kDone, kFailed, kAborted };

  struct Snapshot {
    // Pending calls, the bytes of their inputs and outputs, and the calls that compute now.
    std::int64_t calls = 0, bytes = 0, running = 0;
    // Calls since the process began.
    std::int64_t done = 0, failed = 0, aborted = 0, rejected = 0;
    // The total time from making calls until they settled, and the time that was spent computing.
    double pending_seconds = 0, running_seconds = 0;
    std::int64_t max_calls = 0, max_bytes = 0;
    // Kernels, spectra and sessions.
    std::int64_t memory = 0;
    // Calls that still compute although they have settled.
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

  // With `is_default`, only if no limits have been set.
  void SetLimits(std::int64_t max_calls, std::int64_t max_bytes, bool is_default);
  Snapshot Read();

  // Counts a call as running for as long as it lives.
  class Running {
   public:
    Running();
    ~Running();
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

    // Counts the call as settled although it still computes.
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

// What one environment has pending. The environment's end counts that as aborted.
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
