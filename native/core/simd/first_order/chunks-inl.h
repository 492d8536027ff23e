#ifndef EXPSYN_CORE_SIMD_FIRST_ORDER_CHUNKS_INL_H_
#define EXPSYN_CORE_SIMD_FIRST_ORDER_CHUNKS_INL_H_

#include <utility>

#include "simd/elements-inl.h"
#include "simd/first_order/chunks.h"
#include "simd/recursion_rows-inl.h"
#include "simd/vectors-inl.h"

namespace expsyn::simd::EXPSYN_SIMD_SET {

// Elements first .. first + size - 1 of the rows, counted as if each row had n_columns values,
// times the gains: in place, or converted into `buffer`. `first` is the beginning of a row.
template <typename Real>
EXPSYN_INLINE const Real* ElementsOf(const RecursionRows<Real>& rows, const void* source,
                                     std::int64_t first, std::int64_t size, Real* buffer) {
  if (rows.is_repeated) {
    const std::int64_t n_columns = rows.n_columns;
    ConvertElements(rows.type, source, first / n_columns, size / n_columns, buffer);
    // From the back, so that nothing is overwritten before it is read.
    for (std::int64_t i = size - 1; i > 0; --i) buffer[i] = buffer[i / n_columns];
  } else if (IsReadInPlace(rows)) {
    return static_cast<const Real*>(source) + first;
  } else {
    ConvertElements(rows.type, source, first, size, buffer);
  }
  if (rows.gain != nullptr) {
    for (std::int64_t i = 0; i < size; ++i) {
      buffer[i] = Flushed(buffer[i] * rows.gain[i % rows.n_columns]);
    }
  }
  return buffer;
}

template <typename Real>
void CancelTails(const RecursionRows<Real>& rows, Real* net_input) {
  constexpr int kN = kFull<Real>;
  using V = Vector<Real, kN>;
  constexpr int kMaxSynapses = 7;
  constexpr std::int64_t kPeriods = 4;
  const std::int64_t n_synapses = rows.n_columns;
  // A whole number of rows and of vectors, since the number of rows is a multiple of kN.
  const std::int64_t period = n_synapses * kN;
  alignas(64) Real tail_weight[kMaxSynapses * kN];
  for (std::int64_t i = 0; i < period; ++i) tail_weight[i] = rows.tail_weight[i % n_synapses];
  alignas(64) Real buffers[2][kPeriods * kMaxSynapses * kN];
  const std::int64_t size = rows.n_rows * n_synapses;
  const std::int64_t step = kPeriods * period;
  for (std::int64_t first = 0; first < size; first += step) {
    const Real* input = ElementsOf(rows, rows.input, first, step, buffers[0]);
    const Real* delayed = nullptr;
    if (rows.delayed != nullptr) {
      delayed = ElementsOf(rows, rows.delayed, first, step, buffers[1]);
    }
    for (std::int64_t part = 0; part < step; part += period) {
      for (std::int64_t i = 0; i < period; i += kN) {
        V value;
        Load(input + part + i, value);
        if (delayed != nullptr) {
          V weight, tail;
          Load(tail_weight + i, weight);
          Load(delayed + part + i, tail);
          value -= FlushedVector(weight * tail);
        }
        Store(value, net_input + first + part + i);
      }
    }
  }
}

template <typename Real, int... lane>
EXPSYN_INLINE Vector<Real, sizeof...(lane)> Gather(const Real* source, std::int64_t stride,
                                                   std::integer_sequence<int, lane...>) {
  return Vector<Real, sizeof...(lane)>{source[lane * stride]...};
}

template <int n, typename Real>
EXPSYN_INLINE void Scatter(const Vector<Real, n>& vector, Real* target, std::int64_t stride) {
  for (int lane = 0; lane < n; ++lane) target[lane * stride] = vector[lane];
}

// Advances kChunks chunks of one synapse side by side, a chunk in each lane. With kKeepsStates, the
// state after each step takes the place of the net input.
template <int kChunks, bool kKeepsStates, typename Real>
EXPSYN_INLINE void AdvanceChunks(const RecursionChunks<Real>& chunks, Real* net_input, Real decay,
                                 Real* state, const char* next) {
  constexpr int kN = kFull<Real> < kChunks ? kFull<Real> : kChunks;
  constexpr int kVectors = kChunks / kN;
  constexpr auto kLanes = std::make_integer_sequence<int, kN>();
  const std::int64_t row_stride = chunks.n_synapses;
  const std::int64_t chunk_stride = chunks.chunk_length * chunks.n_synapses;
  Vector<Real, kN> isyn[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    isyn[v] = Gather(state + v * kN * row_stride, row_stride, kLanes);
  }
  for (std::int64_t row = 0; row < chunks.chunk_length; ++row) {
    if constexpr (kKeepsStates) {
      for (int byte = 0; byte < kChunks * static_cast<int>(sizeof(Real)); byte += 64) {
        __builtin_prefetch(next + row * kChunks * static_cast<int>(sizeof(Real)) + byte);
      }
    }
    for (int v = 0; v < kVectors; ++v) {
      Real* place = net_input + row * row_stride + v * kN * chunk_stride;
      isyn[v] = FlushedVector((isyn[v] + Gather(place, chunk_stride, kLanes)) * decay);
      if constexpr (kKeepsStates) Scatter<kN>(isyn[v], place, chunk_stride);
    }
  }
  for (int v = 0; v < kVectors; ++v) Scatter<kN>(isyn[v], state + v * kN * row_stride, row_stride);
}

template <bool kKeepsStates, typename Real>
void AdvanceAllChunks(const RecursionChunks<Real>& chunks, Real* net_input, Real* states) {
  // Memory is read ahead while the vectors are computed.
  const auto* next = static_cast<const char*>(chunks.next_input);
  const std::int64_t next_bytes =
      chunks.n_chunks * chunks.chunk_length * static_cast<int>(sizeof(Real));
  for (std::int64_t synapse = 0; synapse < chunks.n_synapses; ++synapse) {
    const Real decay = chunks.decay[synapse];
    if (chunks.n_chunks == 16) {
      AdvanceChunks<16, kKeepsStates>(chunks, net_input + synapse, decay, states + synapse,
                                      next + synapse * next_bytes);
    } else {
      AdvanceChunks<4, kKeepsStates>(chunks, net_input + synapse, decay, states + synapse,
                                     next + synapse * next_bytes);
    }
  }
}

template <typename Real>
void SumChunks(const RecursionChunks<Real>& chunks, const Real* net_input, Real* states) {
  // The net input is only read, because no states are kept.
  AdvanceAllChunks<false>(chunks, const_cast<Real*>(net_input), states);
}

template <typename Real>
void RunChunks(const RecursionChunks<Real>& chunks, Real* net_input, Real* states) {
  AdvanceAllChunks<true>(chunks, net_input, states);
}

template <typename Real>
constexpr ChunkOps<Real> kChunkOps{CancelTails<Real>, SumChunks<Real>, RunChunks<Real>};

}  // namespace expsyn::simd::EXPSYN_SIMD_SET

#endif  // EXPSYN_CORE_SIMD_FIRST_ORDER_CHUNKS_INL_H_
