#ifndef EXPSYN_CORE_EVOLVE_ITEM_H_
#define EXPSYN_CORE_EVOLVE_ITEM_H_

#include <atomic>
#include <cstdint>

#include "evolve.h"
#include "input_reader.h"
#include "kernel/kernel.h"
#include "kernel/state.h"
#include "tile.h"

// What Evolve() asks of one item of a call.
namespace expsyn {

// The reader of the input, with the noise of the call.
template <typename Real>
InputReader ReaderOf(const Settings& settings, const Call<Real>& call, std::int64_t item);

// Whether noise is added after the methods, which then compute without noise.
bool IsNoiseSeparate(const Kernel& kernel, const Settings& settings);

// The reader of the input as the methods are to see it.
template <typename Real>
InputReader ReaderOf(const Kernel& kernel, const Settings& settings, const Call<Real>& call,
                     std::int64_t item);

// All steps of some synapses of an item.
template <typename Real>
Tile<Real> TileOf(const Kernel& kernel, const Call<Real>& call, const InputReader& reader,
                  std::int64_t item, std::int64_t first_synapse, std::int64_t n_synapses,
                  NextState next_state, Finding* findings, const std::atomic<bool>& cancelled);

// The first row of the steps of an item that are kept.
template <typename Real>
Real* KeptRowsOf(const Call<Real>& call, std::int64_t item, std::int64_t n_synapses);

// Reduces all rows of an item.
template <typename Real>
void ReduceItem(const Call<Real>& call, std::int64_t item, std::int64_t n_synapses,
                const Real* rows);

// Adds the noise of the last step, which its row of the output holds already, to the state of an
// item.
template <typename Real>
void AddNoiseToState(const InputReader& reader, const Real* last_row, std::int64_t n_synapses,
                     NextState next_state);

// Whether the next state holds the noise of the last step.
bool IsNoiseCarried(const Kernel& kernel, const Settings& settings, const InputReader& reader);

// Computes a whole item by Kernel::RecurseFewSteps(), if that can.
template <typename Real>
bool EvolveFewSteps(const Kernel& kernel, const Settings& settings, const Call<Real>& call,
                    std::int64_t item, NextState next_state, const std::atomic<bool>& cancelled);

}  // namespace expsyn

#endif  // EXPSYN_CORE_EVOLVE_ITEM_H_
