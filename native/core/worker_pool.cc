#include "worker_pool.h"

#include <algorithm>
#include <system_error>
#include <utility>

namespace expsyn {

std::shared_ptr<WorkerPool> WorkerPool::Shared() {
  static std::mutex lock;
  static std::weak_ptr<WorkerPool> shared;
  const std::lock_guard<std::mutex> guard(lock);
  std::shared_ptr<WorkerPool> pool = shared.lock();
  if (pool == nullptr) {
    // Even on one processor, a second thread keeps a short task from waiting for a long one.
    pool = std::make_shared<WorkerPool>(std::max(2u, std::thread::hardware_concurrency()));
    shared = pool;
  }
  return pool;
}

WorkerPool::WorkerPool(unsigned max_threads) : max_threads_(max_threads) {
  threads_.reserve(max_threads);
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard<std::mutex> guard(lock_);
    is_closing_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::Submit(std::function<void()> task) {
  const std::lock_guard<std::mutex> guard(lock_);
  tasks_.push_back(std::move(task));
  if (tasks_.size() > n_idle_ && threads_.size() < max_threads_) {
    try {
      threads_.emplace_back(&WorkerPool::Work, this);
    } catch (const std::system_error&) {
      // With another thread running, the task only waits longer.
      if (threads_.empty()) {
        tasks_.pop_back();
        throw;
      }
    }
  }
  wake_.notify_one();
}

void WorkerPool::Work() {
  std::unique_lock<std::mutex> guard(lock_);
  for (;;) {
    ++n_idle_;
    wake_.wait(guard, [this] { return is_closing_ || !tasks_.empty(); });
    --n_idle_;
    if (tasks_.empty()) return;
    std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    guard.unlock();
    task();
    task = nullptr;
    guard.lock();
  }
}

}  // namespace expsyn
