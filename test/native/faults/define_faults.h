#ifndef EXPSYN_TEST_NATIVE_FAULTS_DEFINE_FAULTS_H_
#define EXPSYN_TEST_NATIVE_FAULTS_DEFINE_FAULTS_H_

#include <napi.h>

namespace expsyn::test {

// Adds to the addon's exports:
//
//   failAllocations(first, isLasting), failThreads(first, isLasting): as in faults.h
//   readFaults(): [failed allocations, failed threads]
void DefineFaults(Napi::Env env, Napi::Object exports);

}  // namespace expsyn::test

#endif  // EXPSYN_TEST_NATIVE_FAULTS_DEFINE_FAULTS_H_
