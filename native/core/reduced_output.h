#ifndef EXPSYN_CORE_REDUCED_OUTPUT_H_
#define EXPSYN_CORE_REDUCED_OUTPUT_H_

#include <cstdint>
#include <utility>

#include "reduction.h"

namespace expsyn {

template <typename Real>
class RememberedNoise;

// Where a method puts the rows of a tile if not all of them are kept. Only what is kept is written
// to the memory of the output.
template <typename Real>
class ReducedOutput {
 public:
  // `noise` is added to the rows; null if there is none that the method has left out. `last_row`
  // receives the row of the last of n_timesteps steps, at the first synapse of the tile.
  ReducedOutput(RowReducer<Real> reducer, RememberedNoise<Real>* noise, std::int64_t n_timesteps,
                Real* last_row)
      : reducer_(std::move(reducer)),
        noise_(noise),
        n_timesteps_(n_timesteps),
        last_row_(last_row) {}

  // Takes the next n_rows rows of some columns of the tile, and may change them.
  void Put(std::int64_t step, std::int64_t n_rows, std::int64_t column, std::int64_t n_columns,
           Real* rows, std::int64_t stride);
  // To be called after the last row.
  void Finish() const { reducer_.Finish(); }

 private:
  RowReducer<Real> reducer_;
  RememberedNoise<Real>* noise_;
  std::int64_t n_timesteps_;
  Real* last_row_;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_REDUCED_OUTPUT_H_
