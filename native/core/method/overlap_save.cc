#include "method/overlap_save.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "kernel/held_non_finite.h"
#include "method/choice.h"
#include "method/convolver.h"
#include "method/direct_sum.h"
#include "method/fft_plan.h"
#include "method/silence.h"
#include "method/spectra.h"
#include "simd/ops.h"

namespace expsyn {

namespace {

// Rows converted at a time.
constexpr std::int64_t kStagedRows = 32;
// The maximum number of bytes of the signals of a strip, as a rule: they stay in the caches.
constexpr std::int64_t kSignalBytes = 2700 << 10;

// The factor by which the running peak of an input may grow within one transform: the errors of
// earlier rows are relative to the peak of the whole transform.
template <typename Real>
constexpr Real kMaxGrowth = sizeof(Real) == sizeof(float) ? 16 : 256;

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

// A block of one synapse.
template <typename Real>
struct Block {
  std::int64_t step = 0;
  std::int64_t n_rows = 0;
  Real* signal = nullptr;  // the overlap with the block before, n_rows inputs, then zeros
  Real peak = 0;
  // What the inputs contribute to the numbers i > 0 of the recursion at the end of the block.
  std::vector<double> responses;
  // The rows whose input is not finite, and that input.
  std::vector<std::pair<std::int64_t, Real>> non_finite;
  // The runs of rows, begin and end, whose window holds no input.
  std::vector<Rows> silent;
};

template <typename Real>
class BlockConvolution {
  static constexpr auto kPerLine = static_cast<std::int64_t>(kAlignment / sizeof(Real));

 public:
  BlockConvolution(const Kernel& kernel, const BlockPlan& blocks, const FftPlan<Real>& plan,
                   const Spectra<Real>& spectra, const Tile<Real>& tile)
      : kernel_(kernel),
        blocks_(blocks),
        plan_(plan),
        convolver_(plan, spectra),
        spectra_(spectra),
        tile_(tile),
        ops_(simd::OpsOf<Real>()),
        n_timesteps_(tile.end_step),
        channels_(static_cast<std::size_t>(tile.n_synapses), Channel<Real>(kernel)),
        numbers_(static_cast<std::size_t>(2 * kernel.n_numbers() * tile.n_synapses)) {
    strip_width_ = std::min(StripWidth(plan.signals_size()), tile.n_synapses);
    signals_ = AlignedBuffer<Real>(CheckedProduct(static_cast<std::size_t>(plan.signals_size()),
                                                  static_cast<std::size_t>(strip_width_)));
    overlaps_ = AlignedBuffer<Real>(CheckedProduct(static_cast<std::size_t>(OverlapLength()),
                                                   static_cast<std::size_t>(tile.n_synapses)));
    for (Block<Real>& block : pair_) {
      block.responses.resize(static_cast<std::size_t>(kernel.n_numbers()));
    }
    if (!kernel.has_recursion()) StartFromInputs();
    for (std::int64_t c = 0; c < tile.n_synapses && kernel.has_recursion(); ++c) {
      ChannelOf(c).rollover = numbers_.data() + 2 * kernel.n_numbers() * c;
      ChannelOf(c).last = ChannelOf(c).rollover + kernel.n_numbers();
      StartFromNumbers(c);
    }
  }

  // Block after block, or pair after pair, and in each of them strip after strip of synapses: the
  // signals of a strip stay in the caches.
  void Run() {
    const std::int64_t stride = (plan_.is_pair() ? 2 : 1) * blocks_.hop;
    for (std::int64_t step = 0; step < n_timesteps_; step += stride) {
      StartBlocks(step);
      for (std::int64_t first = 0; first < tile_.n_synapses; first += strip_width_) {
        const std::int64_t width = std::min(strip_width_, tile_.n_synapses - first);
        for (std::int64_t i = 0; i < n_blocks_; ++i) TransposeIn(first, width, i);
        for (std::int64_t c = 0; c < width; ++c) {
          if (tile_.cancelled.load(std::memory_order_relaxed)) return;
          RunBlocks(first + c, c);
        }
        for (std::int64_t i = 0; i < n_blocks_; ++i) TransposeOut(first, width, i);
      }
    }
    for (std::int64_t c = 0; c < tile_.n_synapses; ++c) FinishSynapse(c);
    if (tile_.is_streamed) simd::ActiveOps().finish_streams();
  }

 private:
  // As many synapses as fit the caches: from one to eight cache lines of each row. Reading whole
  // rows is several times faster than reading one line of each.
  static std::int64_t StripWidth(std::int64_t signals_size) {
    const std::int64_t line_bytes =
        signals_size * kPerLine * static_cast<std::int64_t>(sizeof(Real));
    return std::clamp<std::int64_t>(kSignalBytes / line_bytes, 1, 8) * kPerLine;
  }

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

  // Fills the overlaps of all synapses with the inputs that the state carries.
  void StartFromInputs() {
    const std::int64_t overlap = OverlapLength();
    const std::int64_t width = tile_.n_synapses;
    alignas(64) Real staged[kStagedRows * kFftWidth];
    for (std::int64_t i = 0; i < overlap; i += kStagedRows) {
      const std::int64_t count = std::min(kStagedRows, overlap - i);
      // The planes of the state begin with the latest input.
      const State earlier{tile_.state.Plane(overlap - i - count), tile_.state.stride};
      ReadCarriedInputs(earlier, count, width, staged, width);
      ops_.transpose(staged, width, count, width, overlaps_.data() + i, overlap);
    }
    for (std::int64_t c = 0; c < width; ++c) {
      Real* const kept = OverlapOf(c);
      Channel<Real>& channel = ChannelOf(c);
      channel.peak = ops_.peak(kept, overlap);
      if (std::isfinite(channel.peak)) continue;
      channel.finding = Finding::kRecompute;
      for (std::int64_t i = 0; i < overlap; ++i) kept[i] = std::isfinite(kept[i]) ? kept[i] : 0;
      channel.peak = ops_.peak(kept, overlap);
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
  // Signal i of a column of the strip.
  Real* SignalOf(std::int64_t column, std::int64_t i) {
    return signals_.data() + column * plan_.signals_size() +
           i * FftPlan<Real>::Distance(blocks_.fft_length);
  }
  Real* OverlapOf(std::int64_t synapse) { return overlaps_.data() + synapse * OverlapLength(); }

  // Sets the steps of the blocks that begin at a step.
  void StartBlocks(std::int64_t step) {
    n_blocks_ = 0;
    for (Block<Real>& block : pair_) {
      if (step >= n_timesteps_ || (n_blocks_ == 1 && !plan_.is_pair())) break;
      block.step = step;
      block.n_rows = std::min(blocks_.hop, n_timesteps_ - step);
      step += block.n_rows;
      ++n_blocks_;
    }
  }

  // Fills in the inputs of block i of some synapses.
  void TransposeIn(std::int64_t first, std::int64_t width, std::int64_t i) {
    const std::int64_t step = pair_[i].step;
    const std::int64_t n_rows = pair_[i].n_rows;
    const InputReader& input = tile_.input;
    Real* const target = SignalOf(0, i) + OverlapLength();
    if (const Real* rows = input.RowsInPlace<Real>(step, tile_.first_synapse + first)) {
      ops_.transpose(rows, input.raster().n_columns, n_rows, width, target, plan_.signals_size());
      return;
    }
    alignas(64) Real staged[kStagedRows * kFftWidth];
    for (std::int64_t row = 0; row < n_rows; row += kStagedRows) {
      const std::int64_t count = std::min(kStagedRows, n_rows - row);
      input.Read(step + row, count, tile_.first_synapse + first, width, staged, width);
      ops_.transpose(staged, width, count, width, target + row, plan_.signals_size());
    }
  }

  // Turns the signals of one synapse, in a column of the strip, into its currents.
  void RunBlocks(std::int64_t synapse, std::int64_t column) {
    Channel<Real>& channel = ChannelOf(synapse);
    for (std::int64_t i = 0; i < n_blocks_; ++i) {
      pair_[i].signal = SignalOf(column, i);
      PrepareBlock(synapse, pair_[i]);
    }
    Convolve(synapse);
    for (std::int64_t i = 0; i < n_blocks_; ++i) {
      Block<Real>& block = pair_[i];
      ClearSilence(block);
      if (kernel_.has_recursion()) {
        FinishNumbers(synapse, channel, block);
        PutBackNonFinite(channel, block);
      } else {
        FinishInputs(synapse, channel, block);
      }
    }
  }

  // Completes the signal of a block, keeps its overlap with the next one, and notes what the
  // transforms do not tell.
  void PrepareBlock(std::int64_t synapse, Block<Real>& block) {
    const std::int64_t overlap = OverlapLength();
    Real* const signal = block.signal;
    Real* const kept = OverlapOf(synapse);
    const std::int64_t end = overlap + block.n_rows;
    std::copy_n(kept, overlap, signal);
    std::fill(signal + end, signal + blocks_.fft_length, Real{0});
    block.peak = ops_.peak(signal, end);
    block.non_finite.clear();
    if (!std::isfinite(block.peak)) {
      TakeOutNonFinite(block);
      block.peak = ops_.peak(signal, end);
    }
    std::copy_n(signal + block.n_rows, overlap, kept);
    // If the kernel is not cut, the next block needs the numbers; else only the next state does.
    const bool is_last = block.step + block.n_rows == n_timesteps_;
    if (!IsCut() || is_last) RespondToInputs(synapse, block);
    FindSilence(signal, overlap, end, kernel_.window_length(), &block.silent);
  }

  // Computes the responses of a block.
  void RespondToInputs(std::int64_t synapse, Block<Real>& block) {
    // This many terms are summed before they are added to the others, so that rounding errors do
    // not grow with the block.
    constexpr std::int64_t kTerms = 64;
    const std::int64_t kernel = spectra_.kernel_of[tile_.first_synapse + synapse];
    const std::int64_t end = OverlapLength() + block.n_rows;
    const std::int64_t n_terms = std::min(blocks_.kernel_length, end);
    const Real* inputs = block.signal + end - n_terms;
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
      block.responses[static_cast<std::size_t>(i)] = sum;
    }
  }

  // Replaces the non-finite inputs of a block by 0: the transforms would spread them over the
  // block.
  void TakeOutNonFinite(Block<Real>& block) {
    Real* const inputs = block.signal + OverlapLength();
    for (std::int64_t row = 0; row < block.n_rows; ++row) {
      if (std::isfinite(inputs[row])) continue;
      block.non_finite.emplace_back(row, inputs[row]);
      inputs[row] = 0;
    }
  }

  void PutBackNonFinite(Channel<Real>& channel, const Block<Real>& block) {
    Real* const result = block.signal + OverlapLength();
    auto next = block.non_finite.begin();
    const auto end = block.non_finite.end();
    if (next != end) channel.finding = std::max(channel.finding, Finding::kNonFinite);
    if (next == end && !channel.held.HoldsAny(block.step)) return;
    for (std::int64_t row = 0; row < block.n_rows; ++row) {
      if (next != end && next->first == row) {
        channel.held.Take(static_cast<double>((next++)->second), block.step + row);
      }
      if (channel.held.HoldsAny(block.step + row)) {
        result[row] = static_cast<Real>(channel.held.Overlay(0, block.step + row));
      }
    }
    channel.last_output = result[block.n_rows - 1];
  }

  // Convolves the blocks of a synapse, as a pair if that loses no digits.
  void Convolve(std::int64_t synapse) {
    Channel<Real>& channel = ChannelOf(synapse);
    const Real peak_before = channel.peak;
    bool is_pair = n_blocks_ == 2;
    for (std::int64_t i = 0; i < n_blocks_; ++i) {
      const Block<Real>& block = pair_[i];
      is_pair = is_pair && block.peak != 0 && FirstGrowth(block, channel.peak) < 0;
      channel.peak = std::max(channel.peak, block.peak);
    }
    if (is_pair) {
      convolver_.Convolve(tile_.first_synapse + synapse, pair_[0].signal,
                          std::max(pair_[0].peak, pair_[1].peak));
      return;
    }
    Real running_peak = peak_before;
    for (std::int64_t i = 0; i < n_blocks_; ++i) {
      if (pair_[i].peak != 0) ConvolveBlock(synapse, pair_[i], running_peak);
      running_peak = std::max(running_peak, pair_[i].peak);
    }
  }

  // The index of the first input of a block, if there is one that grows by too much for one
  // transform, else -1. `running_peak` is that of the inputs before.
  std::int64_t FirstGrowth(const Block<Real>& block, Real running_peak) const {
    if (block.peak <= kMaxGrowth<Real> * running_peak) return -1;
    const std::int64_t first = ops_.find_first(block.signal, 0, OverlapLength() + block.n_rows);
    running_peak = std::max(running_peak, std::abs(block.signal[first]));
    return block.peak <= kMaxGrowth<Real> * running_peak ? -1 : first;
  }

  // signal <- its circular convolution with the kernel of the synapse, in the n_rows rows after the
  // overlap. The errors of a transform are relative to its peak. To keep the digits of outputs
  // before a large input, an input that grows beyond all before it is transformed separately, and
  // only added to outputs from its own step on.
  void ConvolveBlock(std::int64_t synapse, const Block<Real>& block, Real running_peak) {
    const std::int64_t n = tile_.first_synapse + synapse;
    const std::int64_t overlap = OverlapLength();
    const std::int64_t end = overlap + block.n_rows;
    const std::int64_t length = blocks_.fft_length;
    Real* const signal = block.signal;
    std::int64_t first = FirstGrowth(block, running_peak);
    if (first < 0) {
      convolver_.ConvolveOne(n, signal, block.peak);
      return;
    }
    if (part_.size() == 0) {
      part_ = AlignedBuffer<Real>(static_cast<std::size_t>(plan_.signals_size()));
      sum_ = AlignedBuffer<Real>(static_cast<std::size_t>(length));
    }
    std::fill_n(sum_.data(), length, Real{0});
    while (first < end) {
      std::int64_t next = first;
      running_peak = std::max(running_peak, std::abs(signal[first]));
      while (next < end && std::abs(signal[next]) <= kMaxGrowth<Real> * running_peak) ++next;
      std::fill_n(part_.data(), length, Real{0});
      std::copy(signal + first, signal + next, part_.data() + first);
      convolver_.ConvolveOne(n, part_.data(), ops_.peak(part_.data(), length));
      for (std::int64_t i = std::max(first, overlap); i < end; ++i) sum_[i] += part_[i];
      first = next;
    }
    std::copy(sum_.data(), sum_.data() + end, signal);
  }

  // Sets the output to exactly 0 where the window holds no input.
  void ClearSilence(const Block<Real>& block) const {
    Real* const result = block.signal + OverlapLength();
    for (const auto& [begin, end] : block.silent) std::fill(result + begin, result + end, Real{0});
  }

  // Completes a block of a kernel with a recursion: adds what is left of the state.
  void FinishNumbers(std::int64_t synapse, Channel<Real>& channel, const Block<Real>& block) {
    Real* const result = block.signal + OverlapLength();
    const Real& last_output = result[block.n_rows - 1];
    channel.last[0] = {static_cast<double>(last_output), 0};
    for (std::int64_t i = 1; i < kernel_.n_numbers(); ++i) {
      channel.last[i] = {block.responses[static_cast<std::size_t>(i)], 0};
    }
    RollOver(tile_.first_synapse + synapse, channel, block.n_rows, result);
    bool is_finite = true;
    for (std::int64_t i = 0; i < kernel_.n_numbers(); ++i) {
      channel.last[i] = channel.rollover[i] + channel.last[i].high;
      is_finite = is_finite && std::isfinite(channel.last[i].high);
    }
    channel.last_output = last_output;
    if (!is_finite || !std::isfinite(channel.last_output)) channel.finding = Finding::kRecompute;
    if (!IsCut()) std::copy_n(channel.last, kernel_.n_numbers(), channel.rollover);
  }

  // Completes a block of a kernel without a recursion: its state was among the inputs.
  void FinishInputs(std::int64_t synapse, Channel<Real>& channel, const Block<Real>& block) {
    // Far below the largest number, neither an output nor a sum within a transform overflows.
    constexpr double kMost = 0x1p-32 * static_cast<double>(std::numeric_limits<Real>::max());
    const std::int32_t kernel = spectra_.kernel_of[tile_.first_synapse + synapse];
    const double gain = spectra_.gains[static_cast<std::size_t>(kernel)];
    const bool is_finite = static_cast<double>(channel.peak) < kMost / std::max(gain, 1.0) ||
                           std::isfinite(ops_.peak(block.signal + OverlapLength(), block.n_rows));
    if (!is_finite || !block.non_finite.empty()) channel.finding = Finding::kRecompute;
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

  void TransposeOut(std::int64_t first, std::int64_t width, std::int64_t i) {
    const std::int64_t step = pair_[i].step;
    const std::int64_t n_rows = pair_[i].n_rows;
    const Real* const signals = SignalOf(0, i) + OverlapLength();
    Real* const target =
        tile_.reduced == nullptr ? tile_.output + step * tile_.row_stride + first : nullptr;
    alignas(64) Real staged[kStagedRows * kFftWidth];
    for (std::int64_t row = 0; row < n_rows; row += kStagedRows) {
      const std::int64_t count = std::min(kStagedRows, n_rows - row);
      ops_.transpose(signals + row, plan_.signals_size(), width, count, staged, width);
      tile_.input.AddOutputNoise(step + row, count, tile_.first_synapse + first, width, staged,
                                 width);
      if (tile_.reduced != nullptr) {
        tile_.reduced->Put(step + row, count, first, width, staged, width);
        continue;
      }
      // Rows of which this is the whole are one array.
      const bool is_whole = tile_.row_stride == width;
      const std::int64_t run = is_whole ? count * width : width;
      // Lines that are streamed in parts would be written to memory in parts.
      const bool is_streamed = tile_.is_streamed && (is_whole || tile_.row_stride % kPerLine == 0);
      for (std::int64_t from = 0; from < count * width; from += run) {
        Real* const to = target + row * tile_.row_stride + from / width * tile_.row_stride;
        if (is_streamed) {
          ops_.copy_past_caches(staged + from, run, to);
        } else {
          std::copy_n(staged + from, run, to);
        }
      }
    }
  }

  const Kernel& kernel_;
  const BlockPlan& blocks_;
  const FftPlan<Real>& plan_;
  Convolver<Real> convolver_;
  const Spectra<Real>& spectra_;
  const Tile<Real>& tile_;
  const typename simd::Ops::Of<Real>& ops_;
  std::int64_t n_timesteps_;
  std::int64_t strip_width_;
  AlignedBuffer<Real> signals_;
  AlignedBuffer<Real> overlaps_;    // the overlap of each channel with the next block
  AlignedBuffer<Real> part_, sum_;  // for a block whose input grows; allocated when needed
  std::vector<Channel<Real>> channels_;
  std::vector<DoubleDouble> numbers_;  // of all channels
  // The blocks of a synapse that are transformed together: one, or two.
  Block<Real> pair_[2];
  std::int64_t n_blocks_ = 0;
};

}  // namespace

template <typename Real>
void OverlapSave(const Kernel& kernel, const Tile<Real>& tile) {
  constexpr ElementType kType = kElementTypeOf<Real>;
  const BlockPlan blocks = ChooseBlocks(kernel, tile.end_step, kType);
  if (blocks.fft_length == 0) throw std::length_error("the window is too long for a transform");
  const std::shared_ptr<const FftPlan<Real>> plan =
      FftPlan<Real>::Of(blocks.fft_length, IsTransformedInPairs(blocks.fft_length, kType) ? 2 : 1);
  const std::shared_ptr<const Spectra<Real>> spectra =
      kernel.spectra<Real>().For(blocks, tile.cancelled);
  if (spectra == nullptr) return;
  BlockConvolution<Real>(kernel, blocks, *plan, *spectra, tile).Run();
}

template void OverlapSave<float>(const Kernel&, const Tile<float>&);
template void OverlapSave<double>(const Kernel&, const Tile<double>&);

}  // namespace expsyn
