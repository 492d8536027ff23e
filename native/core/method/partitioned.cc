#include "method/partitioned.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "aligned_buffer.h"
#include "method/partitions.h"
#include "simd/ops.h"

namespace expsyn {

namespace {

// Steps that are computed at a time where there are no levels.
constexpr std::int64_t kChunk = 64;
// No step.
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::min();
// Before any step.
constexpr double kLongAgo = -0x1p+60;

// A channel whose window holds no input above kSmallInput, but smaller ones, is not transformed:
// products with spectra would be subnormal numbers. Nor is one with larger inputs than kLargeInput,
// whose transform might overflow.
template <typename Real>
constexpr Real kSmallInput = sizeof(Real) == sizeof(float) ? Real(0x1p-66) : Real(0x1p-500);
template <typename Real>
constexpr Real kLargeInput = sizeof(Real) == sizeof(float) ? Real(0x1p+60) : Real(0x1p+500);

// What a session keeps between its calls for the kernel of that id.
template <typename Real>
struct Cache final : public SessionCache {
  static constexpr std::int64_t kWidth = SampleTable<Real>::kWidth;

  struct Level {
    // The spectra of the last inputs: part p of synapse n starts at ((t / block + p) mod n_parts)
    // slots, where t is the step at which it was transformed. Empty if a spectrum is used only
    // once.
    AlignedBuffer<Real> spectra;
    // What the inputs before the current block contribute to its outputs.
    AlignedBuffer<Real> pending;
  };

  Cache(const Kernel& kernel, const PartitionPlan& plan, bool has_transforms)
      : kernel_id(kernel.id()),
        is_transformed(has_transforms),
        pitch((kernel.n_synapses() + kWidth - 1) / kWidth * kWidth),
        capacity(plan.n_direct - 1 + 2 * kChunk),
        recent(CheckedProduct(CheckedSize(capacity), CheckedSize(pitch))),
        last_input(static_cast<std::size_t>(pitch), kLongAgo),
        last_large(static_cast<std::size_t>(pitch), kLongAgo) {
    for (const PartitionLevel& level : plan.levels) {
      Level& own = levels.emplace_back();
      if (level.n_parts > 1) {
        own.spectra = AlignedBuffer<Real>(CheckedProduct(
            CheckedProduct(CheckedSize(level.n_parts), CheckedSize(kernel.n_synapses())),
            CheckedSize(StrideOf(level))));
      }
      own.pending =
          AlignedBuffer<Real>(CheckedProduct(CheckedSize(level.block), CheckedSize(pitch)));
    }
  }

  // From the spectrum of a synapse to the next: whole cache lines.
  static std::int64_t StrideOf(const PartitionLevel& level) {
    return (level.spectrum_size() + kWidth - 1) / kWidth * kWidth;
  }

  std::size_t size_in_bytes() const override {
    std::size_t size = recent.size();
    for (const Level& level : levels) size += level.spectra.size() + level.pending.size();
    return sizeof(Cache) + size * sizeof(Real) +
           (last_input.size() + last_large.size()) * sizeof(double);
  }

  std::uint64_t kernel_id;
  bool is_transformed;
  // The step for which it is up to date.
  std::int64_t step = kNever;
  std::int64_t pitch;  // from a row to the next, in whole cache lines
  // The last inputs, row after row: n_recent rows, at most `capacity`.
  std::int64_t capacity;
  AlignedBuffer<Real> recent;
  std::int64_t n_recent = 0;
  // The step of the last input of each synapse that is not 0, and of the last one that is not
  // small. Steps are less than 2^53; as doubles, they are compared in vectors.
  std::vector<double> last_input, last_large;
  std::vector<Level> levels;
};

template <typename Real>
class Convolution {
 public:
  static constexpr std::int64_t kWidth = SampleTable<Real>::kWidth;

  Convolution(const SessionSteps<Real>& steps, const Partitions<Real>& partitions,
              Cache<Real>& cache)
      : steps_(steps),
        partitions_(partitions),
        plan_(partitions.plan),
        cache_(cache),
        ops_(simd::OpsOf<Real>()),
        n_synapses_(steps.kernel.n_synapses()),
        window_length_(steps.kernel.window_length()),
        n_timesteps_(steps.input.raster().n_timesteps),
        sums_(static_cast<std::size_t>(std::min(kChunk, n_timesteps_) * cache.pitch)) {}

  bool Run() {
    // Valid again at the end only.
    const bool is_current = cache_.step == steps_.step;
    cache_.step = kNever;
    if (!is_current && !Rebuild()) return false;
    if (steps_.cancelled.load(std::memory_order_relaxed)) return true;
    if (!plan_.levels.empty() && n_timesteps_ > 1) {
      inputs_ =
          AlignedBuffer<Real>(CheckedProduct(CheckedSize(n_timesteps_), CheckedSize(cache_.pitch)));
    }
    std::int64_t n_rows = 0;
    for (std::int64_t row = 0; row < n_timesteps_; row += n_rows) {
      const std::int64_t step = steps_.step + row;
      n_rows = std::min(n_timesteps_ - row, kChunk - step % kChunk);
      for (std::size_t j = 0; j < plan_.levels.size(); ++j) {
        if (step % plan_.levels[j].block == 0) UpdateLevel(j, step);
      }
      if (steps_.cancelled.load(std::memory_order_relaxed)) return true;
      ReadRows(row, n_rows);
      if (!SumRows(row, n_rows)) return false;
    }
    cache_.step = steps_.step + n_timesteps_;
    return true;
  }

 private:
  // Makes everything in the cache anew from the history.
  bool Rebuild() {
    const InputHistory& history = steps_.history;
    const std::int64_t n_rows = history.n_rows();
    std::fill(cache_.last_input.begin(), cache_.last_input.end(), kLongAgo);
    std::fill(cache_.last_large.begin(), cache_.last_large.end(), kLongAgo);
    std::fill_n(cache_.recent.data(), cache_.recent.size(), Real{0});
    for (std::int64_t age = n_rows - 1; age >= 0; --age) {
      if (!Note(history.Row<Real>(age), steps_.step - 1 - age)) return false;
    }
    cache_.n_recent = plan_.n_direct - 1;
    for (std::int64_t age = std::min(n_rows, cache_.n_recent) - 1; age >= 0; --age) {
      std::copy_n(history.Row<Real>(age), n_synapses_,
                  cache_.recent.data() + (cache_.n_recent - 1 - age) * cache_.pitch);
    }
    for (std::size_t j = 0; j < plan_.levels.size(); ++j) {
      const PartitionLevel& level = plan_.levels[j];
      const std::int64_t begun = steps_.step / level.block * level.block;
      for (std::int64_t part = level.n_parts - 1; part > 0; --part) {
        if (steps_.cancelled.load(std::memory_order_relaxed)) return true;
        TransformInputs(j, begun - part * level.block);
      }
      // A block that begins with this call is computed as in every call.
      if (begun < steps_.step) UpdateLevel(j, begun);
    }
    return true;
  }

  // Keeps the steps of the last inputs. Returns false if one is too large for a transform.
  bool Note(const Real* row, std::int64_t step) {
    const auto at = static_cast<double>(step);
    NoteFrom(row, std::numeric_limits<Real>::min(), at, cache_.last_input.data());
    if (plan_.levels.empty()) return true;
    NoteFrom(row, kSmallInput<Real>, at, cache_.last_large.data());
    return ops_.peak(row, n_synapses_) <= kLargeInput<Real>;
  }

  // Sets the step of each synapse whose input has at least this magnitude.
  void NoteFrom(const Real* row, Real magnitude, double step, double* steps) const {
    for (std::int64_t n = 0; n < n_synapses_; ++n) {
      steps[n] = std::abs(row[n]) >= magnitude ? step : steps[n];
    }
  }

  // Appends rows of the call to the recent inputs, and to what the call leaves to the history.
  void ReadRows(std::int64_t row, std::int64_t n_rows) {
    const std::int64_t kept = plan_.n_direct - 1;
    if (cache_.n_recent + n_rows > cache_.capacity) {
      std::copy_n(cache_.recent.data() + (cache_.n_recent - kept) * cache_.pitch,
                  kept * cache_.pitch, cache_.recent.data());
      cache_.n_recent = kept;
    }
    Real* const rows = cache_.recent.data() + cache_.n_recent * cache_.pitch;
    steps_.input.Read(row, n_rows, 0, n_synapses_, rows, cache_.pitch);
    cache_.n_recent += n_rows;
    if (inputs_.size() > 0) {
      std::copy_n(rows, n_rows * cache_.pitch, inputs_.data() + row * cache_.pitch);
    }
    for (std::int64_t i = 0; i < n_rows; ++i) {
      const Real* const one = rows + i * cache_.pitch;
      const std::int64_t age = n_timesteps_ - 1 - row - i;
      if (age < steps_.history.n_rows()) {
        std::copy_n(one, n_synapses_, steps_.new_inputs.Plane(age));
      }
    }
  }

  // Computes rows whose inputs are the last of the recent ones. Returns false if a sum is not
  // finite, or if transforms lose digits of a synapse.
  bool SumRows(std::int64_t row, std::int64_t n_rows) {
    const Real* const inputs = cache_.recent.data() + (cache_.n_recent - n_rows) * cache_.pitch;
    const SampleTable<Real>& samples = *partitions_.direct;
    Real ignored_faults[kWidth] = {};
    for (std::int64_t c = 0; c < cache_.pitch; c += kWidth) {
      ops_.sum_directly(
          {inputs + c, cache_.pitch, cache_.pitch, samples.Of(c), samples.stride(),
           samples.is_shared, plan_.n_direct, sums_.data() + c, cache_.pitch, ignored_faults},
          n_rows);
    }
    const std::int64_t step = steps_.step + row;
    for (std::size_t j = 0; j < plan_.levels.size(); ++j) {
      const Real* const pending =
          cache_.levels[j].pending.data() + step % plan_.levels[j].block * cache_.pitch;
      for (std::int64_t i = 0; i < n_rows * cache_.pitch; ++i) sums_[i] += pending[i];
    }
    if (!std::isfinite(ops_.peak(sums_.data(), n_rows * cache_.pitch))) return false;
    for (std::int64_t i = 0; i < n_rows; ++i) {
      if (!Note(inputs + i * cache_.pitch, step + i)) return false;
      ClearSilence(sums_.data() + i * cache_.pitch, step + i);
    }
    if (!plan_.levels.empty() && HasSmallInputs(step + n_rows)) return false;
    Real* const output = steps_.output + row * n_synapses_;
    for (std::int64_t i = 0; i < n_rows; ++i) {
      std::copy_n(sums_.data() + i * cache_.pitch, n_synapses_, output + i * n_synapses_);
    }
    steps_.input.AddOutputNoise(row, n_rows, 0, n_synapses_, output, n_synapses_);
    return true;
  }

  // Sets the sums of a step to exactly 0 where the window holds no input.
  void ClearSilence(Real* sums, std::int64_t step) const {
    const double* const last_input = cache_.last_input.data();
    const auto begin = static_cast<double>(step - window_length_);
    for (std::int64_t n = 0; n < n_synapses_; ++n) {
      sums[n] = last_input[n] <= begin ? Real{0} : sums[n];
    }
  }

  // Whether the window of a synapse before `end` holds small inputs only.
  bool HasSmallInputs(std::int64_t end) const {
    const auto begin = static_cast<double>(end - 1 - window_length_);
    bool is_any = false;
    for (std::size_t n = 0; n < static_cast<std::size_t>(n_synapses_); ++n) {
      is_any = is_any || (cache_.last_large[n] <= begin && cache_.last_input[n] > begin);
    }
    return is_any;
  }

  // Transforms the inputs before a step at which a block begins, and computes what they and those
  // that were transformed before contribute to the block.
  void UpdateLevel(std::size_t j, std::int64_t step) { ConvolveBlock(j, step, true); }
  // Only transforms them.
  void TransformInputs(std::size_t j, std::int64_t step) { ConvolveBlock(j, step, false); }

  void ConvolveBlock(std::size_t j, std::int64_t step, bool has_output) {
    const PartitionLevel& level = plan_.levels[j];
    const FftPlan<Real>& transform = *partitions_.levels[j].transform;
    typename Cache<Real>::Level& own = cache_.levels[j];
    const std::int64_t distance = FftPlan<Real>::Distance(level.length);
    const std::int64_t stride = Cache<Real>::StrideOf(level);
    const std::int64_t size = level.length / 2 + 1;
    const std::int64_t width = std::min(kWidth, n_synapses_);
    AlignedBuffer<Real> signals(static_cast<std::size_t>(width * distance));
    AlignedBuffer<Real> sum(static_cast<std::size_t>(stride));
    const std::int64_t slot = SlotOf(level, step / level.block);
    for (std::int64_t first = 0; first < n_synapses_; first += kWidth) {
      // The block is then incomplete, but so is the call.
      if (steps_.cancelled.load(std::memory_order_relaxed)) return;
      const std::int64_t count = std::min(kWidth, n_synapses_ - first);
      ReadSignals(step, level.length, first, count, signals.data(), distance);
      for (std::int64_t c = 0; c < count; ++c) {
        const std::int64_t n = first + c;
        Real* const signal = signals.data() + c * distance;
        if (level.n_parts == 1) {
          transform.Forward(signal, sum.data());
          ops_.multiply_spectra(sum.data(), SpectrumOf(j, n, 0), size);
        } else {
          transform.Forward(signal, own.spectra.data() + (slot * n_synapses_ + n) * stride);
          if (!has_output) continue;
          std::fill_n(sum.data(), stride, Real{0});
          for (std::int64_t part = 0; part < level.n_parts; ++part) {
            const std::int64_t used = SlotOf(level, step / level.block - part);
            ops_.add_product_of_spectra(sum.data(),
                                        own.spectra.data() + (used * n_synapses_ + n) * stride,
                                        SpectrumOf(j, n, part), size);
          }
        }
        transform.Inverse(sum.data(), signal);
      }
      if (has_output) {
        ops_.transpose(signals.data() + level.length - level.block, distance, count, level.block,
                       own.pending.data() + first, cache_.pitch);
      }
    }
  }

  static std::int64_t SlotOf(const PartitionLevel& level, std::int64_t block) {
    const std::int64_t rest = block % level.n_parts;
    return rest < 0 ? rest + level.n_parts : rest;
  }

  const Real* SpectrumOf(std::size_t j, std::int64_t n, std::int64_t part) const {
    return partitions_.levels[j].SpectrumOf(partitions_.kernel_of[static_cast<std::size_t>(n)],
                                            part);
  }

  // Fills the signals of some synapses with the inputs of `count` steps before `end`. Those that no
  // sample reaches any more are 0, whether they are still there or not: no bit may depend on that.
  void ReadSignals(std::int64_t end, std::int64_t count, std::int64_t first, std::int64_t width,
                   Real* signals, std::int64_t distance) const {
    const InputHistory& history = steps_.history;
    std::int64_t n_rows = 0;
    for (std::int64_t i = 0; i < count; i += n_rows) {
      const std::int64_t n_passed = count - i - history.n_rows();
      const std::int64_t age = steps_.step - 1 - (end - count + i);
      const std::int64_t n_zeros = std::max(n_passed, age - history.n_rows() + 1);
      if (n_zeros > 0) {
        n_rows = std::min(count - i, n_zeros);
        for (std::int64_t c = 0; c < width; ++c) {
          std::fill_n(signals + c * distance + i, n_rows, Real{0});
        }
      } else if (age >= 0) {
        n_rows = std::min(count - i, history.RowsFrom(age));
        ops_.transpose(history.Row<Real>(age) + first, n_synapses_, n_rows, width, signals + i,
                       distance);
      } else {
        n_rows = count - i;
        ops_.transpose(inputs_.data() + (-1 - age) * cache_.pitch + first, cache_.pitch, n_rows,
                       width, signals + i, distance);
      }
    }
  }

  const SessionSteps<Real>& steps_;
  const Partitions<Real>& partitions_;
  const PartitionPlan& plan_;
  Cache<Real>& cache_;
  const typename simd::Ops::Of<Real>& ops_;
  std::int64_t n_synapses_;
  std::int64_t window_length_;
  std::int64_t n_timesteps_;
  AlignedBuffer<Real> sums_;
  AlignedBuffer<Real> inputs_;  // of the call, if a block may end in it
};

}  // namespace

template <typename Real>
bool ConvolveSession(const SessionSteps<Real>& steps, bool has_transforms) {
  const std::shared_ptr<const Partitions<Real>> partitions =
      steps.kernel.template partitions<Real>().Get(has_transforms, steps.cancelled);
  if (partitions == nullptr) return true;
  auto* cache = static_cast<Cache<Real>*>(steps.history.cache());
  if (cache == nullptr || cache->kernel_id != steps.kernel.id() ||
      cache->is_transformed != has_transforms) {
    steps.history.SetCache(nullptr);
    auto made = std::make_unique<Cache<Real>>(steps.kernel, partitions->plan, has_transforms);
    cache = made.get();
    steps.history.SetCache(std::move(made));
  }
  return Convolution<Real>(steps, *partitions, *cache).Run();
}

template bool ConvolveSession<float>(const SessionSteps<float>&, bool);
template bool ConvolveSession<double>(const SessionSteps<double>&, bool);

}  // namespace expsyn
