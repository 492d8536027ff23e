#ifndef EXPSYN_CORE_INPUT_READER_H_
#define EXPSYN_CORE_INPUT_READER_H_

#include <cstdint>

#include "raster.h"
#include "simd/ops.h"

namespace expsyn {

// Where a normal number of standard deviation `scale` is added at every step.
enum class NoisePlacement {
  kNone,
  kOutput,  // to the output; the state is free of it
  kState,   // to the current after the step; the state remembers it
  kInput,   // to the input
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

// Reads the drive of one item's synapses: the input, converted to Real, with a single column
// repeated for every synapse, plus the noise that acts like input. That is all noise of kInput, and
// the noise of kState as later steps remember it: noise that is added to the current after step t
// acts on later steps like an input of step t + 1.
class InputReader {
 public:
  // The raster has one item.
  InputReader(const Raster& raster, const Noise& noise) : raster_(raster), noise_(noise) {}

  const Raster& raster() const { return raster_; }
  const Noise& noise() const { return noise_; }

  // Whether the drive can be read where it is, in the memory of the raster: without noise, and not
  // given by events.
  bool IsInMemory() const { return raster_.events == nullptr && !is_drive_noisy(); }
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
            Real* target, std::int64_t stride) const;

  // A pointer to the drive of `synapse` at `step` if the rows of the raster can be used in place,
  // else null.
  template <typename Real>
  const Real* RowsInPlace(std::int64_t step, std::int64_t synapse) const {
    const bool is_other_type = raster_.type != kElementTypeOf<Real>;
    const bool is_aligned = reinterpret_cast<std::uintptr_t>(raster_.data) % alignof(Real) == 0;
    if (!IsInMemory() || raster_.n_columns == 1 || is_other_type || !is_aligned) return nullptr;
    return static_cast<const Real*>(raster_.data) + raster_.IndexOf(0, step, synapse);
  }

  // The same as Read() without any noise.
  template <typename Real>
  void ReadRaster(std::int64_t step, std::int64_t n_rows, std::int64_t synapse,
                  std::int64_t n_columns, Real* target, std::int64_t stride) const;

  // The place of the noise of n_rows steps, from step `step` of this call on.
  simd::NormalPlaces PlacesOf(std::int64_t step, std::int64_t n_rows, std::int64_t synapse,
                              std::int64_t n_columns, std::int64_t stride) const;

  // target[row * stride + column] += the noise, whatever its placement.
  template <typename Real>
  void AddNoise(std::int64_t step, std::int64_t n_rows, std::int64_t synapse,
                std::int64_t n_columns, Real* target, std::int64_t stride) const;

  // The same for noise that is added to the output (kOutput and kState); nothing for other noise.
  template <typename Real>
  void AddOutputNoise(std::int64_t step, std::int64_t n_rows, std::int64_t synapse,
                      std::int64_t n_columns, Real* target, std::int64_t stride) const;

 private:
  Raster raster_;
  Noise noise_;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_INPUT_READER_H_
