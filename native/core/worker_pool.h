#ifndef EXPSYN_CORE_WORKER_POOL_H_
#define EXPSYN_CORE_WORKER_POOL_H_

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace expsyn {

// Threads of the process that run tasks in the order in which they were given. Thread-safe.
class WorkerPool {
 public:
  // The pool that everybody in the process shares: made for the first who asks, and gone, its
  // threads joined, when the last holder lets go of it.
  static std::shared_ptr<WorkerPool> Shared();

  explicit WorkerPool(unsigned max_threads);
  // Runs what is still queued, then joins.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Queues a task, which must not throw, and starts a thread for it unless one is idle or the pool
  // has max_threads. Throws std::bad_alloc or std::system_error, and then has queued nothing.
  void Submit(std::function<void()> task);

  // Calls task(i) once for every i < n_tasks, on the calling thread and on at most n_helpers of the
  // pool's, and returns when all calls have. Helpers do one task at a time and then queue again
  // behind what others have submitted; a helper that never gets its turn is not waited for. The
  // first exception is thrown here, and tasks that have not begun by then are left out.
  void ForEach(std::int64_t n_tasks, unsigned n_helpers,
               const std::function<void(std::int64_t)>& task);

 private:
  void Work();

  const unsigned max_threads_;
  std::mutex lock_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  std::vector<std::thread> threads_;
  unsigned n_idle_ = 0;
  bool is_closing_ = false;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_WORKER_POOL_H_
