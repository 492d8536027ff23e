#include "evolve_item.h"

#include <algorithm>

#include "aligned_buffer.h"

namespace expsyn {

template <typename Real>
InputReader ReaderOf(const Settings& settings, const Call<Real>& call, std::int64_t item) {
  const Item& own = call.items[item];
  return {
      call.input.Items(item, 1),
      {settings.noise, settings.noise_scale, own.seed, own.step, own.batch, call.first_synapse}};
}

bool IsNoiseSeparate(const Kernel& kernel, const Settings& settings) {
  return settings.noise == NoisePlacement::kState && kernel.noise_memory() == NoiseMemory::kDecay;
}

template <typename Real>
InputReader ReaderOf(const Kernel& kernel, const Settings& settings, const Call<Real>& call,
                     std::int64_t item) {
  if (IsNoiseSeparate(kernel, settings)) return {call.input.Items(item, 1), {}};
  return ReaderOf(settings, call, item);
}

template <typename Real>
Tile<Real> TileOf(const Kernel& kernel, const Call<Real>& call, const InputReader& reader,
                  std::int64_t item, std::int64_t first_synapse, std::int64_t n_synapses,
                  NextState next_state, Finding* findings, const std::atomic<bool>& cancelled) {
  const std::int64_t n_timesteps = call.input.n_timesteps;
  return {reader,
          first_synapse,
          n_synapses,
          0,
          n_timesteps,
          call.items[item].state.From(first_synapse),
          call.reduction.IsNone()
              ? call.output + item * n_timesteps * kernel.n_synapses() + first_synapse
              : nullptr,
          kernel.n_synapses(),
          false,
          next_state.From(first_synapse),
          findings,
          cancelled};
}

template <typename Real>
Real* KeptRowsOf(const Call<Real>& call, std::int64_t item, std::int64_t n_synapses) {
  const std::int64_t n_kept =
      call.reduction.CountKept(call.items[item].step, call.input.n_timesteps);
  return call.output + item * n_kept * n_synapses;
}

template <typename Real>
void ReduceItem(const Call<Real>& call, std::int64_t item, std::int64_t n_synapses,
                const Real* rows) {
  const Item& own = call.items[item];
  RowReducer<Real> reducer(call.reduction, own.step, n_synapses, KeptRowsOf(call, item, n_synapses),
                           n_synapses, own.partial);
  reducer.Put(0, call.input.n_timesteps, 0, n_synapses, rows, n_synapses);
  reducer.Finish();
}

template <typename Real>
void AddNoiseToState(const InputReader& reader, const Real* last_row, std::int64_t n_synapses,
                     NextState next_state) {
  constexpr std::int64_t kChunk = 256;
  const std::int64_t step = reader.raster().n_timesteps - 1;
  for (std::int64_t first = 0; first < n_synapses; first += kChunk) {
    const std::int64_t count = std::min(kChunk, n_synapses - first);
    Real noise[kChunk] = {};
    reader.AddNoise(step, 1, first, count, noise, count);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t n = first + i;
      const DoubleDouble sum = TwoSum(next_state.Plane(0)[n], static_cast<double>(noise[i]));
      next_state.SetNumber(0, n, static_cast<double>(last_row[n]),
                           {sum.high, sum.low + next_state.Plane(1)[n]});
    }
  }
}

bool IsNoiseCarried(const Kernel& kernel, const Settings& settings, const InputReader& reader) {
  return kernel.has_recursion() && reader.is_output_noisy() &&
         (settings.is_state_noisy || settings.noise == NoisePlacement::kState);
}

template <typename Real>
bool EvolveFewSteps(const Kernel& kernel, const Settings& settings, const Call<Real>& call,
                    std::int64_t item, NextState next_state, const std::atomic<bool>& cancelled) {
  if (IsNoiseSeparate(kernel, settings)) return false;
  const InputReader reader = ReaderOf(settings, call, item);
  const std::int64_t n_synapses = kernel.n_synapses();
  Tile<Real> tile =
      TileOf(kernel, call, reader, item, 0, n_synapses, next_state, nullptr, cancelled);
  AlignedBuffer<Real> rows;
  if (!call.reduction.IsNone()) {
    rows = AlignedBuffer<Real>(CheckedSize(call.input.n_timesteps * n_synapses));
    tile.output = rows.data();
  }
  if (!kernel.RecurseFewSteps(tile)) return false;
  if (!call.reduction.IsNone()) ReduceItem(call, item, n_synapses, rows.data());
  if (IsNoiseCarried(kernel, settings, reader)) {
    AddNoiseToState(reader, tile.output + (call.input.n_timesteps - 1) * n_synapses, n_synapses,
                    next_state);
  }
  return true;
}

template InputReader ReaderOf(const Settings&, const Call<float>&, std::int64_t);
template InputReader ReaderOf(const Kernel&, const Settings&, const Call<float>&, std::int64_t);
template Tile<float> TileOf(const Kernel&, const Call<float>&, const InputReader&, std::int64_t,
                            std::int64_t, std::int64_t, NextState, Finding*,
                            const std::atomic<bool>&);
template float* KeptRowsOf(const Call<float>&, std::int64_t, std::int64_t);
template void ReduceItem(const Call<float>&, std::int64_t, std::int64_t, const float*);
template void AddNoiseToState(const InputReader&, const float*, std::int64_t, NextState);
template bool EvolveFewSteps(const Kernel&, const Settings&, const Call<float>&, std::int64_t,
                             NextState, const std::atomic<bool>&);

template InputReader ReaderOf(const Settings&, const Call<double>&, std::int64_t);
template InputReader ReaderOf(const Kernel&, const Settings&, const Call<double>&, std::int64_t);
template Tile<double> TileOf(const Kernel&, const Call<double>&, const InputReader&, std::int64_t,
                             std::int64_t, std::int64_t, NextState, Finding*,
                             const std::atomic<bool>&);
template double* KeptRowsOf(const Call<double>&, std::int64_t, std::int64_t);
template void ReduceItem(const Call<double>&, std::int64_t, std::int64_t, const double*);
template void AddNoiseToState(const InputReader&, const double*, std::int64_t, NextState);
template bool EvolveFewSteps(const Kernel&, const Settings&, const Call<double>&, std::int64_t,
                             NextState, const std::atomic<bool>&);

}  // namespace expsyn
