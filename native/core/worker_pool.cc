#include "worker_pool.h"

#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>

namespace expsyn {

unsigned AvailableProcessors() {
#if defined(__wasm__)
  return 0;
#else
  return std::max(1u, std::thread::hardware_concurrency());
#endif
}

std::shared_ptr<WorkerPool> WorkerPool::Shared() {
  static std::mutex lock;
  static std::weak_ptr<WorkerPool> shared;
  const std::lock_guard<std::mutex> guard(lock);
  std::shared_ptr<WorkerPool> pool = shared.lock();
  if (pool == nullptr) {
    pool = std::make_shared<WorkerPool>(AvailableProcessors());
    shared = pool;
  }
  return pool;
}

WorkerPool::WorkerPool(unsigned max_threads) : max_threads_(max_threads) {
  threads_.reserve(max_threads + 1);
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard<std::mutex> guard(lock_);
    is_closing_ = true;
  }
  wake_.notify_all();
  wake_short_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::Submit(std::function<void()> task, Kind kind) {
  if (max_threads_ == 0) {
    task();
    return;
  }
  const std::lock_guard<std::mutex> guard(lock_);
  std::deque<Task>& queue = kind == Kind::kShort ? short_tasks_ : long_tasks_;
  queue.push_back({next_number_++, std::move(task)});
  // While the pool closes, its threads are being joined, and do what is left.
  const bool is_short_of_threads =
      short_tasks_.size() + long_tasks_.size() > n_idle_ && !is_closing_;
  if (is_short_of_threads && n_for_all_ < max_threads_) {
    if (Start(&WorkerPool::Work)) {
      ++n_for_all_;
    } else if (threads_.empty()) {
      // Nobody would ever run it.
      queue.pop_back();
      throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
    }
  } else if (is_short_of_threads && kind == Kind::kShort && !has_short_thread_) {
    // Without it, the task only waits longer.
    has_short_thread_ = Start(&WorkerPool::WorkOnShortTasks);
  }
  wake_.notify_one();
  if (kind == Kind::kShort) wake_short_.notify_one();
}

bool WorkerPool::Start(void (WorkerPool::*work)()) noexcept {
  try {
    threads_.emplace_back(work, this);
    return true;
  } catch (const std::exception&) {
    // std::system_error without a thread, std::bad_alloc without the memory for its start.
    return false;
  }
}

namespace {

// The tasks of one ForEach(). Shared with its helpers, which may come after it has ended.
class TaskList {
 public:
  TaskList(std::int64_t n_tasks, const std::function<void(std::int64_t)>& task)
      : n_tasks_(n_tasks), task_(task) {}

  // Does the next task, if there is one; returns whether there was.
  bool DoOne() noexcept {
    std::unique_lock<std::mutex> guard(lock_);
    if (next_ == n_tasks_) return false;
    const std::int64_t i = next_++;
    ++n_running_;
    guard.unlock();
    std::exception_ptr error;
    try {
      task_(i);
    } catch (...) {
      error = std::current_exception();
    }
    guard.lock();
    if (error != nullptr) {
      next_ = n_tasks_;
      // No helper keeps a share of what the caller will catch.
      if (error_ == nullptr) error_ = std::move(error);
      error = nullptr;
    }
    if (--n_running_ == 0) is_idle_.notify_all();
    return true;
  }

  void WaitForRunning() {
    std::unique_lock<std::mutex> guard(lock_);
    is_idle_.wait(guard, [this] { return n_running_ == 0; });
    if (error_ != nullptr) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  const std::int64_t n_tasks_;
  // Only called while ForEach() waits, so the reference is good.
  const std::function<void(std::int64_t)>& task_;
  std::mutex lock_;
  std::condition_variable is_idle_;
  std::int64_t next_ = 0;
  int n_running_ = 0;
  std::exception_ptr error_;
};

void Help(WorkerPool& pool, const std::shared_ptr<TaskList>& tasks) noexcept {
  if (!tasks->DoOne()) return;
  try {
    pool.Submit([&pool, tasks] { Help(pool, tasks); });
  } catch (const std::exception&) {
    // The caller does what is left.
  }
}

}  // namespace

void WorkerPool::ForEach(std::int64_t n_tasks, unsigned n_helpers,
                         const std::function<void(std::int64_t)>& task) {
  const auto tasks = std::make_shared<TaskList>(n_tasks, task);
  // Without threads, nobody helps.
  n_helpers = std::min(n_helpers, max_threads_);
  for (unsigned i = 0; i < n_helpers && i + 1 < n_tasks; ++i) {
    try {
      Submit([this, tasks] { Help(*this, tasks); });
    } catch (const std::exception&) {
      break;
    }
  }
  while (tasks->DoOne()) {
  }
  tasks->WaitForRunning();
}

std::deque<WorkerPool::Task>* WorkerPool::FirstQueue() noexcept {
  if (short_tasks_.empty()) return long_tasks_.empty() ? nullptr : &long_tasks_;
  if (long_tasks_.empty()) return &short_tasks_;
  return short_tasks_.front().number < long_tasks_.front().number ? &short_tasks_ : &long_tasks_;
}

void WorkerPool::RunFirst(std::deque<Task>& queue, std::unique_lock<std::mutex>& guard) noexcept {
  std::function<void()> run = std::move(queue.front().run);
  queue.pop_front();
  guard.unlock();
  run();
  run = nullptr;
  guard.lock();
}

void WorkerPool::Work() noexcept {
  std::unique_lock<std::mutex> guard(lock_);
  for (;;) {
    ++n_idle_;
    wake_.wait(guard, [this] { return is_closing_ || FirstQueue() != nullptr; });
    --n_idle_;
    std::deque<Task>* queue = FirstQueue();
    if (queue == nullptr) return;
    RunFirst(*queue, guard);
  }
}

void WorkerPool::WorkOnShortTasks() noexcept {
  std::unique_lock<std::mutex> guard(lock_);
  for (;;) {
    wake_short_.wait(guard, [this] { return is_closing_ || !short_tasks_.empty(); });
    if (short_tasks_.empty()) return;
    RunFirst(short_tasks_, guard);
  }
}

}  // namespace expsyn
