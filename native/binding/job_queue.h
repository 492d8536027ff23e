#ifndef EXPSYN_BINDING_JOB_QUEUE_H_
#define EXPSYN_BINDING_JOB_QUEUE_H_

#include <napi.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "load.h"
#include "worker_pool.h"

namespace expsyn::binding {

// Runs work off one JavaScript environment's thread (the main one's or a worker's), on the
// process's own pool, and settles promises on it.
//
// The environment may end at any moment, by worker.terminate() or process.exit(). Then running work
// is told to stop through its flag and waited for, since it writes into memory that JavaScript
// owns; queued work never starts. All methods are for the environment's own thread.
class JobQueue {
 public:
  // What the promise of a job that was cancelled before it began resolves with.
  static constexpr double kCancelled = -2;

  struct Job {
    std::uint64_t id = 0;  // no other job has it
    WorkerPool::Kind kind = WorkerPool::Kind::kLong;
    // Runs on the pool; an exception rejects the promise. Must return soon once `cancelled` is
    // true.
    std::function<double(const std::atomic<bool>& cancelled)> work;
    // Makes what the promise resolves with of what `work` returned, on the environment's thread.
    std::function<Napi::Value(Napi::Env env, double value)> result;
    // Kept alive until the promise settles.
    std::vector<Napi::ObjectReference> held;
  };

  explicit JobQueue(Napi::Env env);
  JobQueue(const JobQueue&) = delete;
  JobQueue& operator=(const JobQueue&) = delete;

  // Queues a job. The process stays up for it.
  Napi::Promise Start(Napi::Env env, Job job);

  // Tells a job to stop; one that has not begun is settled now. Does nothing for one that is over.
  // One that is `abandoned` is pending no more, though it may run on for a while.
  void Cancel(Napi::Env env, std::uint64_t id, bool abandoned);

 private:
  // What a thread of the pool needs of a job.
  struct Task {
    std::uint64_t id = 0;
    std::function<double(const std::atomic<bool>& cancelled)> work;
    std::atomic<bool> cancelled{false};
    // Guarded by Shared::lock.
    bool has_begun = false;
    std::optional<ProcessLoad::Running> running;
  };
  // What the pool's threads see. It outlives the environment.
  struct Shared {
    std::mutex lock;
    std::condition_variable is_idle;
    std::unordered_set<Task*> running;
    bool is_closed = false;
    napi_threadsafe_function wake = nullptr;
  };
  // What only the JavaScript thread sees.
  struct Pending {
    Napi::Promise::Deferred deferred;
    std::vector<Napi::ObjectReference> held;
    std::function<Napi::Value(Napi::Env env, double value)> result;
    std::shared_ptr<Task> task;
  };
  struct Outcome {
    std::uint64_t id = 0;
    double value = 0;
    std::exception_ptr error;
  };

  static void RunOnPool(const std::shared_ptr<Shared>& shared, Task& task);
  static void SettleOnLoop(napi_env env, napi_value, void* context, void* data);
  static void Close(JobQueue* queue);
  void Settle(Napi::Env env, const Outcome& outcome);
  void Wake(Napi::Env env);

  std::shared_ptr<WorkerPool> pool_;
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::unordered_map<std::uint64_t, Pending> pending_;
};

// The JavaScript error that stands for a C++ exception of the core.
Napi::Error ErrorFor(Napi::Env env, const std::exception_ptr& error);

}  // namespace expsyn::binding

#endif  // EXPSYN_BINDING_JOB_QUEUE_H_
