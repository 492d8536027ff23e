#include "simd/x86_features.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace expsyn::simd {

namespace {

// Bits of leaf 1.
constexpr std::uint64_t kHasXgetbv = 1U << 27;
constexpr std::uint64_t kAvx = 1U << 28;

// Bits of leaf 7.
constexpr std::uint64_t kAvx2 = 1U << 5;
constexpr std::uint64_t kAvx512F = 1U << 16;
constexpr std::uint64_t kAvx512Dq = 1U << 17;
constexpr std::uint64_t kAvx512Bw = 1U << 30;
constexpr std::uint64_t kAvx512Vl = 1U << 31;

// Bits of the extended control register: the halves of ymm, and in addition the mask registers, the
// upper halves of zmm0 to zmm15, and zmm16 to zmm31.
constexpr std::uint64_t kKeepsYmm = 1U << 1 | 1U << 2;
constexpr std::uint64_t kKeepsZmm = kKeepsYmm | 1U << 5 | 1U << 6 | 1U << 7;

bool HasAll(std::uint64_t bits, std::uint64_t wanted) { return (bits & wanted) == wanted; }

}  // namespace

#if defined(__x86_64__)

X86Registers ReadX86Registers() {
  X86Registers registers{};
  unsigned eax, ebx, ecx, edx;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0) registers.leaf1_ecx = ecx;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0) registers.leaf7_ebx = ebx;
  // The instruction is illegal unless the operating system has enabled it.
  if (HasAll(registers.leaf1_ecx, kHasXgetbv)) {
    __asm__("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
    registers.xcr0 = static_cast<std::uint64_t>(edx) << 32 | eax;
  }
  return registers;
}

#else

X86Registers ReadX86Registers() { return {}; }

#endif

bool HasAvx2(const X86Registers& registers) {
  return HasAll(registers.leaf1_ecx, kAvx) && HasAll(registers.leaf7_ebx, kAvx2) &&
         HasAll(registers.xcr0, kKeepsYmm);
}

bool HasAvx512(const X86Registers& registers) {
  return HasAvx2(registers) &&
         HasAll(registers.leaf7_ebx, kAvx512F | kAvx512Dq | kAvx512Bw | kAvx512Vl) &&
         HasAll(registers.xcr0, kKeepsZmm);
}

}  // namespace expsyn::simd
