#include "kernel/kernel_arguments.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "kernel/kernel.h"

namespace expsyn {

namespace {

// Steps beyond which a window counts as not cut: no run is that long.
constexpr double kLongestWindow = 0x1p52;

}  // namespace

const char* NameOf(Normalisation normalisation) {
  return normalisation == Normalisation::kArea ? "area" : "peak";
}

void RequireParameters(const KernelArguments& arguments, std::size_t count) {
  bool is_right = arguments.parameters.size() == count;
  for (const std::vector<double>& parameter : arguments.parameters) {
    is_right = is_right && static_cast<std::int64_t>(parameter.size()) == arguments.n_synapses;
  }
  if (is_right) return;
  throw std::invalid_argument(
      "Expected each parameter of the kernel with one value for each synapse.");
}

void RequireSamples(const KernelArguments& arguments) {
  const Samples& samples = arguments.samples;
  const bool is_for_each = samples.n_columns == arguments.n_synapses;
  if (samples.length >= 1 && (samples.n_columns == 1 || is_for_each)) return;
  throw std::invalid_argument("Expected samples of the kernel, for all synapses or for each.");
}

std::int64_t WindowLength(const KernelArguments& arguments, const std::vector<double>& tau) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (arguments.window_taus == kInfinity) return Kernel::kUnlimited;
  double longest = 0;
  for (const double value : tau) longest = std::max(longest, value);
  double length = arguments.window_taus * longest / arguments.dt;
  // Of the largest numbers, the product may overflow where the quotient does not.
  if (!std::isfinite(length)) length = arguments.window_taus * (longest / arguments.dt);
  length = std::min(length, arguments.max_window_length);
  // L + 1 - 1 rounds L as the end of the arange does.
  const double steps = std::max(1.0, std::ceil(length + 1 - 1));
  return steps > kLongestWindow ? Kernel::kUnlimited : static_cast<std::int64_t>(steps);
}

}  // namespace expsyn
