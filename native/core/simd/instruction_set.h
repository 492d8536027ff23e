#ifndef EXPSYN_CORE_SIMD_INSTRUCTION_SET_H_
#define EXPSYN_CORE_SIMD_INSTRUCTION_SET_H_

namespace expsyn::simd {

// The vector instructions that the kernels are compiled for, in rising order. All compute the same
// bits.
enum class InstructionSet {
  kBaseline,  // what every processor of the architecture has: SSE2, NEON
  kAvx2,
  kAvx512,  // F, BW, DQ and VL
};

// The best set that the processor has.
InstructionSet BestInstructionSet();

// The set of that name, or `best` where it is less, and without a name (null or empty). Throws
// std::invalid_argument, with a whole sentence, for a name that no set has.
InstructionSet InstructionSetNamed(const char* name, InstructionSet best);

// The set in use: the one that the environment variable EXPSYN_INSTRUCTION_SET named when the
// process first asked, but at most the best one. Throws as InstructionSetNamed() does.
InstructionSet ActiveInstructionSet();

// Takes another set from now on, at most the best one. For tests; not while anything computes.
void SetInstructionSet(InstructionSet set);

// "baseline", "avx2" or "avx512".
const char* NameOf(InstructionSet set);

}  // namespace expsyn::simd

#endif  // EXPSYN_CORE_SIMD_INSTRUCTION_SET_H_
