#include "simd/instruction_set.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <stdexcept>
#include <string>

#include "method/shared_library.h"

namespace expsyn::simd {

namespace {

std::atomic<const InstructionSet*>& Active() {
  static std::atomic<const InstructionSet*> active{
      &InstructionSetNamed(EnvironmentVariable("EXPSYN_INSTRUCTION_SET").c_str())};
  return active;
}

[[noreturn]] void ThrowUnknown(const std::string& name) {
  std::string names;
  for (const InstructionSet& set : kInstructionSets) {
    names += (names.empty() ? "" : ", ") + std::string(set.name);
  }
  throw std::invalid_argument("Expected EXPSYN_INSTRUCTION_SET to be one of " + names +
                              " but it is '" + name +
                              "'; correct it, or unset it to use the best one of this processor.");
}

}  // namespace

bool IsSupported(const InstructionSet& set) { return set.find_ops() != nullptr; }

const InstructionSet& InstructionSetNamed(const char* name,
                                          bool (*is_supported)(const InstructionSet& set)) {
  const InstructionSet* set = std::end(kInstructionSets) - 1;
  const std::string given = name == nullptr ? "" : name;
  if (!given.empty()) {
    set = std::find_if(std::begin(kInstructionSets), std::end(kInstructionSets),
                       [&given](const InstructionSet& known) { return known.name == given; });
    if (set == std::end(kInstructionSets)) ThrowUnknown(given);
  }
  while (!is_supported(*set)) --set;
  return *set;
}

const InstructionSet& ActiveInstructionSet() { return *Active().load(std::memory_order_relaxed); }

void SetInstructionSet(const InstructionSet& set) {
  Active().store(&set, std::memory_order_relaxed);
}

}  // namespace expsyn::simd
