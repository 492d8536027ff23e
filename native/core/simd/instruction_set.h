#ifndef EXPSYN_CORE_SIMD_INSTRUCTION_SET_H_
#define EXPSYN_CORE_SIMD_INSTRUCTION_SET_H_

// The instruction sets that the operations (see ops.h) are compiled for, in rising order. Another
// set takes a line here and a file native/core/simd/sets/<name>.cc.
#define EXPSYN_INSTRUCTION_SETS(SET) \
  SET(baseline)                      \
  SET(avx2)                          \
  SET(avx512)

namespace expsyn::simd {

struct Ops;

// A set of vector instructions. All sets compute the same bits.
struct InstructionSet {
  const char* name;
  // The operations compiled for the set, or null if this processor does not have it.
  const Ops* (*find_ops)();
};

#define EXPSYN_DECLARE(name) \
  namespace name {           \
  const Ops* FindOps();      \
  }
EXPSYN_INSTRUCTION_SETS(EXPSYN_DECLARE)
#undef EXPSYN_DECLARE

// All sets, in rising order. Every processor has the first one.
inline constexpr InstructionSet kInstructionSets[] = {
#define EXPSYN_ENTRY(name) {#name, name::FindOps},
    EXPSYN_INSTRUCTION_SETS(EXPSYN_ENTRY)
#undef EXPSYN_ENTRY
};

// Whether this processor has the set.
bool IsSupported(const InstructionSet& set);

// The best supported set that is at most the one of that name. Null and the empty name stand for
// the last set. Throws std::invalid_argument, with a whole sentence, if no set has the name.
const InstructionSet& InstructionSetNamed(
    const char* name, bool (*is_supported)(const InstructionSet& set) = IsSupported);

// The set in use: InstructionSetNamed() of the environment variable EXPSYN_INSTRUCTION_SET when the
// process first asks. Throws as InstructionSetNamed() does.
const InstructionSet& ActiveInstructionSet();

// Uses another set, which must be supported, from now on. For tests; not while anything computes.
void SetInstructionSet(const InstructionSet& set);

}  // namespace expsyn::simd

#endif  // EXPSYN_CORE_SIMD_INSTRUCTION_SET_H_
