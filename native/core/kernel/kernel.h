#ifndef EXPSYN_CORE_KERNEL_KERNEL_H_
#define EXPSYN_CORE_KERNEL_KERNEL_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "double_double.h"
#include "kernel/recursion.h"
#include "method/partitions.h"
#include "method/sample_table.h"
#include "method/spectra.h"
#include "tile.h"

namespace expsyn {

// How noise that is added to the current after a step acts on later steps.
enum class NoiseMemory {
  kNone,   // not at all: the kernel has no current of its own
  kInput,  // like an input of the next step
  kDecay,  // as a part of the current that decays by CurrentDecay() in each step, and is not cut
};

// The kernels w_n[k], k = 0 .. W - 1, of N synapses, all of the same window length W:
//
//   current[t] = sum_{k < W} w_n[k] input[t - k]  +  what the state before the call still adds
//
// A Kernel is everything that depends on the parameters of the synapses and dt alone. It is made
// whenever one of them changes, and shared by any number of calls and threads. It does not change,
// apart from the spectra and samples that the methods prepare.
//
// There are two kinds. The state of a kernel with a recursion is the numbers that the recursion
// carries from step to step; such a kernel implements Sample() and MakeRecursion(). The state of a
// kernel without one is its last W - 1 inputs (see State); it implements Sample() alone. All other
// functions have defaults, and are overridden for speed or where the default does not hold.
class Kernel {
 public:
  // The window length of a kernel that is not cut.
  static constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

  virtual ~Kernel() = default;
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  // Differs from that of every other kernel of the process.
  std::uint64_t id() const { return id_; }
  std::int64_t n_synapses() const { return n_synapses_; }
  // W in steps, at least 1, or kUnlimited.
  std::int64_t window_length() const { return window_length_; }
  bool has_recursion() const { return n_numbers_ > 0; }
  // How many numbers the recursion of a synapse carries; 0 without a recursion.
  std::int64_t n_numbers() const { return n_numbers_; }
  // How many planes a State has.
  std::int64_t state_size() const { return has_recursion() ? 2 * n_numbers_ : window_length_ - 1; }
  // Memory that is held now; it grows with the transform lengths that calls need.
  std::size_t size_in_bytes() const;
  // The kernels' spectra.
  template <typename Real>
  const SpectraCache<Real>& spectra() const {
    if constexpr (sizeof(Real) == sizeof(float)) {
      return spectra32_;
    } else {
      return spectra64_;
    }
  }

  // The samples, as direct sums need them.
  template <typename Real>
  const SampleCache<Real>& samples() const {
    if constexpr (sizeof(Real) == sizeof(float)) {
      return samples32_;
    } else {
      return samples64_;
    }
  }

  // The kernel as sessions are computed. Only for kernels without a recursion.
  template <typename Real>
  const PartitionCache<Real>& partitions() const {
    if constexpr (sizeof(Real) == sizeof(float)) {
      return partitions32_;
    } else {
      return partitions64_;
    }
  }

  // w_n[k] for 0 <= k < W.
  virtual double Sample(std::int64_t n, std::int64_t k) const = 0;
  // For each synapse, the first one whose kernel is equal to its own; equal kernels share a
  // spectrum. If not overridden, each synapse is its own first.
  virtual std::vector<std::int64_t> FirstEqual() const;
  // Whether all samples are positive. While the window holds an infinite input, the current of a
  // recursion is then infinite with the same sign; otherwise it is NaN.
  virtual bool is_positive() const { return false; }
  // Kernels with kNone cannot be run with NoisePlacement::kState.
  virtual NoiseMemory noise_memory() const { return NoiseMemory::kNone; }
  // Only for kDecay.
  virtual DoubleDouble CurrentDecay(std::int64_t n) const;

  // What an event of synapse n has to be multiplied by if it comes `fraction` of a step after the
  // beginning of its step, so that the current at the end of the step is that of continuous time.
  // Only for kernels whose current jumps and then decays exponentially.
  virtual double EventWeight(std::int64_t n, double fraction) const;
  // The largest logarithm of a weight, or -1 if the kernel has none.
  virtual double LargestEventRate() const { return -1; }

  // The recursion of synapse n. Only for kernels that have one.
  virtual std::unique_ptr<Recursion> MakeRecursion(std::int64_t n) const;

  // Computes a tile by the recursion; if not overridden, synapse by synapse by MakeRecursion().
  virtual void Recurse(const Tile<float>& tile) const;
  virtual void Recurse(const Tile<double>& tile) const;
  // The cost of Recurse() in nanoseconds a sample, for ChooseMethod().
  virtual double RecursionCost(std::int64_t n_timesteps) const;
  // Computes a whole item of a few steps without the preparations of Recurse(), which would take
  // longer than the arithmetic. Returns false, with the next state untouched, if it cannot compute
  // this item or if a sum is not finite. The next state may be the state; `findings` is not used.
  virtual bool RecurseFewSteps(const Tile<float>& item) const;
  virtual bool RecurseFewSteps(const Tile<double>& item) const;

  // Adds the zero-input response of synapse n: moves its numbers on by n_rows steps without input,
  // and adds the current after each step to rows[0], rows[1] and so on. If not overridden, by
  // MakeRecursion().
  virtual void RollOver(std::int64_t n, std::int64_t n_rows, DoubleDouble* numbers,
                        float* rows) const;
  virtual void RollOver(std::int64_t n, std::int64_t n_rows, DoubleDouble* numbers,
                        double* rows) const;

  // Whether Recurse() and the transforms lose digits of synapse n in calls of this element type for
  // any input, so that it is always computed by MakeRecursion().
  virtual bool IsAlwaysPrecise(std::int64_t n, ElementType dtype) const;

 protected:
  // n_numbers is 0 for a kernel without a recursion, whose window is then cut.
  Kernel(std::int64_t n_synapses, std::int64_t window_length, std::int64_t n_numbers);

  // Memory of the kernel's own arrays.
  virtual std::size_t array_bytes() const { return 0; }

 private:
  std::uint64_t id_;
  std::int64_t n_synapses_;
  std::int64_t window_length_;
  std::int64_t n_numbers_;
  SpectraCache<float> spectra32_;
  SpectraCache<double> spectra64_;
  SampleCache<float> samples32_;
  SampleCache<double> samples64_;
  PartitionCache<float> partitions32_;
  PartitionCache<double> partitions64_;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_KERNEL_KERNEL_H_
