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

// Processors that threads can run on: 0 where the program cannot start threads, as in WebAssembly.
unsigned AvailableProcessors();

// Threads of the process that run tasks in the order in which they were given, except that a short
// task does not wait for long ones: when all threads are busy, one more comes that does only short
// tasks. Thread-safe.
class WorkerPool {
 public:
  enum class Kind { kShort, kLong };

  // The pool that the whole process shares. It is made for the first caller, and destroyed, its
  // threads joined, when its last owner releases it.
  static std::shared_ptr<WorkerPool> Shared();

  // max_threads does not count the thread for short tasks. If it is 0, tasks run in Submit().
  explicit WorkerPool(unsigned max_threads);
  // Runs what is still queued, then joins.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Queues a task, which must not throw, and starts a thread for it unless one is idle or the pool
  // has all its threads. If the thread cannot be started, the task waits for another one of the
  // pool. Throws std::bad_alloc or, if there is no other thread, std::system_error, and then has
  // queued nothing. The pool itself
  // allocates nothing after that: a task that was queued runs.
  void Submit(std::function<void()> task, Kind kind = Kind::kLong);

  // Calls task(i) once for every i < n_tasks, on the calling thread and on at most n_helpers of the
  // pool's, and returns when all calls have. Helpers do one task at a time and then queue again
  // behind what others have submitted; a helper that never gets its turn is not waited for. The
  // first exception is thrown here, and tasks that have not begun by then are left out.
  void ForEach(std::int64_t n_tasks, unsigned n_helpers,
               const std::function<void(std::int64_t)>& task);

 private:
  struct Task {
    std::uint64_t number;
    std::function<void()> run;
  };

  void Work() noexcept;
  void WorkOnShortTasks() noexcept;
  // Starts a thread that runs `work`; returns whether the system had one, and memory for it.
  bool Start(void (WorkerPool::*work)()) noexcept;
  // The queue whose first task came first, or null when both are empty.
  std::deque<Task>* FirstQueue() noexcept;
  // Runs the first task of the queue, without the lock.
  void RunFirst(std::deque<Task>& queue, std::unique_lock<std::mutex>& guard) noexcept;

  const unsigned max_threads_;
  std::mutex lock_;
  std::condition_variable wake_;
  std::condition_variable wake_short_;
  std::deque<Task> short_tasks_, long_tasks_;
  std::uint64_t next_number_ = 0;
  std::vector<std::thread> threads_;  // the one for short tasks among them
  unsigned n_for_all_ = 0;            // threads that do any task
  unsigned n_idle_ = 0;               // of these
  bool has_short_thread_ = false;
  bool is_closing_ = false;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_WORKER_POOL_H_
