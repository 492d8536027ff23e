#include "fft_convolver.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

namespace expsyn {

namespace {

// Scratch of one tile of synapses, together with its output, stays within this many bytes.
constexpr std::int64_t kTileBytes = 512 * 1024;
constexpr std::int64_t kMaxTileWidth = 16;
// Rows of input converted at a time.
constexpr std::int64_t kStagedRows = 32;
// Values beyond this magnitude, or a block below its inverse, are scaled before the transform.
constexpr double kSafeMagnitude = 0x1p+40;

template <typename Real>
std::int64_t PaddedTo(std::int64_t length) {
  constexpr auto kPerLine = static_cast<std::int64_t>(kAlignment / sizeof(Real));
  return (length + kPerLine - 1) / kPerLine * kPerLine;
}

// One synapse's progress through the blocks.
struct Channel {
  static constexpr std::int64_t kNever = -1;

  double rest = 0;                   // the rolled-over state, isyn0 w[t], as of the last step
  std::int64_t rest_steps = 0;       // steps for which the window still holds it
  std::int64_t last_input = kNever;  // step of the last input that was not 0
  double last = 0;                   // the last current
  bool is_sound = true;              // no non-finite input so far
};

template <typename Real>
class BlockConvolution {
 public:
  BlockConvolution(const Window& window, const BlockPlan& blocks, const FftPlan<Real>& plan,
                   const Spectra<Real>& spectra, const Stretch<Real>& stretch)
      : window_(window),
        blocks_(blocks),
        plan_(plan),
        spectra_(spectra),
        stretch_(stretch),
        n_timesteps_(stretch.input.raster().n_timesteps),
        padded_(PaddedTo<Real>(blocks.fft_length)) {
    const std::int64_t per_synapse = 2 * padded_ * static_cast<std::int64_t>(sizeof(Real));
    tile_width_ = std::clamp<std::int64_t>(kTileBytes / per_synapse, 1,
                                           std::min(kMaxTileWidth, stretch.n_synapses));
    const auto tile_size =
        CheckedProduct(static_cast<std::size_t>(padded_), static_cast<std::size_t>(tile_width_));
    signal_ = AlignedBuffer<Real>(tile_size);
    result_ = AlignedBuffer<Real>(tile_size);
    scaled_ = AlignedBuffer<Real>(static_cast<std::size_t>(padded_));
    spectrum_ =
        AlignedBuffer<std::complex<Real>>(static_cast<std::size_t>(blocks.fft_length / 2 + 1));
  }

  void Run() {
    for (std::int64_t first = 0; first < stretch_.n_synapses; first += tile_width_) {
      if (!RunTile(first, std::min(tile_width_, stretch_.n_synapses - first))) return;
    }
  }

 private:
  // Steps that a block keeps from the one before it. An unlimited window hands on its state.
  std::int64_t Overlap() const {
    return window_.length() == Window::kUnlimited ? 0 : blocks_.kernel_length - 1;
  }

  bool RunTile(std::int64_t first, std::int64_t width) {
    for (std::int64_t c = 0; c < width; ++c) {
      Channel& channel = channels_[c];
      channel = Channel{};
      channel.rest = stretch_.state[first + c];
      channel.is_sound = std::isfinite(channel.rest);
      if (!channel.is_sound) channel.rest = 0;
      channel.rest_steps = window_.length();
    }
    std::fill_n(signal_.data(), padded_ * width, Real{0});
    for (std::int64_t step = 0; step < n_timesteps_; step += blocks_.hop) {
      const std::int64_t n_rows = std::min(blocks_.hop, n_timesteps_ - step);
      Gather(first, width, step, n_rows);
      for (std::int64_t c = 0; c < width; ++c) {
        if (stretch_.cancelled.load(std::memory_order_relaxed)) return false;
        Transform(first + c, signal_.data() + c * padded_, result_.data() + c * padded_);
        Finish(first + c, channels_[c], step, n_rows, signal_.data() + c * padded_ + Overlap(),
               result_.data() + c * padded_ + Overlap());
      }
      Scatter(first, width, step, n_rows);
    }
    for (std::int64_t c = 0; c < width; ++c) {
      stretch_.last[first + c] = static_cast<Real>(channels_[c].last);
      stretch_.is_sound[first + c] = channels_[c].is_sound;
    }
    return true;
  }

  // Moves each channel's last samples to the front of its signal and reads n_rows new ones behind
  // them; the rest of the block is 0.
  void Gather(std::int64_t first, std::int64_t width, std::int64_t step, std::int64_t n_rows) {
    const std::int64_t overlap = Overlap();
    for (std::int64_t c = 0; c < width; ++c) {
      Real* signal = signal_.data() + c * padded_;
      std::memmove(signal, signal + blocks_.hop, static_cast<std::size_t>(overlap) * sizeof(Real));
      std::fill(signal + overlap + n_rows, signal + blocks_.fft_length, Real{0});
    }
    alignas(64) double rows[kStagedRows * kMaxTileWidth];
    for (std::int64_t row = 0; row < n_rows; row += kStagedRows) {
      const std::int64_t count = std::min(kStagedRows, n_rows - row);
      stretch_.input.Read(stretch_.batch, step + row, count, stretch_.first_synapse + first, width,
                          rows, width);
      for (std::int64_t c = 0; c < width; ++c) {
        Real* target = signal_.data() + c * padded_ + overlap + row;
        for (std::int64_t i = 0; i < count; ++i) {
          const auto value = static_cast<Real>(rows[i * width + c]);
          if (!std::isfinite(value)) channels_[c].is_sound = false;
          target[i] = value;
        }
      }
    }
  }

  // result = the circular convolution of signal with the kernel of synapse `synapse`.
  void Transform(std::int64_t synapse, const Real* signal, Real* result) {
    const std::int64_t length = blocks_.fft_length;
    Real peak = 0;
    for (std::int64_t i = 0; i < length; ++i) peak = std::max(peak, std::abs(signal[i]));
    if (peak == 0) {
      std::fill_n(result, length, Real{0});
      return;
    }
    const bool is_scaled = peak > kSafeMagnitude || peak < 1 / kSafeMagnitude;
    Real up = 1;
    if (is_scaled && std::isfinite(peak)) {
      const int exponent = std::ilogb(peak);
      // Halves, because 2^-exponent itself may overflow.
      const auto down = static_cast<Real>(std::ldexp(1.0, -exponent / 2));
      const auto down_rest = static_cast<Real>(std::ldexp(1.0, -(exponent - exponent / 2)));
      for (std::int64_t i = 0; i < length; ++i) scaled_[i] = signal[i] * down * down_rest;
      signal = scaled_.data();
      up = std::ldexp(Real{1}, exponent);
    }
    plan_.Forward(signal, spectrum_.data());
    const std::int64_t kernel = window_.kernel_of(stretch_.first_synapse + synapse);
    MultiplyBy(spectra_.values.data() + kernel * spectra_.stride);
    plan_.Inverse(spectrum_.data(), result);
    if (up != 1) {
      for (std::int64_t i = 0; i < length; ++i) result[i] *= up;
    }
  }

  // Written out, because std::complex's product checks for infinities.
  void MultiplyBy(const std::complex<Real>* kernel) {
    auto* target = reinterpret_cast<Real*>(spectrum_.data());
    const auto* factor = reinterpret_cast<const Real*>(kernel);
    const std::int64_t size = blocks_.fft_length / 2 + 1;
    for (std::int64_t i = 0; i < size; ++i) {
      const Real real = target[2 * i] * factor[2 * i] - target[2 * i + 1] * factor[2 * i + 1];
      const Real imaginary = target[2 * i] * factor[2 * i + 1] + target[2 * i + 1] * factor[2 * i];
      target[2 * i] = real;
      target[2 * i + 1] = imaginary;
    }
  }

  // Turns a block's convolution into currents: exactly 0 where the window holds no input, plus
  // what is left of the state.
  void Finish(std::int64_t synapse, Channel& channel, std::int64_t step, std::int64_t n_rows,
              const Real* input, Real* result) const {
    const std::int64_t n = stretch_.first_synapse + synapse;
    const std::int64_t length = window_.length();
    std::int64_t last_input = channel.last_input;
    for (std::int64_t row = 0; row < n_rows; ++row) {
      if (input[row] != 0) last_input = step + row;
      const bool is_silent = last_input == Channel::kNever || step + row - last_input >= length;
      if (is_silent) result[row] = 0;
    }
    channel.last_input = last_input;

    channel.last = static_cast<double>(result[n_rows - 1]);
    const std::int64_t n_rest = channel.rest != 0 ? std::min(n_rows, channel.rest_steps) : 0;
    const double decay = window_.decay()[n];
    const double decay_low = window_.decay_low()[n];
    for (std::int64_t row = 0; row < n_rest; ++row) {
      channel.rest = channel.rest * decay + channel.rest * decay_low;
      const double isyn = static_cast<double>(result[row]) + channel.rest;
      result[row] = static_cast<Real>(isyn);
      if (row == n_rows - 1) channel.last = isyn;
    }
    if (!std::isfinite(channel.last)) channel.is_sound = false;
    if (window_.length() == Window::kUnlimited) {
      channel.rest = channel.last;
      channel.last_input = Channel::kNever;
    } else {
      channel.rest_steps -= n_rest;
      if (channel.rest_steps == 0) channel.rest = 0;
    }
  }

  void Scatter(std::int64_t first, std::int64_t width, std::int64_t step, std::int64_t n_rows) {
    const Real* result = result_.data() + Overlap();
    for (std::int64_t row = 0; row < n_rows; ++row) {
      Real* target = stretch_.output + (step + row) * stretch_.row_stride + first;
      for (std::int64_t c = 0; c < width; ++c) target[c] = result[c * padded_ + row];
    }
  }

  const Window& window_;
  const BlockPlan& blocks_;
  const FftPlan<Real>& plan_;
  const Spectra<Real>& spectra_;
  const Stretch<Real>& stretch_;
  std::int64_t n_timesteps_;
  std::int64_t padded_;
  std::int64_t tile_width_;
  AlignedBuffer<Real> signal_, result_, scaled_;
  AlignedBuffer<std::complex<Real>> spectrum_;
  Channel channels_[kMaxTileWidth];
};

}  // namespace

template <typename Real>
void FftConvolver<Real>::Convolve(const Stretch<Real>& stretch) const {
  const BlockPlan blocks = ChooseBlocks(stretch.input.raster().n_timesteps, window_.length());
  if (blocks.fft_length == 0) throw std::length_error("the window is too long for a transform");
  const std::shared_ptr<const FftPlan<Real>> plan = FftPlan<Real>::OfLength(blocks.fft_length);
  const std::shared_ptr<const Spectra<Real>> spectra =
      SpectraFor(blocks, *FftPlan<double>::OfLength(blocks.fft_length), stretch.cancelled);
  if (spectra == nullptr) return;
  BlockConvolution<Real>(window_, blocks, *plan, *spectra, stretch).Run();
}

template <typename Real>
std::shared_ptr<const Spectra<Real>> FftConvolver<Real>::SpectraFor(
    const BlockPlan& blocks, const FftPlan<double>& plan,
    const std::atomic<bool>& cancelled) const {
  const std::lock_guard<std::mutex> guard(lock_);
  std::shared_ptr<const Spectra<Real>>& entry = spectra_[blocks.fft_length];
  if (entry != nullptr) return entry;
  const std::int64_t size = blocks.fft_length / 2 + 1;
  auto spectra = std::make_shared<Spectra<Real>>();
  spectra->stride = size;
  spectra->values = AlignedBuffer<std::complex<Real>>(CheckedProduct(
      static_cast<std::size_t>(size), static_cast<std::size_t>(window_.n_kernels())));
  AlignedBuffer<double> samples(static_cast<std::size_t>(blocks.fft_length));
  AlignedBuffer<std::complex<double>> spectrum(static_cast<std::size_t>(size));
  const double norm = 1.0 / static_cast<double>(blocks.fft_length);
  for (std::int64_t kernel = 0; kernel < window_.n_kernels(); ++kernel) {
    if (cancelled.load(std::memory_order_relaxed)) return nullptr;
    for (std::int64_t k = 0; k < blocks.kernel_length; ++k) {
      samples[static_cast<std::size_t>(k)] = window_.Sample(kernel, k) * norm;
    }
    // The transform runs in double for both precisions: it is made once and used for every block.
    plan.Forward(samples.data(), spectrum.data());
    std::complex<Real>* target = spectra->values.data() + kernel * size;
    for (std::int64_t i = 0; i < size; ++i) {
      target[i] = static_cast<std::complex<Real>>(spectrum[static_cast<std::size_t>(i)]);
    }
  }
  entry = std::move(spectra);
  return entry;
}

template class FftConvolver<float>;
template class FftConvolver<double>;

}  // namespace expsyn
