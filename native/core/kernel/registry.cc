#include "kernel/registry.h"

#include <stdexcept>

namespace expsyn {

#define EXPSYN_KERNEL(name, function) \
  std::shared_ptr<const Kernel> function(const KernelArguments& arguments);
#include "kernel/list.inc"
#ifdef EXPSYN_TEST_KERNELS
#include "test_kernels.inc"  // test/native/kernels
#endif
#undef EXPSYN_KERNEL

std::shared_ptr<const Kernel> MakeKernel(const std::string& name,
                                         const KernelArguments& arguments) {
#define EXPSYN_KERNEL(known_name, function) \
  if (name == (known_name)) return function(arguments);
#include "kernel/list.inc"
#ifdef EXPSYN_TEST_KERNELS
#include "test_kernels.inc"
#endif
#undef EXPSYN_KERNEL
  throw std::invalid_argument("Expected the name of a kernel but received '" + name + "'.");
}

}  // namespace expsyn
