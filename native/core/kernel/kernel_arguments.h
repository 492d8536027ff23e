#ifndef EXPSYN_CORE_KERNEL_KERNEL_ARGUMENTS_H_
#define EXPSYN_CORE_KERNEL_KERNEL_ARGUMENTS_H_

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace expsyn {

// What the samples of a kernel are scaled to.
enum class Normalisation {
  kPeak,  // as the kernel's formula gives them
  kArea,  // sum_k w_n[k] dt = 1 s, so that spikes in give a rate in spikes/s out
};

inline constexpr Normalisation kNormalisations[] = {Normalisation::kPeak, Normalisation::kArea};

// The name that users know, such as 'peak'.
const char* NameOf(Normalisation normalisation);

// The samples of a kernel that is given by them: an array (W, N), or (W, 1) for the same samples in
// every synapse, in memory that is valid while the kernel is made.
struct Samples {
  const double* values = nullptr;
  std::int64_t length = 0;  // W
  std::int64_t n_columns = 1;
};

// What a kernel is made of.
struct KernelArguments {
  std::int64_t n_synapses;
  // The kernel's own parameters, in the order that its file gives: mostly one value a synapse.
  std::vector<std::vector<double>> parameters;
  double dt;                 // seconds, finite and positive
  double window_taus;        // window length in time constants, positive; infinite for no cut
  double max_window_length;  // steps, positive; may be infinite
  Normalisation normalisation = Normalisation::kPeak;
  Samples samples = {};
};

// The parts of "Expected WHAT for NAME but received VALUE; ADVICE."
struct Refusal {
  std::string expected, argument, received, advice;
};

// Users may choose each of these arguments, but together they make no kernel.
class RefusedKernel : public std::domain_error {
 public:
  explicit RefusedKernel(Refusal refusal)
      : std::domain_error("Expected " + refusal.expected + " for " + refusal.argument +
                          " but received " + refusal.received + "; " + refusal.advice + "."),
        refusal_(std::move(refusal)) {}

  const Refusal& refusal() const { return refusal_; }

 private:
  Refusal refusal_;
};

// Throws std::invalid_argument unless there are `count` parameters of one value a synapse.
void RequireParameters(const KernelArguments& arguments, std::size_t count);

// Throws std::invalid_argument unless there are samples, for all synapses or for each.
void RequireSamples(const KernelArguments& arguments);

// The window length in steps for these time constants in seconds: the length of
// numpy.arange(1, L + 1) with L = min(window_taus * max(tau) / dt, max_window_length), at least 1;
// Kernel::kUnlimited if window_taus is infinite.
std::int64_t WindowLength(const KernelArguments& arguments, const std::vector<double>& tau);

}  // namespace expsyn

#endif  // EXPSYN_CORE_KERNEL_KERNEL_ARGUMENTS_H_
