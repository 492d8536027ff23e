// With these, tests order the steps of several threads.
#ifndef EXPSYN_TEST_NATIVE_THREAD_MEETINGS_H_
#define EXPSYN_TEST_NATIVE_THREAD_MEETINGS_H_

#include <condition_variable>
#include <mutex>

namespace expsyn::test {

// Threads wait at it until one opens it.
class Gate {
 public:
  void Open() {
    const std::lock_guard<std::mutex> guard(lock_);
    is_open_ = true;
    opened_.notify_all();
  }
  void Wait() {
    std::unique_lock<std::mutex> guard(lock_);
    opened_.wait(guard, [this] { return is_open_; });
  }

 private:
  std::mutex lock_;
  std::condition_variable opened_;
  bool is_open_ = false;
};

// Threads wait in Join() until `n_threads` have called it.
class Meeting {
 public:
  explicit Meeting(int n_threads) : n_missing_(n_threads) {}
  void Join() {
    std::unique_lock<std::mutex> guard(lock_);
    if (--n_missing_ == 0) complete_.notify_all();
    complete_.wait(guard, [this] { return n_missing_ <= 0; });
  }

 private:
  std::mutex lock_;
  std::condition_variable complete_;
  int n_missing_;
};

}  // namespace expsyn::test

#endif  // EXPSYN_TEST_NATIVE_THREAD_MEETINGS_H_
