#include "simd/instruction_set.h"

#include <doctest/doctest.h>

#include <cstring>
#include <initializer_list>
#include <stdexcept>

namespace expsyn::test {
namespace {

TEST_CASE("a set is taken by its name, but never more than the processor has") {
  constexpr simd::InstructionSet kAll[] = {
      simd::InstructionSet::kBaseline, simd::InstructionSet::kAvx2, simd::InstructionSet::kAvx512};
  for (const simd::InstructionSet best : kAll) {
    for (const simd::InstructionSet set : kAll) {
      CHECK(simd::InstructionSetNamed(simd::NameOf(set), best) == (set < best ? set : best));
    }
    CHECK(simd::InstructionSetNamed(nullptr, best) == best);
    CHECK(simd::InstructionSetNamed("", best) == best);
  }
}

TEST_CASE("a name that no set has is refused in a sentence") {
  for (const char* name : {"avx52", "AVX2", " avx2", "avx512f", "0", "none"}) {
    CHECK_THROWS_AS(simd::InstructionSetNamed(name, simd::InstructionSet::kAvx512),
                    std::invalid_argument);
  }
  CHECK_THROWS_WITH(simd::InstructionSetNamed("avx52", simd::InstructionSet::kBaseline),
                    "Expected EXPSYN_INSTRUCTION_SET to be one of baseline, avx2, avx512 but it is "
                    "'avx52'; correct it, or unset it to use the best one of this processor.");
}

TEST_CASE("a set that is taken is in use, at most the best one") {
  const simd::InstructionSet before = simd::ActiveInstructionSet();
  for (const simd::InstructionSet set :
       {simd::InstructionSet::kBaseline, simd::InstructionSet::kAvx512}) {
    simd::SetInstructionSet(set);
    CHECK(simd::ActiveInstructionSet() ==
          (set < simd::BestInstructionSet() ? set : simd::BestInstructionSet()));
  }
  simd::SetInstructionSet(before);
  CHECK(std::strcmp(simd::NameOf(simd::InstructionSet::kAvx512), "avx512") == 0);
}

}  // namespace
}  // namespace expsyn::test
