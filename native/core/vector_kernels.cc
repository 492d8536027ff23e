#include "vector_kernels.h"

#include "instruction_set.h"

namespace expsyn {

namespace baseline {
const VectorKernels& Table();
}
#if defined(__x86_64__)
namespace avx2 {
const VectorKernels& Table();
}
namespace avx512 {
const VectorKernels& Table();
}
#endif

const VectorKernels& ActiveVectorKernels() {
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

}  // namespace expsyn
