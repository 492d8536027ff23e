#ifndef EXPSYN_TEST_NATIVE_FAULTS_FAULTS_H_
#define EXPSYN_TEST_NATIVE_FAULTS_FAULTS_H_

#include <cstdint>

namespace expsyn::test {

// Makes allocations and starts of threads fail, on every thread, in targets of
// expsyn_wrap_faults() in CMakeLists.txt: there, `operator new` and the start of a std::thread go
// through the counters here. Allocations inside other libraries never fail.

// Which of the following attempts fails: number `first` (1 is the next one; 0: none), and with
// `is_lasting` every one after it. Sets the count of failures to 0.
void FailAllocations(std::int64_t first, bool is_lasting);
void FailThreads(std::int64_t first, bool is_lasting);

// Failures since then.
std::int64_t FailedAllocations();
std::int64_t FailedThreads();

}  // namespace expsyn::test

#endif  // EXPSYN_TEST_NATIVE_FAULTS_FAULTS_H_
