#include "simd/instruction_set.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

namespace expsyn::simd {

namespace {

InstructionSet FromEnvironment() {
  return InstructionSetNamed(std::getenv("EXPSYN_INSTRUCTION_SET"), BestInstructionSet());
}

std::atomic<InstructionSet>& Active() {
  static std::atomic<InstructionSet> active{FromEnvironment()};
  return active;
}

}  // namespace

InstructionSet BestInstructionSet() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    return InstructionSet::kAvx512;
  }
  if (__builtin_cpu_supports("avx2")) return InstructionSet::kAvx2;
#endif
  return InstructionSet::kBaseline;
}

InstructionSet InstructionSetNamed(const char* name, InstructionSet best) {
  if (name == nullptr || *name == '\0') return best;
  for (const InstructionSet set :
       {InstructionSet::kBaseline, InstructionSet::kAvx2, InstructionSet::kAvx512}) {
    if (std::strcmp(name, NameOf(set)) == 0) return std::min(set, best);
  }
  throw std::invalid_argument(
      "Expected EXPSYN_INSTRUCTION_SET to be one of baseline, avx2, avx512 but it is '" +
      std::string(name) + "'; correct it, or unset it to use the best one of this processor.");
}

InstructionSet ActiveInstructionSet() { return Active().load(std::memory_order_relaxed); }

void SetInstructionSet(InstructionSet set) {
  Active().store(std::min(set, BestInstructionSet()), std::memory_order_relaxed);
}

const char* NameOf(InstructionSet set) {
  switch (set) {
    case InstructionSet::kAvx2:
      return "avx2";
    case InstructionSet::kAvx512:
      return "avx512";
    case InstructionSet::kBaseline:
      break;
  }
  return "baseline";
}

}  // namespace expsyn::simd
