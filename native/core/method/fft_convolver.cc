#include "method/fft_convolver.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kernel/held_non_finite.h"
#include "simd/ops.h"

namespace expsyn {

namespace {

// Rows converted at a time.
constexpr std::int64_t kStagedRows = 32;
// Values beyond this magnitude, or a block below its inverse, are scaled before the transform.
constexpr double kSafeMagnitude = 0x1p+40;

// Kernels whose first sample is below this are scaled before they are transformed.
constexpr double kSmallKernel = 0x1p-24;

// By how much the running peak of an input may grow within one transform: the errors of what comes
// before are relative to the peak of the whole transform.
template <typename Real>
constexpr Real kMostGrowth = sizeof(Real) == sizeof(float) ? 16 : 256;

// The distance of two signals of this length: whole cache lines, and one more where they would
// otherwise all start at the same place of the caches.
template <typename Real>
std::int64_t SignalStride(std::int64_t length) {
  constexpr auto kPerLine = static_cast<std::int64_t>(kAlignment / sizeof(Real));
  return ((length + kPerLine - 1) / kPerLine + 1) * kPerLine;
}

// One synapse's progress through the blocks.
template <typename Real>
struct Channel {
  explicit Channel(std::int64_t length) : held(length) {}

  DoubleDouble rollover;            // what is left of the state, isyn0 w[t], as of the last step
  std::int64_t rollover_steps = 0;  // steps for which the window still holds it
  DoubleDouble last;                // the last current
  Real last_shown = 0;              // as the output has it
  Real peak = 0;                    // of the input so far
  HeldNonFinite held;
  Finding finding = Finding::kFinite;
};

template <typename Real>
class BlockConvolution {
 public:
  BlockConvolution(const Window& window, const BlockPlan& blocks, const FftPlan<Real>& plan,
                   const Spectra<Real>& spectra, const Tile<Real>& tile)
      : window_(window),
        blocks_(blocks),
        plan_(plan),
        spectra_(spectra),
        tile_(tile),
        kernels_(simd::OpsOf<Real>()),
        n_timesteps_(tile.input.raster().n_timesteps),
        padded_(SignalStride<Real>(blocks.fft_length)),
        channels_(static_cast<std::size_t>(tile.n_synapses), Channel<Real>(window.length())) {
    tile_width_ = std::min(static_cast<std::int64_t>(kAlignment / sizeof(Real)), tile.n_synapses);
    signals_ = AlignedBuffer<Real>(
        CheckedProduct(static_cast<std::size_t>(padded_), static_cast<std::size_t>(tile_width_)));
    kept_ = AlignedBuffer<Real>(CheckedProduct(static_cast<std::size_t>(Overlap()),
                                               static_cast<std::size_t>(tile.n_synapses)));
    spectrum_ =
        AlignedBuffer<std::complex<Real>>(static_cast<std::size_t>(blocks.fft_length / 2 + 1));
  }

  // Block after block, and in a block tile after tile of as many synapses as a cache line holds:
  // every line of the raster is read once, and the signals of a tile stay in the cache.
  void Run() {
    for (std::int64_t c = 0; c < tile_.n_synapses; ++c) {
      Channel<Real>& channel = ChannelOf(c);
      channel.rollover_steps = window_.length();
      if (std::isfinite(tile_.state.isyn[c])) {
        channel.rollover = tile_.state[c];
      } else {
        channel.held.Take(tile_.state.isyn[c], 0);
        channel.finding = Finding::kNonFinite;
      }
    }
    for (std::int64_t step = 0; step < n_timesteps_; step += blocks_.hop) {
      const std::int64_t n_rows = std::min(blocks_.hop, n_timesteps_ - step);
      for (std::int64_t first = 0; first < tile_.n_synapses; first += tile_width_) {
        const std::int64_t width = std::min(tile_width_, tile_.n_synapses - first);
        TransposeIn(first, width, step, n_rows);
        for (std::int64_t c = 0; c < width; ++c) {
          if (tile_.cancelled.load(std::memory_order_relaxed)) return;
          PrefetchNext(first, width, step, n_rows, c);
          RunBlock(first + c, SignalOf(c), step, n_rows);
        }
        TransposeOut(first, width, step, n_rows);
      }
    }
    for (std::int64_t c = 0; c < tile_.n_synapses; ++c) {
      const Channel<Real>& channel = ChannelOf(c);
      tile_.next_state.Set(c, static_cast<double>(channel.last_shown), channel.last);
      const bool is_tiny = window_.template IsDecayTiny<Real>(tile_.first_synapse + c);
      tile_.findings[c] = is_tiny ? Finding::kRecompute : channel.finding;
    }
  }

 private:
  // Steps that a block keeps from the one before it. An unlimited window hands on its state.
  std::int64_t Overlap() const {
    return window_.length() == Window::kUnlimited ? 0 : blocks_.kernel_length - 1;
  }

  Channel<Real>& ChannelOf(std::int64_t synapse) {
    return channels_[static_cast<std::size_t>(synapse)];
  }
  Real* SignalOf(std::int64_t column) { return signals_.data() + column * padded_; }

  Real* KeptOf(std::int64_t synapse) { return kept_.data() + synapse * Overlap(); }

  // Puts behind each channel's kept samples n_rows new ones, then keeps the last for the next
  // block. The remainder of the block is 0.
  void TransposeIn(std::int64_t first, std::int64_t width, std::int64_t step, std::int64_t n_rows) {
    const std::int64_t overlap = Overlap();
    const InputReader& input = tile_.input;
    if (const Real* rows =
            input.RowsInPlace<Real>(tile_.batch, step, tile_.first_synapse + first)) {
      kernels_.transpose(rows, input.raster().n_columns, n_rows, width, signals_.data() + overlap,
                         padded_);
    } else {
      alignas(64) Real staged[kStagedRows * kFftWidth];
      for (std::int64_t row = 0; row < n_rows; row += kStagedRows) {
        const std::int64_t count = std::min(kStagedRows, n_rows - row);
        input.Read(tile_.batch, step + row, count, tile_.first_synapse + first, width, staged,
                   width);
        kernels_.transpose(staged, width, count, width, signals_.data() + overlap + row, padded_);
      }
    }
    for (std::int64_t c = 0; c < width; ++c) {
      Real* signal = SignalOf(c);
      Real* kept = KeptOf(first + c);
      std::copy_n(kept, overlap, signal);
      std::copy_n(signal + n_rows, overlap, kept);
      std::fill(signal + overlap + n_rows, signal + blocks_.fft_length, Real{0});
    }
  }

  // Asks for a share of the rows that the next tile reads: their lines are too far apart for the
  // caches' own prefetching.
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
    // And of the rows that this tile will write.
    const std::int64_t row_end = n_rows * (column + 1) / width;
    const Real* output = tile_.output + this_step * tile_.row_stride + this_first + width - 1;
    for (std::int64_t row = n_rows * column / width; row < row_end; ++row) {
      __builtin_prefetch(output + row * tile_.row_stride, 1);
    }
    // The line of a row's last element: where tiles straddle two lines, the tile before has read
    // the other.
    const std::int64_t last = std::min(first + tile_width_, tile_.n_synapses) - 1;
    tile_.input.Prefetch(tile_.batch, step + n_next * column / width,
                         n_next * (column + 1) / width - n_next * column / width,
                         tile_.first_synapse + last);
  }

  // Turns the signal of one channel into its currents.
  void RunBlock(std::int64_t synapse, Real* signal, std::int64_t step, std::int64_t n_rows) {
    Channel<Real>& channel = ChannelOf(synapse);
    Real peak = kernels_.peak(signal, blocks_.fft_length);
    non_finite_.clear();
    if (!std::isfinite(peak)) {
      TakeOutNonFinite(synapse, signal, n_rows);
      peak = kernels_.peak(signal, blocks_.fft_length);
    }
    FindSilence(signal, n_rows);
    if (peak != 0) Convolve(synapse, signal, n_rows, peak);
    channel.peak = std::max(channel.peak, peak);
    Finish(synapse, channel, n_rows, signal + Overlap());
    PutBackNonFinite(channel, step, n_rows, signal + Overlap());
  }

  // The transforms would spread a value that is not finite over its whole block.
  void TakeOutNonFinite(std::int64_t synapse, Real* signal, std::int64_t n_rows) {
    const std::int64_t overlap = Overlap();
    for (std::int64_t row = 0; row < n_rows; ++row) {
      Real& value = signal[overlap + row];
      if (std::isfinite(value)) continue;
      non_finite_.emplace_back(row, value);
      value = 0;
    }
    std::copy_n(signal + n_rows, overlap, KeptOf(synapse));
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
    channel.last_shown = result[n_rows - 1];
  }

  // signal <- its circular convolution with the kernel of synapse `synapse`, where rows are
  // concerned. What comes before a large value keeps its digits: the errors of a transform are
  // relative to its peak, so an input that grows beyond all that came before is transformed
  // separately from it, and adds to nothing before itself.
  void Convolve(std::int64_t synapse, Real* signal, std::int64_t n_rows, Real peak) {
    const std::int64_t overlap = Overlap();
    const std::int64_t end = overlap + n_rows;
    Real running_peak = ChannelOf(synapse).peak;
    std::int64_t first = 0;
    if (!(peak <= kMostGrowth<Real> * running_peak)) {
      first = kernels_.find_first(signal, 0, end);
      running_peak = std::max(running_peak, std::abs(signal[first]));
    }
    if (peak <= kMostGrowth<Real> * running_peak) {
      Transform(synapse, signal, peak);
      return;
    }
    if (part_.size() == 0) {
      part_ = AlignedBuffer<Real>(static_cast<std::size_t>(padded_));
      sum_ = AlignedBuffer<Real>(static_cast<std::size_t>(padded_));
    }
    std::fill_n(sum_.data(), blocks_.fft_length, Real{0});
    while (first < end) {
      std::int64_t next = first;
      running_peak = std::max(running_peak, std::abs(signal[first]));
      while (next < end && std::abs(signal[next]) <= kMostGrowth<Real> * running_peak) ++next;
      std::fill_n(part_.data(), blocks_.fft_length, Real{0});
      std::copy(signal + first, signal + next, part_.data() + first);
      Transform(synapse, part_.data(), kernels_.peak(part_.data(), blocks_.fft_length));
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
    kernels_.multiply_spectra(
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

  // Turns a block's convolution into currents: exactly 0 where the window holds no input, plus
  // what is left of the state.
  void Finish(std::int64_t synapse, Channel<Real>& channel, std::int64_t n_rows,
              Real* result) const {
    const std::int64_t n = tile_.first_synapse + synapse;
    for (const auto& [begin, end] : silent_) std::fill(result + begin, result + end, Real{0});
    const auto own_last = static_cast<double>(result[n_rows - 1]);
    RollOver(n, channel, n_rows, result);
    channel.last = channel.rollover + own_last;
    channel.last_shown = result[n_rows - 1];
    if (!std::isfinite(channel.last.high) || !std::isfinite(channel.last_shown)) {
      channel.finding = Finding::kRecompute;
    }
    // A kernel that is not cut hands its last current to the next block.
    if (window_.length() == Window::kUnlimited) channel.rollover = channel.last;
  }

  // Adds what is left of the state to n_rows rows, and moves it on. In plain arithmetic for some
  // steps only: the rounding errors of one step would add up over tau.
  void RollOver(std::int64_t n, Channel<Real>& channel, std::int64_t n_rows, Real* result) const {
    constexpr std::int64_t kInterval = simd::kRestartInterval<double>;
    if (channel.rollover.high == 0) return;
    const auto& factors = window_.template factors<double>();
    const DoubleDouble over_interval{factors.restart_decay[n], factors.restart_decay_low[n]};
    const double decay = factors.decay[n];
    const std::int64_t n_held = std::min(n_rows, channel.rollover_steps);
    DoubleDouble carried = channel.rollover;
    for (std::int64_t first = 0; first < n_held; first += kInterval) {
      const std::int64_t end = std::min(first + kInterval, n_held);
      double rollover = carried.high;
      for (std::int64_t row = first; row < end; ++row) {
        rollover *= decay;
        result[row] = static_cast<Real>(static_cast<double>(result[row]) + rollover);
      }
      carried = carried * over_interval;
    }
    if (window_.length() != Window::kUnlimited) channel.rollover_steps -= n_held;
    channel.rollover =
        n_held < n_rows ? DoubleDouble{} : channel.rollover * window_.DecayOver(n, n_rows);
  }

  // Finds the runs of rows of the block whose window holds no input.
  void FindSilence(const Real* signal, std::int64_t n_rows) {
    silent_.clear();
    const std::int64_t overlap = Overlap();
    const std::int64_t end = overlap + n_rows;
    const auto add = [&](std::int64_t first, std::int64_t next) {
      if (next > overlap)
        silent_.emplace_back(std::max<std::int64_t>(first - overlap, 0), next - overlap);
    };
    std::int64_t input = kernels_.find_first(signal, 0, end);
    add(0, input < 0 ? end : input);
    // While its last input is at `input`, the window holds it to row input + length - 1.
    while (input >= 0 && window_.length() < end - input) {
      const std::int64_t left = input + window_.length();
      const std::int64_t later = kernels_.find_last(signal, input + 1, left + 1);
      if (later >= 0) {
        input = later;
        continue;
      }
      input = kernels_.find_first(signal, left + 1, end);
      add(left, input < 0 ? end : input);
    }
  }

  void TransposeOut(std::int64_t first, std::int64_t width, std::int64_t step,
                    std::int64_t n_rows) {
    Real* target = tile_.output + step * tile_.row_stride + first;
    kernels_.transpose(signals_.data() + Overlap(), padded_, width, n_rows, target,
                       tile_.row_stride);
    tile_.input.AddOutputNoise(tile_.batch, step, n_rows, tile_.first_synapse + first, width,
                               target, tile_.row_stride);
  }

  const Window& window_;
  const BlockPlan& blocks_;
  const FftPlan<Real>& plan_;
  const Spectra<Real>& spectra_;
  const Tile<Real>& tile_;
  const typename simd::Ops::Of<Real>& kernels_;
  std::int64_t n_timesteps_;
  std::int64_t padded_;
  std::int64_t tile_width_;
  AlignedBuffer<Real> signals_;
  AlignedBuffer<Real> kept_;  // the overlap of each channel with the next block
  AlignedBuffer<std::complex<Real>> spectrum_;
  AlignedBuffer<Real> part_, sum_;  // of a block whose input grows much; made when needed
  std::vector<Channel<Real>> channels_;
  // The rows of a block's input that are not finite, and their values.
  std::vector<std::pair<std::int64_t, Real>> non_finite_;
  // The runs of a block's rows, begin and end, whose window holds no input.
  std::vector<std::pair<std::int64_t, std::int64_t>> silent_;
};

}  // namespace

template <typename Real>
void FftConvolver<Real>::Convolve(const Tile<Real>& tile) const {
  const BlockPlan blocks = ChooseBlocks(tile.input.raster().n_timesteps, window_.length());
  if (blocks.fft_length == 0) throw std::length_error("the window is too long for a transform");
  const std::shared_ptr<const FftPlan<Real>> plan = FftPlan<Real>::OfLength(blocks.fft_length);
  const std::shared_ptr<const Spectra<Real>> spectra =
      SpectraFor(blocks, *FftPlan<double>::OfLength(blocks.fft_length), tile.cancelled);
  if (spectra == nullptr) return;
  BlockConvolution<Real>(window_, blocks, *plan, *spectra, tile).Run();
}

template <typename Real>
std::shared_ptr<const Spectra<Real>> FftConvolver<Real>::SpectraFor(
    const BlockPlan& blocks, const FftPlan<double>& plan,
    const std::atomic<bool>& cancelled) const {
  const std::lock_guard<std::mutex> guard(lock_);
  std::shared_ptr<const Spectra<Real>>& entry = spectra_[blocks.fft_length];
  if (entry != nullptr) return entry;
  if (kernel_of_.empty()) FindKernels();
  const std::int64_t size = blocks.fft_length / 2 + 1;
  auto spectra = std::make_shared<Spectra<Real>>();
  spectra->stride = size;
  spectra->values = AlignedBuffer<std::complex<Real>>(
      CheckedProduct(static_cast<std::size_t>(size), first_with_.size()));
  spectra->kernel_of = kernel_of_.data();
  spectra->exponents.resize(first_with_.size());
  AlignedBuffer<double> samples(static_cast<std::size_t>(blocks.fft_length));
  AlignedBuffer<std::complex<double>> spectrum(static_cast<std::size_t>(size));
  const double norm = 1.0 / static_cast<double>(blocks.fft_length);
  for (std::size_t kernel = 0; kernel < first_with_.size(); ++kernel) {
    if (cancelled.load(std::memory_order_relaxed)) return nullptr;
    const double largest = window_.Sample(first_with_[kernel], 0);
    const int exponent = largest > 0 && largest < kSmallKernel ? std::ilogb(largest) : 0;
    spectra->exponents[kernel] = exponent;
    for (std::int64_t k = 0; k < blocks.kernel_length; ++k) {
      const double sample = window_.Sample(first_with_[kernel], k);
      samples[static_cast<std::size_t>(k)] =
          (exponent == 0 ? sample : std::ldexp(sample, -exponent)) * norm;
    }
    // The transform runs in double for both precisions: it is made once and used for every block.
    plan.Forward(samples.data(), spectrum.data());
    std::complex<Real>* target = spectra->values.data() + kernel * spectra->stride;
    for (std::int64_t i = 0; i < size; ++i) {
      target[i] = static_cast<std::complex<Real>>(spectrum[static_cast<std::size_t>(i)]);
    }
  }
  entry = std::move(spectra);
  size_in_bytes_ += entry->values.size() * sizeof(std::complex<Real>);
  return entry;
}

template <typename Real>
void FftConvolver<Real>::FindKernels() const {
  std::unordered_map<double, std::int32_t> kernels;
  std::vector<std::int64_t> first_with;
  std::vector<std::int32_t> kernel_of;
  for (std::int64_t n = 0; n < window_.n_synapses(); ++n) {
    const auto [entry, is_new] =
        kernels.try_emplace(window_.tau()[n], static_cast<std::int32_t>(first_with.size()));
    kernel_of.push_back(entry->second);
    if (is_new) first_with.push_back(n);
  }
  first_with_ = std::move(first_with);
  kernel_of_ = std::move(kernel_of);
}

template class FftConvolver<float>;
template class FftConvolver<double>;

}  // namespace expsyn
