#ifndef EXPSYN_CORE_SIMD_OPS_H_
#define EXPSYN_CORE_SIMD_OPS_H_

#include <cstddef>
#include <cstdint>

#include "raster.h"

namespace expsyn::simd {

// Steps over which the recursion runs in plain arithmetic before its state is refreshed in
// arithmetic of twice the precision; bounds the rounding error of any run at about this many ulps
// of what the absolute values of the input would give.
template <typename Real>
inline constexpr std::int64_t kRestartInterval = sizeof(Real) == sizeof(float) ? 16 : 64;

// The most columns of RecursionRows.
inline constexpr std::int64_t kMaxColumns = 1024;

// Some rows of the recursion over neighbouring synapses:
//
//   drive = input - tail_weight * delayed;  isyn = (isyn + drive) * decay;  output = isyn
//
// and the same for `local`. Arrays without a stride hold one value a synapse.
template <typename Real>
struct RecursionRows {
  std::int64_t n_rows;
  std::int64_t n_columns;
  ElementType type;             // of input and delayed
  const void* input;            // may be unaligned, as all arrays here
  const void* delayed;          // the input one window earlier, or null before that
  bool is_repeated;             // whether a row has one column that all synapses receive
  std::ptrdiff_t input_stride;  // elements from a row to the next, also of `delayed`
  Real* output;
  std::ptrdiff_t output_stride;
  bool is_streamed;  // whether the output goes past the caches, being too large for them
  const Real* decay;
  const Real* tail_weight;
  Real* isyn;   // before the rows, then after them
  Real* local;  // likewise
};

// What the recursion knows of its sums after kRestartInterval<Real> rows, one value a synapse.
template <typename Real>
struct RecursionCarry {
  std::int64_t n_columns;
  // The decay to the power of kRestartInterval<Real>, and the sum up to the last restart, both in
  // twice the precision of Real: as double, for double with a second one that holds the low part.
  const double* restart_decay;
  const double* restart_decay_low;
  double* carried;
  double* carried_low;
  Real* isyn;
  Real* local;
  Real* fault;  // becomes NaN where a sum is not finite
};

// The end of some rows of the recursion, or a point where it is cut: one value a synapse.
template <typename Real>
struct RecursionEnd {
  std::int64_t n_columns;
  std::int64_t n_rows;         // since the sum was carried, at most kRestartInterval<Real>
  const double* decay_offset;  // see Window
  const double* carried;       // the sum up to there, in two parts
  const double* carried_low;
  const Real* isyn;
  const Real* local;
  double* next_isyn;
  double* next_correction;
};

// A call of fewer rows than kRestartInterval<Real>, of which nothing leaves: from the state isyn +
// correction to the next one, which may take its place. Other members as in RecursionRows.
template <typename Real>
struct FewRows {
  std::int64_t n_rows;
  std::int64_t n_columns;
  ElementType type;
  const void* input;
  bool is_repeated;
  std::ptrdiff_t input_stride;
  Real* output;
  std::ptrdiff_t output_stride;
  const Real* decay;
  const double* decay_offset;
  const double* isyn;
  const double* correction;
  double* next_isyn;
  double* next_correction;
};

// A tile of steps of few synapses, row-major and without gaps, cut into n_chunks chunks of
// chunk_length rows that run side by side. n_chunks is 16 or 4.
template <typename Real>
struct RecursionChunks {
  std::int64_t n_chunks;
  std::int64_t chunk_length;
  std::int64_t n_synapses;
  const Real* decay;       // one value a synapse
  const void* next_input;  // what the next tile reads is brought to the cache; may be anywhere
};

// Some places of a field of independent standard normal numbers zeta(batch, synapse, step) that are
// all defined by `seed` alone: each is computed from its place, so they do not depend on the order
// or the grouping in which they are asked for.
//
// The Philox4x32-10 block (Salmon, Moraes, Dror and Shaw, SC11, 2011) with key = seed and
// counter = (step (64 bits), synapse / 4, batch) gives the numbers of four neighbouring synapses, a
// pair from two of its words each, by Box and Muller (1958): sqrt(-2 log u) times the cosine and
// the sine of an angle. In double precision u has 40 bits, the first word and the high 8 of the
// second, and the angle the other 24; in single precision u has the high 31 bits of the first word,
// and the angle the 32 of the second.
struct NormalPlaces {
  std::uint64_t seed;
  std::uint32_t batch;
  std::uint64_t step;
  std::int64_t n_rows;  // steps
  std::uint32_t synapse;
  std::int64_t n_columns;
  double scale;
  std::ptrdiff_t stride;  // elements of the target from a row to the next
  bool is_streamed;       // whether the target goes past the caches, where its rows allow it
  // What is brought to the cache meanwhile; may be anywhere.
  const void* ahead;
  std::int64_t ahead_bytes;
};

// The arrays of a Window, one value a synapse, for fill_window.
struct WindowArrays {
  double* decay;
  double* decay_low;
  double* decay_offset;
  double* tail_weight;
  double* tail_weight_low;
  float* decay32;
  float* tail_weight32;
  double* restart_decay32;  // decay to the power of kRestartInterval<float>
  double* restart_decay64;  // and of kRestartInterval<double>
  double* restart_decay64_low;
};

// The loops in which the time is spent, compiled once for each instruction set. Element by element
// they do the same operations in the same order, without fused multiply-adds, so that every set
// gives the same bits.
struct Ops {
  template <typename Real>
  struct Of {
    // target[i] = element first + i of an array of any type.
    void (*convert)(ElementType type, const void* source, std::int64_t first, std::int64_t size,
                    Real* target);
    void (*advance_rows)(const RecursionRows<Real>& rows);
    // The same for a whole call of few rows. Returns whether its sums are finite; otherwise the
    // state is as it was.
    bool (*advance_few)(const FewRows<Real>& rows);
    // next_isyn + next_correction = carried * decay^n_rows + local, with next_isyn = isyn. The
    // error is that of one rounding of what n_rows steps forget of the sum, and of `local`, so it
    // does not grow with the number of such ends.
    void (*finish_rows)(const RecursionEnd<Real>& end);
    // target[i] = source[i], past the caches where the target's alignment allows it.
    void (*copy_past_caches)(const Real* source, std::int64_t size, Real* target);
    // carried = carried * restart_decay + local; then isyn = carried, and local = 0.
    void (*carry_over)(const RecursionCarry<Real>& carry);
    // The same for one chunk after the other: states[chunk * n_columns + c] is the chunk's local
    // sum, and becomes isyn before the chunk.
    void (*carry_over_chunks)(const RecursionCarry<Real>& carry, std::int64_t n_chunks,
                              Real* states);
    // drive[i] = input[i] - tail_weight[i mod n_columns] delayed[i], for at most 7 columns without
    // gaps between the rows and a multiple of 64 rows; only input, delayed and tail_weight are
    // used.
    void (*drive)(const RecursionRows<Real>& rows, Real* drive);
    // Runs the recursion over each chunk's drive, from and to states[chunk * n_synapses + n].
    void (*sum_chunks)(const RecursionChunks<Real>& chunks, const Real* drive, Real* states);
    // The same; the state after drive[i] takes its place.
    void (*run_chunks)(const RecursionChunks<Real>& chunks, Real* drive, Real* states);
    // target[row * stride + column] = base[row * stride + column] +
    //     scale * zeta(batch, synapse + column, step + row); the base may be the target.
    void (*add_normals)(const NormalPlaces& places, const Real* base, Real* target);
    // target[i] = base[i] + source[i], past the caches where that is wanted; the base may be the
    // target.
    void (*add)(const Real* base, const Real* source, std::int64_t size, Real* target,
                bool is_streamed);
    // spectrum[i] *= kernel[i], both complex, interleaved.
    void (*multiply_spectra)(Real* spectrum, const Real* kernel, std::int64_t size);
    // target[c * target_stride + row] = source[row * source_stride + c].
    void (*transpose)(const Real* source, std::ptrdiff_t source_stride, std::int64_t n_rows,
                      std::int64_t n_columns, Real* target, std::ptrdiff_t target_stride);
    // The first, or the last, place in [begin, end) of a value that is not 0; -1 where there is
    // none.
    std::int64_t (*find_first)(const Real* values, std::int64_t begin, std::int64_t end);
    std::int64_t (*find_last)(const Real* values, std::int64_t begin, std::int64_t end);
    // The largest magnitude of `size` values, or NaN or infinity when one of them is not finite.
    Real (*peak)(const Real* values, std::int64_t size);
  };

  // One Philox4x32-10 block.
  void (*philox)(const std::uint32_t counter[4], const std::uint32_t key[2],
                 std::uint32_t block[4]);
  // Fills the arrays for time constants tau[0 .. size - 1] in seconds, dt in seconds, and a window
  // of `length` steps; the far end's are filled with 0 when `is_cut` is false.
  void (*fill_window)(const double* tau, std::int64_t size, double dt, double length, bool is_cut,
                      const WindowArrays& arrays);
  // After all that went past the caches in a run, on the same thread.
  void (*finish_streams)();
  Of<float> of_float;
  Of<double> of_double;
};

// The kernels for the active instruction set.
const Ops& ActiveOps();

template <typename Real>
const Ops::Of<Real>& OpsOf();
template <>
inline const Ops::Of<float>& OpsOf<float>() {
  return ActiveOps().of_float;
}
template <>
inline const Ops::Of<double>& OpsOf<double>() {
  return ActiveOps().of_double;
}

}  // namespace expsyn::simd

#endif  // EXPSYN_CORE_SIMD_OPS_H_
