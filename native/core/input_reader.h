#ifndef EXPSYN_CORE_INPUT_READER_H_
#define EXPSYN_CORE_INPUT_READER_H_

#include <cstddef>
#include <cstdint>

#include "raster.h"
#include "simd/ops.h"

namespace expsyn {

// Where a normal number of standard deviation `scale` is added at every step.
enum class NoisePlacement {
  kNone,
  kOutput,  // to the output; the state is free of it
  kState,   // to the current after the decay, and remembered by it
  kInput,   // to the input, before the decay
};

// The noise of one item.
struct Noise {
  NoisePlacement placement = NoisePlacement::kNone;
  double scale = 0;  // noise_std * sqrt(dt)
  std::uint64_t seed = 0;
  std::uint64_t step = 0;  // absolute number of the call's first step
  // The place of the item and of its first synapse in the raster that the call is a part of.
  std::int64_t batch = 0;
  std::int64_t first_synapse = 0;  // a multiple of 4
};

// Reads what the synapses of one item are driven with: the input converted to Real, a single column
// repeated for every synapse, and the noise that acts like input (all of kInput, and of kState the
// part that is remembered: noise that is added to the current after step t acts like an input of
// step t + 1).
class InputReader {
 public:
  // The raster has one item.
  InputReader(const Raster& raster, const Noise& noise) : raster_(raster), noise_(noise) {}

  const Raster& raster() const { return raster_; }
  const Noise& noise() const { return noise_; }

  // Whether noise acts like input.
  bool is_drive_noisy() const {
    return noise_.placement == NoisePlacement::kInput || noise_.placement == NoisePlacement::kState;
  }
  // Whether noise is added to the output.
  bool is_output_noisy() const {
    return noise_.placement == NoisePlacement::kOutput ||
           noise_.placement == NoisePlacement::kState;
  }

  // target[row * stride + column] = the drive at step `step + row` of synapse `synapse + column`.
  template <typename Real>
  void Read(std::int64_t step, std::int64_t n_rows, std::int64_t synapse, std::int64_t n_columns,
            Real* target, std::ptrdiff_t stride) const;

  // Where the drive of `synapse` at `step` stands in the raster, if rows from there on can be used
  // as they are, else null.
  template <typename Real>
  const Real* RowsInPlace(std::int64_t step, std::int64_t synapse) const {
    const bool is_other_type = raster_.type != kElementTypeOf<Real>;
    const bool is_aligned = reinterpret_cast<std::uintptr_t>(raster_.data) % alignof(Real) == 0;
    if (is_drive_noisy() || raster_.n_columns == 1 || is_other_type || !is_aligned) return nullptr;
    return static_cast<const Real*>(raster_.data) + raster_.IndexOf(0, step, synapse);
  }

  // Brings n_rows rows from `synapse` on to the cache, a line of each.
  void Prefetch(std::int64_t step, std::int64_t n_rows, std::int64_t synapse) const;

  // The same as Read() without any noise.
  template <typename Real>
  void ReadRaster(std::int64_t step, std::int64_t n_rows, std::int64_t synapse,
                  std::int64_t n_columns, Real* target, std::ptrdiff_t stride) const;

  // The noise of n_rows steps, of which the first is `step` in this call.
  simd::NormalPlaces PlacesOf(std::int64_t step, std::int64_t n_rows, std::int64_t synapse,
                              std::int64_t n_columns, std::ptrdiff_t stride) const;

  // target[...] += the noise of the steps, likewise.
  template <typename Real>
  void AddNoise(std::int64_t step, std::int64_t n_rows, std::int64_t synapse,
                std::int64_t n_columns, Real* target, std::ptrdiff_t stride) const;

  // target[...] += the noise that is added to the output (kOutput and kState), likewise. `target`
  // points at the row of `step`.
  template <typename Real>
  void AddOutputNoise(std::int64_t step, std::int64_t n_rows, std::int64_t synapse,
                      std::int64_t n_columns, Real* target, std::ptrdiff_t stride) const;

 private:
  Raster raster_;
  Noise noise_;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_INPUT_READER_H_
