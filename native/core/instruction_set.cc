#include "instruction_set.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>

namespace expsyn {

namespace {

InstructionSet FromEnvironment() {
  const InstructionSet best = BestInstructionSet();
  const char* name = std::getenv("EXPSYN_INSTRUCTION_SET");
  if (name == nullptr) return best;
  for (const InstructionSet set : {InstructionSet::kBaseline, InstructionSet::kAvx2}) {
    if (std::strcmp(name, NameOf(set)) == 0) return std::min(set, best);
  }
  return best;
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

}  // namespace expsyn
