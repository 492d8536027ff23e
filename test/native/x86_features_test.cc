#include "simd/x86_features.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <initializer_list>

namespace expsyn::test {
namespace {

using simd::HasAvx2;
using simd::HasAvx512;
using simd::X86Registers;

// From the manual of the instruction set: cpuid, xgetbv.
constexpr std::uint32_t kXgetbvAndAvx = 3U << 27;
constexpr std::uint32_t kAvx2 = 1U << 5;
constexpr std::uint32_t kAvx512 = 1U << 16 | 1U << 17 | 1U << 30 | 1U << 31;
constexpr std::uint64_t kYmm = 0x06;
constexpr std::uint64_t kZmm = 0xe6;

TEST_CASE("a processor that has everything has both sets") {
  const X86Registers all{~0U, ~0U, ~std::uint64_t{0}};
  CHECK(HasAvx2(all));
  CHECK(HasAvx512(all));
  const X86Registers enough{kXgetbvAndAvx, kAvx2 | kAvx512, kZmm};
  CHECK(HasAvx2(enough));
  CHECK(HasAvx512(enough));
}

TEST_CASE("a processor that says nothing has neither") {
  CHECK_FALSE(HasAvx2({}));
  CHECK_FALSE(HasAvx512({}));
}

TEST_CASE("a processor with AVX2 alone") {
  const X86Registers registers{kXgetbvAndAvx, kAvx2, kYmm};
  CHECK(HasAvx2(registers));
  CHECK_FALSE(HasAvx512(registers));
}

TEST_CASE("AVX-512 needs each of its four parts") {
  for (const int bit : {16, 17, 30, 31}) {
    const X86Registers registers{kXgetbvAndAvx, (kAvx2 | kAvx512) & ~(1U << bit), kZmm};
    CHECK(HasAvx2(registers));
    CHECK_FALSE(HasAvx512(registers));
  }
}

TEST_CASE("a set is not used if the system does not keep its registers") {
  for (const int bit : {1, 2}) {
    const X86Registers registers{~0U, ~0U, kZmm & ~(std::uint64_t{1} << bit)};
    CHECK_FALSE(HasAvx2(registers));
    CHECK_FALSE(HasAvx512(registers));
  }
  for (const int bit : {5, 6, 7}) {
    const X86Registers registers{~0U, ~0U, kZmm & ~(std::uint64_t{1} << bit)};
    CHECK(HasAvx2(registers));
    CHECK_FALSE(HasAvx512(registers));
  }
}

TEST_CASE("AVX2 needs AVX") {
  CHECK_FALSE(HasAvx2({kXgetbvAndAvx & ~(1U << 28), kAvx2 | kAvx512, kZmm}));
}

#if defined(__x86_64__) && !defined(__clang__)
TEST_CASE("this processor has what the compiler's function finds") {
  const X86Registers registers = simd::ReadX86Registers();
  CHECK(HasAvx2(registers) == (__builtin_cpu_supports("avx2") != 0));
  CHECK(HasAvx512(registers) ==
        (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")));
}
#endif

}  // namespace
}  // namespace expsyn::test
