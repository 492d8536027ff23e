#ifndef EXPSYN_CORE_KERNEL_KERNEL_H_
#define EXPSYN_CORE_KERNEL_KERNEL_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "double_double.h"
#include "kernel/recursion.h"
#include "method/spectra.h"
#include "tile.h"

namespace expsyn {

// The kernels w_n[k], k = 0 .. W - 1, of N synapses, all of the same window length W:
//
//   current[t] = sum_{k < W} w_n[k] input[t - k]  +  what the state before the call still adds
//
// Everything that depends on the kernels' parameters and dt alone: made once whenever one of them
// changes, then shared by any number of calls and threads. Immutable, apart from the spectra that
// the transforms prepare.
//
// A kernel either has a recursion, and its state is the numbers that the recursion carries, or it
// has none, and its state is its last W - 1 inputs (see State). The second kind is complete with
// Sample(). The first kind adds MakeRecursion(); the other functions are there to be faster.
class Kernel {
 public:
  // The window length of a kernel that is not cut.
  static constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

  virtual ~Kernel() = default;
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  std::int64_t n_synapses() const { return n_synapses_; }
  // W in steps, at least 1, or kUnlimited.
  std::int64_t window_length() const { return window_length_; }
  bool has_recursion() const { return n_numbers_ > 0; }
  // The numbers that the recursion of a synapse carries; 0 without a recursion.
  std::int64_t n_numbers() const { return n_numbers_; }
  // The planes of a State.
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

  // w_n[k] for 0 <= k < W.
  virtual double Sample(std::int64_t n, std::int64_t k) const = 0;
  // For each synapse, the first one whose kernel is equal to its own: these share their spectra.
  virtual std::vector<std::int64_t> FirstEqual() const;
  // Whether no sample is negative, so that an infinite input makes the current infinite with the
  // same sign for as long as the window holds it. Otherwise a recursion makes it NaN.
  virtual bool is_positive() const { return false; }
  // Whether noise that is added to the current after a step acts on later steps as an input of the
  // next step would: NoisePlacement::kState is for these kernels only.
  virtual bool remembers_noise() const { return false; }

  // The recursion of synapse n. Only for kernels that have one.
  virtual std::unique_ptr<Recursion> MakeRecursion(std::int64_t n) const;

  // Computes a tile by the recursion. Here: synapse by synapse by MakeRecursion().
  virtual void Recurse(const Tile<float>& tile) const;
  virtual void Recurse(const Tile<double>& tile) const;
  // Nanoseconds a sample of Recurse(), on the machine of ChooseMethod().
  virtual double RecursionCost(std::int64_t n_timesteps) const;
  // Computes a whole item of a few steps, if that is faster than by Recurse(): a server's steps,
  // where everything else would take longer than the arithmetic. Returns false, with the next state
  // untouched, for other items and where a sum is not finite. The next state may be the state.
  virtual bool RecurseFewSteps(const Tile<float>& item) const;
  virtual bool RecurseFewSteps(const Tile<double>& item) const;

  // Moves the numbers of synapse n on by n_rows steps without input, and adds the current after
  // each of them to rows[0], rows[1] and so on. Here: by MakeRecursion().
  virtual void RollOver(std::int64_t n, std::int64_t n_rows, DoubleDouble* numbers,
                        float* rows) const;
  virtual void RollOver(std::int64_t n, std::int64_t n_rows, DoubleDouble* numbers,
                        double* rows) const;

  // Whether Recurse() and the transforms lose digits of synapse n in calls of this element type,
  // whatever the input, so that it is always computed by MakeRecursion().
  virtual bool IsAlwaysPrecise(std::int64_t n, ElementType dtype) const;

 protected:
  // n_numbers is 0 for a kernel without a recursion, whose window is then cut.
  Kernel(std::int64_t n_synapses, std::int64_t window_length, std::int64_t n_numbers);

  // Memory of the kernel's own arrays.
  virtual std::size_t array_bytes() const { return 0; }

 private:
  std::int64_t n_synapses_;
  std::int64_t window_length_;
  std::int64_t n_numbers_;
  SpectraCache<float> spectra32_;
  SpectraCache<double> spectra64_;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_KERNEL_KERNEL_H_
