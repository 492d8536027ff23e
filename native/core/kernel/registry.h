#ifndef EXPSYN_CORE_KERNEL_REGISTRY_H_
#define EXPSYN_CORE_KERNEL_REGISTRY_H_

#include <memory>
#include <string>

#include "kernel/kernel.h"
#include "kernel/kernel_arguments.h"

namespace expsyn {

// Makes the kernel of that name; kernel/list.inc has the names. Throws std::invalid_argument for
// an unknown name and for parameters of another number or size, and std::bad_alloc.
std::shared_ptr<const Kernel> MakeKernel(const std::string& name, const KernelArguments& arguments);

}  // namespace expsyn

#endif  // EXPSYN_CORE_KERNEL_REGISTRY_H_
