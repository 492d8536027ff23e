#ifndef EXPSYN_BINDING_JOB_QUEUE_H_
#define EXPSYN_BINDING_JOB_QUEUE_H_

#include <napi.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "load.h"
#include "worker_pool.h"

namespace expsyn::binding {

// Runs work off one JavaScript environment's thread (the main one's or a worker's), on the
// process's own pool, and settles promises on it.
//
// Everything that a job needs is allocated in Start(), which fails as a whole. After that, the
// queue allocates no C++ memory, neither on the pool nor to settle a promise: a job that was queued
// settles its promise, whatever its work throws.
//
// The environment may end at any moment, by worker.terminate() or process.exit(). Then running work
// is told to stop through its flag and waited for, since it writes into memory that JavaScript
// owns; queued work never starts. All methods are for the environment's own thread.
class JobQueue {
 public:
  struct Job {
    std::uint64_t id = 0;  // no other job has it
    WorkerPool::Kind kind = WorkerPool::Kind::kLong;
    // Runs on the pool. Must return soon once `cancelled` is true; returns whether the work was
    // done. An exception rejects the promise.
    std::function<bool(const std::atomic<bool>& cancelled)> work;
    // Makes what the promise resolves with, on the environment's thread. An exception rejects the
    // promise. Not called for work that was cancelled: that promise resolves with undefined.
    std::function<napi_value(napi_env env)> result;
    // Kept alive until the promise settles.
    std::vector<Napi::ObjectReference> held;
  };

  explicit JobQueue(Napi::Env env);
  JobQueue(const JobQueue&) = delete;
  JobQueue& operator=(const JobQueue&) = delete;

  // Queues a job and returns its promise. The process stays up for it. Throws a Napi::Error,
  // std::bad_alloc or std::system_error, and then has queued nothing.
  Napi::Value Start(Napi::Env env, Job job);

  // Tells a job to stop. A job that has not begun settles now; for a job that is over, nothing
  // happens. With `detached`, the job counts as detached for as long as it still runs.
  void Cancel(Napi::Env env, std::uint64_t id, bool detached);

 private:
  struct Task;
  // A task's element in a list of Shared. The task owns it while it is in no list; it moves by
  // splicing, which allocates nothing.
  struct Place {
    std::uint64_t id;
    Task* task;
  };
  using Places = std::list<Place>;

  // What a thread of the pool needs of a job.
  struct Task {
    Task(std::uint64_t id, std::function<bool(const std::atomic<bool>& cancelled)> given)
        : work(std::move(given)), place(1, {id, this}) {}

    std::function<bool(const std::atomic<bool>& cancelled)> work;
    std::atomic<bool> cancelled{false};
    // Set by the thread that runs it; read when it is in Shared::done.
    bool is_done = false;
    std::exception_ptr error;
    // Guarded by Shared::lock.
    Places place;
    bool has_begun = false;
    std::optional<ProcessLoad::Running> running;
  };
  // What the pool's threads see. It outlives the environment.
  struct Shared {
    std::mutex lock;
    std::condition_variable is_idle;
    Places running;
    // Tasks whose promises are to be settled, in the order in which they ended.
    Places done;
    bool is_woken = false;  // the event loop has been asked to settle them
    bool is_closed = false;
    napi_threadsafe_function wake = nullptr;
  };
  // What only the JavaScript thread sees.
  struct Pending {
    napi_deferred deferred = nullptr;
    std::vector<Napi::ObjectReference> held;
    std::function<napi_value(napi_env env)> result;
    std::shared_ptr<Task> task;
  };

  static void RunOnPool(Shared& shared, Task& task) noexcept;
  static void SettleOnLoop(napi_env env, napi_value, void* context, void*) noexcept;
  static void Close(JobQueue* queue) noexcept;
  void Settle(napi_env env, std::uint64_t id) noexcept;
  void PrepareToWake(Napi::Env env);

  std::shared_ptr<WorkerPool> pool_;
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::unordered_map<std::uint64_t, Pending> pending_;
};

}  // namespace expsyn::binding

#endif  // EXPSYN_BINDING_JOB_QUEUE_H_
