#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "kernel/registry.h"

namespace expsyn {

namespace {

// A falling ramp, w_n[k] = 1 - k / width_n as long as that is positive, and 0 afterwards. It has no
// recursion, and its window is the widest ramp, whatever the other arguments say.
//
// Parameter: the width in steps, one value a synapse.
class Triangle final : public Kernel {
 public:
  explicit Triangle(const std::vector<double>& width)
      : Kernel(static_cast<std::int64_t>(width.size()),
               static_cast<std::int64_t>(std::ceil(*std::max_element(width.begin(), width.end()))),
               0),
        width_(width) {}

  double Sample(std::int64_t n, std::int64_t k) const override {
    return std::max(0.0, 1 - static_cast<double>(k) / width_[static_cast<std::size_t>(n)]);
  }
  std::vector<std::int64_t> FirstEqual() const override {
    std::vector<std::int64_t> first;
    for (const double width : width_) {
      first.push_back(std::find(width_.begin(), width_.end(), width) - width_.begin());
    }
    return first;
  }

 private:
  std::vector<double> width_;
};

}  // namespace

std::shared_ptr<const Kernel> MakeTriangle(const KernelArguments& arguments) {
  RequireParameters(arguments, 1);
  return std::make_shared<Triangle>(arguments.parameters[0]);
}

}  // namespace expsyn
