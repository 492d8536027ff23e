#include "simd/instruction_set.h"

#include <doctest/doctest.h>

#include <iterator>
#include <stdexcept>
#include <string>

namespace expsyn::test {
namespace {

using simd::InstructionSet;
using simd::kInstructionSets;

bool IsEverySet(const InstructionSet& /*set*/) { return true; }
bool IsFirst(const InstructionSet& set) { return &set == &kInstructionSets[0]; }
bool IsFirstOrThird(const InstructionSet& set) {
  return IsFirst(set) || &set == &kInstructionSets[2];
}

TEST_CASE("each set can be requested by its name") {
  for (const InstructionSet& set : kInstructionSets) {
    CHECK(&simd::InstructionSetNamed(set.name, IsEverySet) == &set);
  }
}

TEST_CASE("if the processor lacks the set, the best one below it is used") {
  static_assert(std::size(kInstructionSets) >= 3);
  for (const InstructionSet& set : kInstructionSets) {
    CHECK(&simd::InstructionSetNamed(set.name, IsFirst) == &kInstructionSets[0]);
    const bool is_at_most_second = &set < &kInstructionSets[2];
    CHECK(&simd::InstructionSetNamed(set.name, IsFirstOrThird) ==
          &kInstructionSets[is_at_most_second ? 0 : 2]);
  }
}

TEST_CASE("without a name, the best set that the processor has is used") {
  for (const char* name : {static_cast<const char*>(nullptr), ""}) {
    CHECK(&simd::InstructionSetNamed(name, IsEverySet) == std::end(kInstructionSets) - 1);
    CHECK(&simd::InstructionSetNamed(name, IsFirstOrThird) == &kInstructionSets[2]);
    CHECK(&simd::InstructionSetNamed(name, IsFirst) == &kInstructionSets[0]);
    CHECK(simd::IsSupported(simd::InstructionSetNamed(name)));
  }
}

TEST_CASE("every processor has the first set") { CHECK(simd::IsSupported(kInstructionSets[0])); }

TEST_CASE("an unknown name is an error that lists the known ones") {
  for (const char* name : {"avx52", "AVX2", " avx2", "avx512f", "0", "none"}) {
    CHECK_THROWS_AS(simd::InstructionSetNamed(name, IsEverySet), std::invalid_argument);
  }
  std::string names;
  for (const InstructionSet& set : kInstructionSets) {
    names += (names.empty() ? "" : ", ") + std::string(set.name);
  }
  CHECK_THROWS_WITH(
      simd::InstructionSetNamed("avx52", IsFirst),
      ("Expected EXPSYN_INSTRUCTION_SET to be one of " + names +
       " but it is 'avx52'; correct it, or unset it to use the best one of this processor.")
          .c_str());
}

TEST_CASE("the set that was chosen last is in use") {
  const InstructionSet& before = simd::ActiveInstructionSet();
  for (const InstructionSet& set : kInstructionSets) {
    if (!simd::IsSupported(set)) continue;
    simd::SetInstructionSet(set);
    CHECK(&simd::ActiveInstructionSet() == &set);
  }
  simd::SetInstructionSet(before);
}

}  // namespace
}  // namespace expsyn::test
