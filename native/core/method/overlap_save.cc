#include "method/overlap_save.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "kernel/held_non_finite.h"
#include "method/choice.h"
#include "method/direct_sum.h"
#include "method/fft_plan.h"
#include "method/spectra.h"
#include "simd/ops.h"

namespace expsyn {

namespace {

// Rows converted at a time.
constexpr std::int64_t kStagedRows = 32;
// A block whose peak is above this magnitude, or below its inverse, is scaled before the transform.
constexpr double kSafeMagnitude = 0x1p+40;

// The factor by which the running peak of an input may grow within one transform: the errors of
// earlier rows are relative to the peak of the whole transform.
template <typename Real>
constexpr Real kMaxGrowth = sizeof(Real) == sizeof(float) ? 16 : 256;

// The distance between two signals of this length: one cache line more than they fill, so that they
// do not all start in the same set of the caches.
template <typename Real>
std::int64_t SignalStride(std::int64_t length) {
  constexpr auto kPerLine = static_cast<std::int64_t>(kAlignment / sizeof(Real));
  return ((length + kPerLine - 1) / kPerLine + 1) * kPerLine;
}

// One synapse's progress through the blocks.
template <typename Real>
struct Channel {
  explicit Channel(const Kernel& kernel) : rollover_steps(kernel.window_length()), held(kernel) {}

  // The number of further steps for which the window holds the state before the call.
  std::int64_t rollover_steps;
  // Numbers of the recursion: what is left of that state after the last step, and all of them.
  DoubleDouble* rollover = nullptr;
  DoubleDouble* last = nullptr;
  Real last_output = 0;  // the current after the last step, as the output has it
  Real peak = 0;         // the largest magnitude of the input so far
  HeldNonFinite held;
  Finding finding = Finding::kFinite;
};

template <typename Real>
class BlockConvolution {
 public:
  BlockConvolution(const Kernel& kernel, const BlockPlan& blocks, const FftPlan<Real>& plan,
                   const Spectra<Real>& spectra, const Tile<Real>& tile)
      : kernel_(kernel),
        blocks_(blocks),
        plan_(plan),
        spectra_(spectra),
        tile_(tile),
        ops_(simd::OpsOf<Real>()),
        n_timesteps_(tile.end_step),
        signal_stride_(SignalStride<Real>(blocks.fft_length)),
        channels_(static_cast<std::size_t>(tile.n_synapses), Channel<Real>(kernel)),
        numbers_(static_cast<std::size_t>(2 * kernel.n_numbers() * tile.n_synapses)) {
    strip_width_ = std::min(static_cast<std::int64_t>(kAlignment / sizeof(Real)), tile.n_synapses);
    signals_ = AlignedBuffer<Real>(CheckedProduct(static_cast<std::size_t>(signal_stride_),
                                                  static_cast<std::size_t>(strip_width_)));
    overlaps_ = AlignedBuffer<Real>(CheckedProduct(static_cast<std::size_t>(OverlapLength()),
                                                   static_cast<std::size_t>(tile.n_synapses)));
    spectrum_ =
        AlignedBuffer<std::complex<Real>>(static_cast<std::size_t>(blocks.fft_length / 2 + 1));
    for (std::int64_t c = 0; c < tile.n_synapses; ++c) {
      if (kernel.has_recursion()) {
        ChannelOf(c).rollover = numbers_.data() + 2 * kernel.n_numbers() * c;
        ChannelOf(c).last = ChannelOf(c).rollover + kernel.n_numbers();
        StartFromNumbers(c);
      } else {
        StartFromInputs(c);
      }
    }
  }

  // Block after block, and in a block strip after strip of as many synapses as a cache line holds:
  // every line of the raster is read once, and the signals of a strip stay in the cache.
  void Run() {
    for (std::int64_t step = 0; step < n_timesteps_; step += blocks_.hop) {
      const std::int64_t n_rows = std::min(blocks_.hop, n_timesteps_ - step);
      for (std::int64_t first = 0; first < tile_.n_synapses; first += strip_width_) {
        const std::int64_t width = std::min(strip_width_, tile_.n_synapses - first);
        TransposeIn(first, width, step, n_rows);
        for (std::int64_t c = 0; c < width; ++c) {
          if (tile_.cancelled.load(std::memory_order_relaxed)) return;
          PrefetchNext(first, width, step, n_rows, c);
          RunBlock(first + c, SignalOf(c), step, n_rows);
        }
        TransposeOut(first, width, step, n_rows);
      }
    }
    for (std::int64_t c = 0; c < tile_.n_synapses; ++c) FinishSynapse(c);
  }

 private:
  bool IsCut() const { return kernel_.window_length() != Kernel::kUnlimited; }
  // The number of inputs that a block shares with the one before it. If the kernel is not cut, the
  // block continues from the numbers of the recursion instead.
  std::int64_t OverlapLength() const { return IsCut() ? blocks_.kernel_length - 1 : 0; }

  void StartFromNumbers(std::int64_t c) {
    Channel<Real>& channel = ChannelOf(c);
    if (!tile_.state.HasFiniteNumbers(kernel_.n_numbers(), c)) {
      channel.held.Take(tile_.state.Plane(0)[c], 0);
      channel.finding = Finding::kNonFinite;
      return;
    }
    for (std::int64_t i = 0; i < kernel_.n_numbers(); ++i) {
      channel.rollover[i] = tile_.state.Number(i, c);
    }
  }

  void StartFromInputs(std::int64_t c) {
    Real* kept = OverlapOf(c);
    ReadCarriedInputs(tile_.state.From(c), OverlapLength(), kept);
    for (std::int64_t i = 0; i < OverlapLength(); ++i) {
      if (!std::isfinite(kept[i])) {
        kept[i] = 0;
        ChannelOf(c).finding = Finding::kRecompute;
      }
      ChannelOf(c).peak = std::max(ChannelOf(c).peak, std::abs(kept[i]));
    }
  }

  // Writes the next state and the finding of a synapse.
  void FinishSynapse(std::int64_t c) {
    const Channel<Real>& channel = ChannelOf(c);
    for (std::int64_t i = 0; i < kernel_.n_numbers(); ++i) {
      const DoubleDouble number = channel.last[i];
      const double rounded = i == 0 ? static_cast<double>(channel.last_output)
                                    : channel.held.Overlay(number.high, n_timesteps_ - 1);
      tile_.next_state.SetNumber(i, c, rounded, number);
    }
    const bool is_precise = kernel_.IsAlwaysPrecise(tile_.first_synapse + c, kElementTypeOf<Real>);
    tile_.findings[c] = is_precise ? Finding::kRecompute : channel.finding;
  }

  Channel<Real>& ChannelOf(std::int64_t synapse) {
    return channels_[static_cast<std::size_t>(synapse)];
  }
  Real* SignalOf(std::int64_t column) { return signals_.data() + column * signal_stride_; }

  Real* OverlapOf(std::int64_t synapse) { return overlaps_.data() + synapse * OverlapLength(); }

  // Fills the signals of some synapses: the overlap with the last block, n_rows new inputs, then
  // zeros. Keeps the overlap with the next block.
  void TransposeIn(std::int64_t first, std::int64_t width, std::int64_t step, std::int64_t n_rows) {
    const std::int64_t overlap = OverlapLength();
    const InputReader& input = tile_.input;
    if (const Real* rows = input.RowsInPlace<Real>(step, tile_.first_synapse + first)) {
      ops_.transpose(rows, input.raster().n_columns, n_rows, width, signals_.data() + overlap,
                     signal_stride_);
    } else {
      alignas(64) Real staged[kStagedRows * kFftWidth];
      for (std::int64_t row = 0; row < n_rows; row += kStagedRows) {
        const std::int64_t count = std::min(kStagedRows, n_rows - row);
        input.Read(step + row, count, tile_.first_synapse + first, width, staged, width);
        ops_.transpose(staged, width, count, width, signals_.data() + overlap + row,
                       signal_stride_);
      }
    }
    for (std::int64_t c = 0; c < width; ++c) {
      Real* signal = SignalOf(c);
      Real* kept = OverlapOf(first + c);
      std::copy_n(kept, overlap, signal);
      std::copy_n(signal + n_rows, overlap, kept);
      std::fill(signal + overlap + n_rows, signal + blocks_.fft_length, Real{0});
    }
  }

  // Prefetches some of the rows that the next strip reads, and some that this strip will write:
  // their lines are too far apart for the processor's own prefetching.
  void PrefetchNext(std::int64_t first, std::int64_t width, std::int64_t step, std::int64_t n_rows,
                    std::int64_t column) const {
    const std::int64_t this_first = first;
    const std::int64_t this_step = step;
    first += width;
    if (first == tile_.n_synapses) {
      first = 0;
      step += n_rows;
    }
    const std::int64_t n_next = std::min(blocks_.hop, n_timesteps_ - step);
    const std::int64_t row_end = n_rows * (column + 1) / width;
    const Real* output = tile_.output + this_step * tile_.row_stride + this_first + width - 1;
    for (std::int64_t row = n_rows * column / width; row < row_end; ++row) {
      __builtin_prefetch(output + row * tile_.row_stride, 1);
    }
    // The cache line of a row's last element: where a strip straddles two lines, the strip before
    // it has read the other one.
    const std::int64_t last = std::min(first + strip_width_, tile_.n_synapses) - 1;
    tile_.input.Prefetch(step + n_next * column / width,
                         n_next * (column + 1) / width - n_next * column / width,
                         tile_.first_synapse + last);
  }

  // Turns the signal of one channel into its currents.
  void RunBlock(std::int64_t synapse, Real* signal, std::int64_t step, std::int64_t n_rows) {
    Channel<Real>& channel = ChannelOf(synapse);
    Real peak = ops_.peak(signal, blocks_.fft_length);
    non_finite_.clear();
    if (!std::isfinite(peak)) {
      TakeOutNonFinite(synapse, signal, n_rows);
      peak = ops_.peak(signal, blocks_.fft_length);
    }
    // If the kernel is not cut, the next block needs the numbers; else only the next state does.
    const bool is_last = step + n_rows == n_timesteps_;
    if (!IsCut() || is_last) RespondToInputs(synapse, signal, n_rows);
    FindSilence(signal, n_rows);
    if (peak != 0) Convolve(synapse, signal, n_rows, peak);
    channel.peak = std::max(channel.peak, peak);
    if (!kernel_.has_recursion()) {
      FinishInputs(channel, n_rows, signal + OverlapLength());
      return;
    }
    FinishNumbers(synapse, channel, n_rows, signal + OverlapLength());
    PutBackNonFinite(channel, step, n_rows, signal + OverlapLength());
  }

  // Sets the numbers of the recursion other than the current to what the inputs in the window at
  // the end of a block contribute.
  void RespondToInputs(std::int64_t synapse, const Real* signal, std::int64_t n_rows) {
    // This many terms are summed before they are added to the others, so that rounding errors do
    // not grow with the block.
    constexpr std::int64_t kTerms = 64;
    const std::int64_t kernel = spectra_.kernel_of[tile_.first_synapse + synapse];
    const std::int64_t end = OverlapLength() + n_rows;
    const std::int64_t n_terms = std::min(blocks_.kernel_length, end);
    const Real* inputs = signal + end - n_terms;
    for (std::int64_t i = 1; i < kernel_.n_numbers(); ++i) {
      const double* responses = spectra_.Responses(i, kernel) + spectra_.kernel_length - n_terms;
      double sum = 0;
      for (std::int64_t first = 0; first < n_terms; first += kTerms) {
        double part = 0;
        for (std::int64_t term = first; term < std::min(first + kTerms, n_terms); ++term) {
          part += responses[term] * static_cast<double>(inputs[term]);
        }
        sum += part;
      }
      ChannelOf(synapse).last[i] = {sum, 0};
    }
  }

  // Replaces the non-finite inputs of a block by 0: the transforms would spread them over the
  // block.
  void TakeOutNonFinite(std::int64_t synapse, Real* signal, std::int64_t n_rows) {
    const std::int64_t overlap = OverlapLength();
    for (std::int64_t row = 0; row < n_rows; ++row) {
      Real& value = signal[overlap + row];
      if (std::isfinite(value)) continue;
      non_finite_.emplace_back(row, value);
      value = 0;
    }
    std::copy_n(signal + n_rows, overlap, OverlapOf(synapse));
  }

  void PutBackNonFinite(Channel<Real>& channel, std::int64_t step, std::int64_t n_rows,
                        Real* result) {
    auto next = non_finite_.begin();
    if (next != non_finite_.end()) channel.finding = std::max(channel.finding, Finding::kNonFinite);
    if (next == non_finite_.end() && !channel.held.HoldsAny(step)) return;
    for (std::int64_t row = 0; row < n_rows; ++row) {
      if (next != non_finite_.end() && next->first == row) {
        channel.held.Take(static_cast<double>((next++)->second), step + row);
      }
      if (channel.held.HoldsAny(step + row)) {
        result[row] = static_cast<Real>(channel.held.Overlay(0, step + row));
      }
    }
    channel.last_output = result[n_rows - 1];
  }

  // signal <- its circular convolution with the kernel of synapse `synapse`, in the n_rows rows
  // after the overlap. The errors of a transform are relative to its peak. To keep the digits of
  // outputs before a large input, an input that grows beyond all before it is transformed
  // separately, and only added to outputs from its own step on.
  void Convolve(std::int64_t synapse, Real* signal, std::int64_t n_rows, Real peak) {
    const std::int64_t overlap = OverlapLength();
    const std::int64_t end = overlap + n_rows;
    Real running_peak = ChannelOf(synapse).peak;
    std::int64_t first = 0;
    if (!(peak <= kMaxGrowth<Real> * running_peak)) {
      first = ops_.find_first(signal, 0, end);
      running_peak = std::max(running_peak, std::abs(signal[first]));
    }
    if (peak <= kMaxGrowth<Real> * running_peak) {
      Transform(synapse, signal, peak);
      return;
    }
    if (part_.size() == 0) {
      part_ = AlignedBuffer<Real>(static_cast<std::size_t>(signal_stride_));
      sum_ = AlignedBuffer<Real>(static_cast<std::size_t>(signal_stride_));
    }
    std::fill_n(sum_.data(), blocks_.fft_length, Real{0});
    while (first < end) {
      std::int64_t next = first;
      running_peak = std::max(running_peak, std::abs(signal[first]));
      while (next < end && std::abs(signal[next]) <= kMaxGrowth<Real> * running_peak) ++next;
      std::fill_n(part_.data(), blocks_.fft_length, Real{0});
      std::copy(signal + first, signal + next, part_.data() + first);
      Transform(synapse, part_.data(), ops_.peak(part_.data(), blocks_.fft_length));
      for (std::int64_t i = std::max(first, overlap); i < end; ++i) sum_[i] += part_[i];
      first = next;
    }
    std::copy(sum_.data(), sum_.data() + end, signal);
  }

  // signal <- its circular convolution with the kernel of synapse `synapse`; `peak` > 0 is the
  // signal's.
  void Transform(std::int64_t synapse, Real* signal, Real peak) {
    const std::int64_t length = blocks_.fft_length;
    const std::int64_t kernel = spectra_.kernel_of[tile_.first_synapse + synapse];
    int exponent = 0;
    if (peak > kSafeMagnitude || peak < 1 / kSafeMagnitude) {
      exponent = std::ilogb(peak);
      ScaleByPower(signal, -exponent);
    }
    plan_.Forward(signal, spectrum_.data());
    ops_.multiply_spectra(
        reinterpret_cast<Real*>(spectrum_.data()),
        reinterpret_cast<const Real*>(spectra_.values.data() + kernel * spectra_.stride),
        length / 2 + 1);
    plan_.Inverse(spectrum_.data(), signal);
    exponent += spectra_.exponents[static_cast<std::size_t>(kernel)];
    if (exponent != 0) ScaleByPower(signal, exponent);
  }

  // Multiplies a signal by 2^exponent: by halves, because that number itself may overflow.
  void ScaleByPower(Real* signal, int exponent) const {
    const auto half = static_cast<Real>(std::ldexp(1.0, exponent / 2));
    const auto other_half = static_cast<Real>(std::ldexp(1.0, exponent - exponent / 2));
    for (std::int64_t i = 0; i < blocks_.fft_length; ++i) signal[i] = signal[i] * half * other_half;
  }

  // Sets the output to exactly 0 where the window holds no input.
  void ClearSilence(Real* result) const {
    for (const auto& [begin, end] : silent_) std::fill(result + begin, result + end, Real{0});
  }

  // Completes a block of a kernel with a recursion: adds what is left of the state.
  void FinishNumbers(std::int64_t synapse, Channel<Real>& channel, std::int64_t n_rows,
                     Real* result) {
    ClearSilence(result);
    channel.last[0] = {static_cast<double>(result[n_rows - 1]), 0};
    RollOver(tile_.first_synapse + synapse, channel, n_rows, result);
    bool is_finite = true;
    for (std::int64_t i = 0; i < kernel_.n_numbers(); ++i) {
      channel.last[i] = channel.rollover[i] + channel.last[i].high;
      is_finite = is_finite && std::isfinite(channel.last[i].high);
    }
    channel.last_output = result[n_rows - 1];
    if (!is_finite || !std::isfinite(channel.last_output)) channel.finding = Finding::kRecompute;
    if (!IsCut()) std::copy_n(channel.last, kernel_.n_numbers(), channel.rollover);
  }

  // Completes a block of a kernel without a recursion: its state was among the inputs.
  void FinishInputs(Channel<Real>& channel, std::int64_t n_rows, Real* result) {
    ClearSilence(result);
    const bool is_finite = std::isfinite(ops_.peak(result, n_rows));
    if (!is_finite || !non_finite_.empty()) channel.finding = Finding::kRecompute;
  }

  // Adds what is left of the state to n_rows rows, and moves it on by as many steps.
  void RollOver(std::int64_t n, Channel<Real>& channel, std::int64_t n_rows, Real* result) {
    const bool is_any_left =
        std::any_of(channel.rollover, channel.rollover + kernel_.n_numbers(),
                    [](const DoubleDouble& number) { return number.high != 0; });
    if (!is_any_left) return;
    const std::int64_t n_held = std::min(n_rows, channel.rollover_steps);
    kernel_.RollOver(n, n_held, channel.rollover, result);
    if (IsCut()) channel.rollover_steps -= n_held;
    if (n_held < n_rows) {
      std::fill_n(channel.rollover, kernel_.n_numbers(), DoubleDouble{});
    }
  }

  // Finds the runs of rows of the block whose window holds no input.
  void FindSilence(const Real* signal, std::int64_t n_rows) {
    silent_.clear();
    const std::int64_t overlap = OverlapLength();
    const std::int64_t end = overlap + n_rows;
    const auto add = [&](std::int64_t first, std::int64_t next) {
      if (next > overlap)
        silent_.emplace_back(std::max<std::int64_t>(first - overlap, 0), next - overlap);
    };
    std::int64_t input = ops_.find_first(signal, 0, end);
    add(0, input < 0 ? end : input);
    // While its last input is at `input`, the window holds it to row input + length - 1.
    while (input >= 0 && kernel_.window_length() < end - input) {
      const std::int64_t left = input + kernel_.window_length();
      const std::int64_t later = ops_.find_last(signal, input + 1, left + 1);
      if (later >= 0) {
        input = later;
        continue;
      }
      input = ops_.find_first(signal, left + 1, end);
      add(left, input < 0 ? end : input);
    }
  }

  void TransposeOut(std::int64_t first, std::int64_t width, std::int64_t step,
                    std::int64_t n_rows) {
    Real* target = tile_.output + step * tile_.row_stride + first;
    ops_.transpose(signals_.data() + OverlapLength(), signal_stride_, width, n_rows, target,
                   tile_.row_stride);
    tile_.input.AddOutputNoise(step, n_rows, tile_.first_synapse + first, width, target,
                               tile_.row_stride);
  }

  const Kernel& kernel_;
  const BlockPlan& blocks_;
  const FftPlan<Real>& plan_;
  const Spectra<Real>& spectra_;
  const Tile<Real>& tile_;
  const typename simd::Ops::Of<Real>& ops_;
  std::int64_t n_timesteps_;
  std::int64_t signal_stride_;
  std::int64_t strip_width_;
  AlignedBuffer<Real> signals_;
  AlignedBuffer<Real> overlaps_;  // the overlap of each channel with the next block
  AlignedBuffer<std::complex<Real>> spectrum_;
  AlignedBuffer<Real> part_, sum_;  // for a block whose input grows; allocated when needed
  std::vector<Channel<Real>> channels_;
  std::vector<DoubleDouble> numbers_;  // of all channels
  // The rows of the block whose input is not finite, and that input.
  std::vector<std::pair<std::int64_t, Real>> non_finite_;
  // The runs of rows of the block, begin and end, whose window holds no input.
  std::vector<std::pair<std::int64_t, std::int64_t>> silent_;
};

}  // namespace

template <typename Real>
void OverlapSave(const Kernel& kernel, const Tile<Real>& tile) {
  const BlockPlan blocks = ChooseBlocks(kernel, tile.end_step);
  if (blocks.fft_length == 0) throw std::length_error("the window is too long for a transform");
  const std::shared_ptr<const FftPlan<Real>> plan = FftPlan<Real>::OfLength(blocks.fft_length);
  const std::shared_ptr<const Spectra<Real>> spectra =
      kernel.spectra<Real>().For(blocks, tile.cancelled);
  if (spectra == nullptr) return;
  BlockConvolution<Real>(kernel, blocks, *plan, *spectra, tile).Run();
}

template void OverlapSave<float>(const Kernel&, const Tile<float>&);
template void OverlapSave<double>(const Kernel&, const Tile<double>&);

}  // namespace expsyn
