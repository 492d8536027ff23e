#include "instruction_set.h"

#include <doctest/doctest.h>

#include <cstring>
#include <initializer_list>
#include <stdexcept>

namespace expsyn::test {
namespace {

TEST_CASE("a set is taken by its name, but never more than the processor has") {
  constexpr InstructionSet kAll[] = {InstructionSet::kBaseline, InstructionSet::kAvx2,
                                     InstructionSet::kAvx512};
  for (const InstructionSet best : kAll) {
    for (const InstructionSet set : kAll) {
      CHECK(InstructionSetNamed(NameOf(set), best) == (set < best ? set : best));
    }
    CHECK(InstructionSetNamed(nullptr, best) == best);
    CHECK(InstructionSetNamed("", best) == best);
  }
}

TEST_CASE("a name that no set has is refused in a sentence") {
  for (const char* name : {"avx52", "AVX2", " avx2", "avx512f", "0", "none"}) {
    CHECK_THROWS_AS(InstructionSetNamed(name, InstructionSet::kAvx512), std::invalid_argument);
  }
  CHECK_THROWS_WITH(InstructionSetNamed("avx52", InstructionSet::kBaseline),
                    "Expected EXPSYN_INSTRUCTION_SET to be one of baseline, avx2, avx512 but it is "
                    "'avx52'; correct it, or unset it to use the best one of this processor.");
}

TEST_CASE("a set that is taken is in use, at most the best one") {
  const InstructionSet before = ActiveInstructionSet();
  for (const InstructionSet set : {InstructionSet::kBaseline, InstructionSet::kAvx512}) {
    SetInstructionSet(set);
    CHECK(ActiveInstructionSet() == (set < BestInstructionSet() ? set : BestInstructionSet()));
  }
  SetInstructionSet(before);
  CHECK(std::strcmp(NameOf(InstructionSet::kAvx512), "avx512") == 0);
}

}  // namespace
}  // namespace expsyn::test
