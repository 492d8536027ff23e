#ifndef EXPSYN_CORE_SIMD_RECURSION_ROWS_INL_H_
#define EXPSYN_CORE_SIMD_RECURSION_ROWS_INL_H_

#include <type_traits>

#include "simd/elements-inl.h"
#include "simd/recursion_rows.h"
#include "simd/vectors-inl.h"

namespace expsyn::simd::EXPSYN_SIMD_SET {

// Rows that are advanced together while the state of some columns is in registers. Streamed output
// is written row by row instead, in the order of memory: that loads and stores the state for every
// element, and is faster as long as the state of a whole row stays in the first-level cache.
constexpr int kRowsTogether = 4;
constexpr int kLongStreamedRowsTogether = 2;
constexpr std::int64_t kLongRowBytes = 4096;

// Pointers to kRows neighbouring rows.
template <int kRows, typename In, typename Real>
struct RowPointers {
  const In* input[kRows];
  const In* delayed[kRows];
  Real* output[kRows];
};

// How the rows are read and written.
template <typename Real>
struct RowAccess {
  // The rows if their input must be converted first, otherwise null. It is the caller's own struct:
  // a call that got the address of a copy would keep the copy's members out of registers.
  const RecursionRows<Real>* converted;
  std::int64_t elements_ahead;  // what is prefetched
  StoreMode mode;
};

// What the recursion over the rows is.
enum class RowKind {
  kUncut,        // of first order
  kCut,          // of first order, with tails that are cancelled
  kSecondOrder,  // of second order, uncut
};

// The factors and the state of n neighbouring synapses.
template <RowKind kKind, int n, typename Real>
struct StateVectors {
  Vector<Real, n> decay, tail_weight, isyn, local;
};
template <int n, typename Real>
struct StateVectors<RowKind::kSecondOrder, n, Real> {
  Vector<Real, n> decay, rise_decay, entry, isyn, rising, local, rising_local;
};

template <RowKind kKind, int n, typename Real>
EXPSYN_INLINE void LoadState(const RecursionRows<Real>& rows, std::int64_t column,
                             StateVectors<kKind, n, Real>& state) {
  Load(rows.decay + column, state.decay);
  Load(rows.isyn + column, state.isyn);
  Load(rows.local + column, state.local);
  if constexpr (kKind == RowKind::kCut) Load(rows.tail_weight + column, state.tail_weight);
  if constexpr (kKind == RowKind::kSecondOrder) {
    Load(rows.rise_decay + column, state.rise_decay);
    Load(rows.entry + column, state.entry);
    Load(rows.rising + column, state.rising);
    Load(rows.rising_local + column, state.rising_local);
  }
}

template <RowKind kKind, int n, typename Real>
EXPSYN_INLINE void StoreState(const StateVectors<kKind, n, Real>& state,
                              const RecursionRows<Real>& rows, std::int64_t column) {
  Store(state.isyn, rows.isyn + column);
  Store(state.local, rows.local + column);
  if constexpr (kKind == RowKind::kSecondOrder) {
    Store(state.rising, rows.rising + column);
    Store(state.rising_local, rows.rising_local + column);
  }
}

// One step of the recursion of first order.
template <typename V>
EXPSYN_INLINE void AdvanceState(V net_input, V decay, V& isyn, V& local) {
  isyn = FlushedVector((isyn + net_input) * decay);
  local = FlushedVector((local + net_input) * decay);
}

// One step of the recursion of second order.
template <typename V>
EXPSYN_INLINE void AdvanceState(V input, V rise_decay, V entry, V decay, V& rising, V& isyn) {
  const V sum = rising + input;
  isyn = FlushedVector(isyn * decay + sum * entry);
  rising = FlushedVector(sum * rise_decay);
}

// Advances n neighbouring synapses by one row.
template <RowKind kKind, int n, typename In, typename Real>
EXPSYN_INLINE void AdvanceRow(const In* input, const In* delayed, Real* output, StoreMode mode,
                              StateVectors<kKind, n, Real>& state) {
  Vector<Real, n> net_input;
  LoadAs<n, Real>(input, net_input);
  if constexpr (kKind == RowKind::kCut) {
    Vector<Real, n> tail;
    LoadAs<n, Real>(delayed, tail);
    net_input -= FlushedVector(state.tail_weight * tail);
  }
  if constexpr (kKind == RowKind::kSecondOrder) {
    AdvanceState(net_input, state.rise_decay, state.entry, state.decay, state.rising, state.isyn);
    AdvanceState(net_input, state.rise_decay, state.entry, state.decay, state.rising_local,
                 state.local);
  } else {
    AdvanceState(net_input, state.decay, state.isyn, state.local);
  }
  StoreBy(mode, state.isyn, output);
}

// Advances n neighbouring synapses from `column` on by kRows rows.
template <int n, RowKind kKind, int kRows, typename In, typename Real>
EXPSYN_INLINE void AdvanceVector(const RecursionRows<Real>& rows, std::int64_t column,
                                 const RowPointers<kRows, In, Real>& pointers, StoreMode mode) {
  StateVectors<kKind, n, Real> state;
  LoadState(rows, column, state);
  for (int row = 0; row < kRows; ++row) {
    const In* delayed = kKind == RowKind::kCut ? pointers.delayed[row] + column : nullptr;
    AdvanceRow<kKind>(pointers.input[row] + column, delayed, pointers.output[row] + column, mode,
                      state);
  }
  StoreState(state, rows, column);
}

// Advances the remaining columns, from `column` on, which do not fill a vector of 2 * n.
template <int n, RowKind kKind, int kRows, typename In, typename Real>
EXPSYN_INLINE void AdvanceRemainder(const RecursionRows<Real>& rows, std::int64_t column,
                                    const RowPointers<kRows, In, Real>& pointers, StoreMode mode) {
  if (column + n <= rows.n_columns) {
    AdvanceVector<n, kKind>(rows, column, pointers, mode);
    column += n;
  }
  if constexpr (n > 1) {
    AdvanceRemainder<n / 2, kKind>(rows, column, pointers, mode);
  }
}

// Whether the rows' input can be read in place.
template <typename Real>
EXPSYN_INLINE bool IsReadInPlace(const RecursionRows<Real>& rows) {
  return rows.gain == nullptr &&
         IsReadInPlace(rows, reinterpret_cast<std::uintptr_t>(rows.input) |
                                 reinterpret_cast<std::uintptr_t>(rows.delayed));
}

// Converts one row to Real and multiplies it by the gains. If it is a single value, repeats that
// for all synapses. A function, because it takes more code than the recursion, which is compiled
// for many forms of rows.
template <typename Real>
EXPSYN_NO_INLINE const Real* ConvertRow(const RecursionRows<Real>& rows, const void* source,
                                        std::int64_t first, Real* buffer) {
  ConvertElements(rows.type, source, first, rows.is_repeated ? 1 : rows.n_columns, buffer);
  if (rows.is_repeated) {
    const Real value = buffer[0];
    for (std::int64_t c = 1; c < rows.n_columns; ++c) buffer[c] = value;
  }
  if (rows.gain != nullptr) {
    for (std::int64_t c = 0; c < rows.n_columns; ++c) buffer[c] = Flushed(buffer[c] * rows.gain[c]);
  }
  return buffer;
}

template <typename Real>
using RowBuffers = Real[kRowsTogether][2][kMaxColumns];

// Pointers to kRows rows from `row` on. Their input is converted into `buffers` if `converted` is
// not null; see RowAccess.
template <RowKind kKind, int kRows, typename In, typename Real>
EXPSYN_INLINE RowPointers<kRows, In, Real> PointersTo(const RecursionRows<Real>& rows,
                                                      std::int64_t row,
                                                      const RecursionRows<Real>* converted,
                                                      RowBuffers<Real>& buffers) {
  RowPointers<kRows, In, Real> pointers;
  for (int i = 0; i < kRows; ++i) {
    const std::int64_t first = (row + i) * rows.input_stride;
    pointers.output[i] = rows.output + (row + i) * rows.output_stride;
    if constexpr (std::is_same_v<In, Real>) {
      if (converted != nullptr) {
        pointers.input[i] = ConvertRow(*converted, rows.input, first, buffers[i][0]);
        pointers.delayed[i] = kKind == RowKind::kCut
                                  ? ConvertRow(*converted, rows.delayed, first, buffers[i][1])
                                  : nullptr;
        continue;
      }
    }
    pointers.input[i] = static_cast<const In*>(rows.input) + first;
    pointers.delayed[i] =
        kKind == RowKind::kCut ? static_cast<const In*>(rows.delayed) + first : nullptr;
  }
  return pointers;
}

template <RowKind kKind, int kRows, typename In, typename Real>
EXPSYN_INLINE void AdvanceRowsTogether(const RecursionRows<Real>& rows, std::int64_t row,
                                       const RowAccess<Real>& access, StoreMode mode,
                                       RowBuffers<Real>& buffers) {
  constexpr int kN = kFull<Real>;
  const auto pointers = PointersTo<kKind, kRows, In>(rows, row, access.converted, buffers);
  std::int64_t column = 0;
  for (; column + kN <= rows.n_columns; column += kN) {
    AdvanceVector<kN, kKind>(rows, column, pointers, mode);
    // The hardware's prefetching stops at every page.
    for (int i = 0; i < kRows; ++i) {
      __builtin_prefetch(pointers.input[i] + column + access.elements_ahead);
    }
  }
  AdvanceRemainder<kN / 2, kKind>(rows, column, pointers, mode);
}

// The states of kVectors vectors side by side. Nested members, because the compiler would keep an
// array in memory.
template <RowKind kKind, int kVectors, typename Real>
struct NarrowState {
  StateVectors<kKind, kFull<Real>, Real> first;
  NarrowState<kKind, kVectors - 1, Real> others;
};
template <RowKind kKind, typename Real>
struct NarrowState<kKind, 0, Real> {};

template <RowKind kKind, int kVectors, typename Real>
EXPSYN_INLINE void LoadStates(const RecursionRows<Real>& rows,
                              NarrowState<kKind, kVectors, Real>& state) {
  if constexpr (kVectors > 0) {
    LoadState(rows, rows.n_columns - kVectors * kFull<Real>, state.first);
    LoadStates(rows, state.others);
  }
}

template <RowKind kKind, int kVectors, typename Real>
EXPSYN_INLINE void StoreStates(const NarrowState<kKind, kVectors, Real>& state,
                               const RecursionRows<Real>& rows) {
  if constexpr (kVectors > 0) {
    StoreState(state.first, rows, rows.n_columns - kVectors * kFull<Real>);
    StoreStates(state.others, rows);
  }
}

template <RowKind kKind, int kVectors, typename In, typename Real>
EXPSYN_INLINE void AdvanceSteps(const In* input, const In* delayed, Real* output, StoreMode mode,
                                NarrowState<kKind, kVectors, Real>& state) {
  if constexpr (kVectors > 0) {
    constexpr int kN = kFull<Real>;
    AdvanceRow<kKind>(input, delayed, output, mode, state.first);
    AdvanceSteps<kKind>(input + kN, delayed + (kKind == RowKind::kCut ? kN : 0), output + kN, mode,
                        state.others);
  }
}

// Advances all rows, whose columns fill exactly kVectors vectors.
template <int kVectors, RowKind kKind, typename In, typename Real>
EXPSYN_INLINE void AdvanceNarrow(const RecursionRows<Real>& rows, const RowAccess<Real>& access,
                                 RowBuffers<Real>& buffers) {
  NarrowState<kKind, kVectors, Real> state;
  LoadStates(rows, state);
  for (std::int64_t row = 0; row < rows.n_rows; ++row) {
    const auto pointers = PointersTo<kKind, 1, In>(rows, row, access.converted, buffers);
    AdvanceSteps<kKind>(pointers.input[0], pointers.delayed[0], pointers.output[0], access.mode,
                        state);
    // The hardware prefetches longer rows by itself, and is faster without help.
    for (int v = 0; v < kVectors && kVectors <= 2; ++v) {
      __builtin_prefetch(pointers.input[0] + access.elements_ahead + v * kFull<Real>);
    }
  }
  StoreStates(state, rows);
}

// Advances all rows, several at a time unless they are streamed and short. These loops are compiled
// for output that is not streamed, too: most wait for no memory, and a condition would cost a
// tenth.
template <RowKind kKind, bool kIsStreamed, typename In, typename Real>
EXPSYN_INLINE void AdvanceWide(const RecursionRows<Real>& rows, const RowAccess<Real>& access,
                               RowBuffers<Real>& buffers) {
  constexpr int kTogether = kIsStreamed ? kLongStreamedRowsTogether : kRowsTogether;
  const StoreMode mode = kIsStreamed ? access.mode : StoreMode::kPlain;
  const bool is_long = rows.n_columns * static_cast<int>(sizeof(Real)) > kLongRowBytes;
  std::int64_t row = 0;
  if (!kIsStreamed || is_long) {
    for (; row + kTogether <= rows.n_rows; row += kTogether) {
      AdvanceRowsTogether<kKind, kTogether, In>(rows, row, access, mode, buffers);
    }
  }
  for (; row < rows.n_rows; ++row) {
    AdvanceRowsTogether<kKind, 1, In>(rows, row, access, mode, buffers);
  }
}

template <RowKind kKind, typename In, typename Real>
void AdvanceRowsBy(const RecursionRows<Real>& all) {
  constexpr std::int64_t kPrefetchedBytes = 4096;
  constexpr std::int64_t kN = kFull<Real>;
  // A copy, which no store can change, so that its members stay in registers.
  const RecursionRows<Real> rows = all;
  const std::int64_t row_bytes = rows.input_stride * static_cast<int>(sizeof(In));
  const std::int64_t rows_ahead =
      row_bytes < kPrefetchedBytes / 2 ? kPrefetchedBytes / row_bytes : 2;
  const bool is_in_place = !std::is_same_v<In, Real> || IsReadInPlace(rows);
  const RowAccess<Real> access{is_in_place ? nullptr : &all,
                               is_in_place ? rows_ahead * rows.input_stride : 0,
                               ModeOf(rows.is_streamed, rows.output, rows.output_stride)};
  alignas(64) RowBuffers<Real> buffers;
  // The state of the second order takes more registers.
  constexpr int kMaxNarrow = kKind == RowKind::kSecondOrder ? 4 : 8;
  if (rows.n_columns == kN) {
    AdvanceNarrow<1, kKind, In>(rows, access, buffers);
  } else if (rows.n_columns == 2 * kN) {
    AdvanceNarrow<2, kKind, In>(rows, access, buffers);
  } else if (rows.n_columns == 4 * kN) {
    AdvanceNarrow<4, kKind, In>(rows, access, buffers);
  } else if (rows.n_columns == 8 * kN && kMaxNarrow == 8) {
    AdvanceNarrow<kMaxNarrow, kKind, In>(rows, access, buffers);
  } else if (access.mode == StoreMode::kPlain) {
    AdvanceWide<kKind, false, In>(rows, access, buffers);
  } else {
    AdvanceWide<kKind, true, In>(rows, access, buffers);
  }
}

template <RowKind kKind, typename Real>
void AdvanceRowsOf(const RecursionRows<Real>& rows) {
  // Bytes, the usual raster, are converted while they are loaded; other types row by row.
  const bool is_bytes =
      rows.type == ElementType::kUint8 && !rows.is_repeated && rows.gain == nullptr;
  return is_bytes ? AdvanceRowsBy<kKind, std::uint8_t>(rows) : AdvanceRowsBy<kKind, Real>(rows);
}

template <typename Real>
void AdvanceRows(const RecursionRows<Real>& rows) {
  if (rows.rising != nullptr) return AdvanceRowsOf<RowKind::kSecondOrder>(rows);
  if (rows.delayed != nullptr) return AdvanceRowsOf<RowKind::kCut>(rows);
  return AdvanceRowsOf<RowKind::kUncut>(rows);
}

template <typename Real>
constexpr RowOps<Real> kRowOps{AdvanceRows<Real>};

}  // namespace expsyn::simd::EXPSYN_SIMD_SET

#endif  // EXPSYN_CORE_SIMD_RECURSION_ROWS_INL_H_
