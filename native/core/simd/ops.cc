#include "simd/ops.h"

#include "simd/instruction_set.h"

namespace expsyn::simd {

namespace baseline {
const Ops& Table();
}
#if defined(__x86_64__)
namespace avx2 {
const Ops& Table();
}
namespace avx512 {
const Ops& Table();
}
#endif

const Ops& ActiveOps() {
  switch (ActiveInstructionSet()) {
#if defined(__x86_64__)
    case InstructionSet::kAvx512:
      return avx512::Table();
    case InstructionSet::kAvx2:
      return avx2::Table();
#endif
    default:
      return baseline::Table();
  }
}

}  // namespace expsyn::simd
