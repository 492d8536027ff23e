#ifndef EXPSYN_CORE_INSTRUCTION_SET_H_
#define EXPSYN_CORE_INSTRUCTION_SET_H_

namespace expsyn {

// The vector instructions that the kernels are compiled for, in rising order. All compute the same
// bits.
enum class InstructionSet {
  kBaseline,  // what every processor of the architecture has: SSE2, NEON
  kAvx2,
  kAvx512,  // F, BW, DQ and VL
};

// The best set that the processor has.
InstructionSet BestInstructionSet();

// The set in use: the best one, or a lower one that the environment variable
// EXPSYN_INSTRUCTION_SET (baseline, avx2 or avx512) named when the process first asked.
InstructionSet ActiveInstructionSet();

// Takes another set from now on, at most the best one. For tests; not while anything computes.
void SetInstructionSet(InstructionSet set);

// "baseline", "avx2" or "avx512".
const char* NameOf(InstructionSet set);

}  // namespace expsyn

#endif  // EXPSYN_CORE_INSTRUCTION_SET_H_
