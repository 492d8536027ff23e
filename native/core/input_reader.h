#ifndef EXPSYN_CORE_INPUT_READER_H_
#define EXPSYN_CORE_INPUT_READER_H_

#include <cstddef>
#include <cstdint>

#include "noise.h"
#include "raster.h"

namespace expsyn {

// Where a normal number of standard deviation `scale` is added at every step.
enum class NoisePlacement {
  kNone,
  kOutput,  // to the output; the state is free of it
  kState,   // to isyn after the decay, and remembered by it
  kInput,   // to the input, before the decay
};

struct Noise {
  NoisePlacement placement = NoisePlacement::kNone;
  double scale = 0;  // noise_std * sqrt(dt)
  std::uint64_t seed = 0;
  std::uint64_t step = 0;  // absolute number of the call's first step
};

// Reads what the synapses are driven with: the input converted to double, a single column repeated
// for every synapse, and the noise that acts like input (all of kInput, and of kState the part
// that is remembered: noise added to isyn after step t decays like an input of step t + 1).
class InputReader {
 public:
  InputReader(const Raster& raster, const Noise& noise)
      : raster_(raster), noise_(noise), field_(noise.seed) {}

  const Raster& raster() const { return raster_; }
  const Noise& noise() const { return noise_; }

  // Whether the synapses are driven by the raster as it stands, so that Read() only converts.
  bool is_plain() const {
    return raster_.n_columns != 1 && noise_.placement != NoisePlacement::kInput &&
           noise_.placement != NoisePlacement::kState;
  }

  // target[row * stride + column] = the drive at step `step + row` of synapse `synapse + column`.
  void Read(std::int64_t batch, std::int64_t step, std::int64_t n_rows, std::int64_t synapse,
            std::int64_t n_columns, double* target, std::ptrdiff_t stride) const;

  // target[...] += the noise that is added to the output (kOutput and kState), likewise. `target`
  // points at the row of `step`.
  template <typename Real>
  void AddOutputNoise(std::int64_t batch, std::int64_t step, std::int64_t n_rows,
                      std::int64_t synapse, std::int64_t n_columns, Real* target,
                      std::ptrdiff_t stride) const;

 private:
  template <typename Real>
  void AddNoise(std::int64_t batch, std::uint64_t absolute_step, std::int64_t n_rows,
                std::int64_t synapse, std::int64_t n_columns, Real* target,
                std::ptrdiff_t stride) const;

  Raster raster_;
  Noise noise_;
  NormalField field_;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_INPUT_READER_H_
