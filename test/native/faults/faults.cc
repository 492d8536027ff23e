#include "faults.h"

#include <atomic>
#include <cstddef>
#include <new>
#include <system_error>

namespace expsyn::test {

namespace {

// Counts attempts, and says which ones fail.
class Countdown {
 public:
  void Set(std::int64_t first, bool is_lasting) {
    left_.store(0);
    is_lasting_.store(is_lasting);
    n_failed_.store(0);
    left_.store(first);
  }

  bool IsToFail() {
    std::int64_t left = left_.load();
    // An attempt at 1 fails. A lasting failure stays at 1; else 0 follows, at which nothing fails.
    do {
      if (left == 0) return false;
    } while (!left_.compare_exchange_weak(left, left == 1 && is_lasting_ ? 1 : left - 1));
    if (left > 1) return false;
    ++n_failed_;
    return true;
  }

  std::int64_t n_failed() const { return n_failed_.load(); }

 private:
  std::atomic<std::int64_t> left_{0};
  std::atomic<bool> is_lasting_{false};
  std::atomic<std::int64_t> n_failed_{0};
};

Countdown allocations;
Countdown threads;

void FailIfDue() {
  if (allocations.IsToFail()) throw std::bad_alloc();
}

}  // namespace

void FailAllocations(std::int64_t first, bool is_lasting) { allocations.Set(first, is_lasting); }
void FailThreads(std::int64_t first, bool is_lasting) { threads.Set(first, is_lasting); }
std::int64_t FailedAllocations() { return allocations.n_failed(); }
std::int64_t FailedThreads() { return threads.n_failed(); }

}  // namespace expsyn::test

// The linker's --wrap=SYMBOL sends calls of SYMBOL to __wrap_SYMBOL, and those of __real_SYMBOL to
// SYMBOL. The symbols are those of 64-bit processors by the Itanium C++ ABI.
extern "C" {

void* __real__Znwm(std::size_t size);                                             // NOLINT
void* __real__Znam(std::size_t size);                                             // NOLINT
void* __real__ZnwmSt11align_val_t(std::size_t size, std::align_val_t alignment);  // NOLINT
void __real__ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE(
    void* thread, void* state, void (*depend)());  // NOLINT

void* __wrap__Znwm(std::size_t size) {  // NOLINT
  expsyn::test::FailIfDue();
  return __real__Znwm(size);
}

void* __wrap__Znam(std::size_t size) {  // NOLINT
  expsyn::test::FailIfDue();
  return __real__Znam(size);
}

void* __wrap__ZnwmSt11align_val_t(std::size_t size, std::align_val_t alignment) {  // NOLINT
  expsyn::test::FailIfDue();
  return __real__ZnwmSt11align_val_t(size, alignment);
}

// std::thread::_M_start_thread() of libstdc++; the std::unique_ptr is passed by its address.
void __wrap__ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE(
    void* thread, void* state, void (*depend)()) {  // NOLINT
  if (expsyn::test::threads.IsToFail()) {
    throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
  }
  __real__ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE(
      thread, state, depend);
}

}  // extern "C"
