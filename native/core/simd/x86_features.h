#ifndef EXPSYN_CORE_SIMD_X86_FEATURES_H_
#define EXPSYN_CORE_SIMD_X86_FEATURES_H_

#include <cstdint>

namespace expsyn::simd {

// Which vector instructions an x86-64 processor has. The compilers' own function for this,
// __builtin_cpu_supports(), needs a part of libgcc that not every linker provides.

// What the processor and the operating system say of themselves. 0 stands for a register that
// cannot be read.
struct X86Registers {
  std::uint32_t leaf1_ecx;  // cpuid leaf 1
  std::uint32_t leaf7_ebx;  // cpuid leaf 7, subleaf 0
  // Extended control register 0: the registers that the operating system keeps for each thread.
  std::uint64_t xcr0;
};

// The registers of this processor; all 0 on another architecture.
X86Registers ReadX86Registers();

// Whether the processor has the instructions, and the system keeps the vector registers that they
// use.
bool HasAvx2(const X86Registers& registers);
// The same for AVX-512 F, BW, DQ and VL together.
bool HasAvx512(const X86Registers& registers);

}  // namespace expsyn::simd

#endif  // EXPSYN_CORE_SIMD_X86_FEATURES_H_
