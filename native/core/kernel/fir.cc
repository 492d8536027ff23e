#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "aligned_buffer.h"
#include "double_double.h"
#include "kernel/kernel.h"
#include "kernel/kernel_arguments.h"

namespace expsyn {

namespace {

std::uint64_t BitsOf(double value) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

// Whether two columns of an array (W, N) have the same bits.
bool AreEqual(const Samples& samples, std::int64_t a, std::int64_t b) {
  for (std::int64_t k = 0; k < samples.length; ++k) {
    const double* row = samples.values + k * samples.n_columns;
    if (BitsOf(row[a]) != BitsOf(row[b])) return false;
  }
  return true;
}

// For each column of an array (W, N), the first one that is equal to it.
std::vector<std::int64_t> FirstEqualColumns(const Samples& samples) {
  // FNV-1a over whole samples, with a shift, because a product carries bits upwards only.
  constexpr std::uint64_t kBasis = 14695981039346656037U;
  constexpr std::uint64_t kPrime = 1099511628211U;
  const auto n_columns = static_cast<std::size_t>(samples.n_columns);
  std::vector<std::uint64_t> hashes(n_columns, kBasis);
  // Row by row, as they lie in memory.
  for (std::int64_t k = 0; k < samples.length; ++k) {
    const double* row = samples.values + k * samples.n_columns;
    for (std::size_t n = 0; n < n_columns; ++n) {
      const std::uint64_t mixed = (hashes[n] ^ BitsOf(row[n])) * kPrime;
      hashes[n] = mixed ^ (mixed >> 32);
    }
  }
  std::unordered_multimap<std::uint64_t, std::int64_t> firsts;
  std::vector<std::int64_t> first_equal;
  first_equal.reserve(n_columns);
  for (std::int64_t n = 0; n < samples.n_columns; ++n) {
    const std::uint64_t hash = hashes[static_cast<std::size_t>(n)];
    const auto [begin, end] = firsts.equal_range(hash);
    const auto found = std::find_if(
        begin, end, [&](const auto& candidate) { return AreEqual(samples, candidate.second, n); });
    if (found == end) firsts.emplace(hash, n);
    first_equal.push_back(found == end ? n : found->second);
  }
  return first_equal;
}

// A kernel that is given by its samples, w_n[k] = samples[k, n], of any sign. It has no recursion:
// its state is its last W - 1 inputs. dt does not enter, except that it is a part of an area.
//
// Columns of samples are kept one after the other, each of the different ones once.
class FirKernel final : public Kernel {
 public:
  FirKernel(std::int64_t n_synapses, const Samples& samples)
      : Kernel(n_synapses, samples.length, 0),
        first_equal_(static_cast<std::size_t>(n_synapses)),
        place_of_(static_cast<std::size_t>(n_synapses)) {
    // One column is that of every synapse.
    if (samples.n_columns > 1) first_equal_ = FirstEqualColumns(samples);
    std::vector<std::int64_t> columns;  // those that are kept
    for (std::size_t n = 0; n < place_of_.size(); ++n) {
      const std::int64_t first = first_equal_[n];
      if (first < static_cast<std::int64_t>(n)) {
        place_of_[n] = place_of_[static_cast<std::size_t>(first)];
      } else {
        place_of_[n] = static_cast<std::int64_t>(columns.size()) * samples.length;
        columns.push_back(first);
      }
    }
    samples_ = AlignedBuffer<double>(CheckedProduct(CheckedSize(samples.length), columns.size()));
    CopyColumns(samples, columns);
  }

  // Scales the samples so that dt times their sum is 1, for each synapse. Throws RefusedKernel if a
  // sum is 0 or a scaled sample would not be finite.
  void ScaleToArea(double dt) {
    for (std::size_t n = 0; n < place_of_.size(); ++n) {
      if (first_equal_[n] != static_cast<std::int64_t>(n)) continue;
      double* const begin = samples_.data() + place_of_[n];
      double* const end = begin + window_length();
      const double scale = ScaleOf(begin, end);
      // In twice the precision, so that it is right where terms cancel.
      DoubleDouble sum;
      for (const double* sample = begin; sample != end; ++sample) sum = sum + *sample * scale;
      bool is_finite = sum.high != 0;
      for (double* sample = begin; sample != end && is_finite; ++sample) {
        // One after the other: the product of the sum and dt may underflow where this does not.
        *sample = *sample * scale / sum.high / dt;
        is_finite = std::isfinite(*sample);
      }
      if (is_finite) continue;
      const std::string found = sum.high == 0 ? "a sum of 0" : "a sum too close to 0";
      throw RefusedKernel({"samples that can be scaled to an area of 1 s", "kernel",
                           found + " for synapse " + std::to_string(n),
                           "give others, or set normalise to 'peak'"});
    }
  }

  double Sample(std::int64_t n, std::int64_t k) const override {
    return samples_.data()[place_of_[static_cast<std::size_t>(n)] + k];
  }
  std::vector<std::int64_t> FirstEqual() const override { return first_equal_; }

 protected:
  std::size_t array_bytes() const override {
    return samples_.size() * sizeof(double) +
           (first_equal_.size() + place_of_.size()) * sizeof(std::int64_t);
  }

 private:
  // A power of two by which a sum of these samples does not overflow.
  static double ScaleOf(const double* begin, const double* end) {
    double largest = 0;
    for (const double* sample = begin; sample != end; ++sample) {
      largest = std::max(largest, std::abs(*sample));
    }
    return largest > 0x1p+900 ? 0x1p-60 : 1.0;
  }

  // In pieces, so that the rows that are read are still in the cache for the next column.
  void CopyColumns(const Samples& samples, const std::vector<std::int64_t>& columns) {
    constexpr std::int64_t kPiece = 64;
    for (std::int64_t begin = 0; begin < samples.length; begin += kPiece) {
      const std::int64_t end = std::min(begin + kPiece, samples.length);
      double* target = samples_.data();
      for (const std::int64_t column : columns) {
        for (std::int64_t k = begin; k < end; ++k) {
          target[k] = samples.values[k * samples.n_columns + column];
        }
        target += samples.length;
      }
    }
  }

  std::vector<std::int64_t> first_equal_;
  std::vector<std::int64_t> place_of_;  // where the samples of a synapse begin
  AlignedBuffer<double> samples_;
};

}  // namespace

std::shared_ptr<const Kernel> MakeFir(const KernelArguments& arguments) {
  RequireParameters(arguments, 0);
  RequireSamples(arguments);
  auto kernel = std::make_shared<FirKernel>(arguments.n_synapses, arguments.samples);
  if (arguments.normalisation == Normalisation::kArea) kernel->ScaleToArea(arguments.dt);
  return kernel;
}

}  // namespace expsyn
