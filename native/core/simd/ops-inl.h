// The loops of vector_kernels.h. Each vector_kernels_<set>.cc includes this file once, after it
// has told the compiler the instructions, with
//
//   EXPSYN_SIMD_BYTES   the width of a vector register
//   EXPSYN_SIMD_SET     the namespace of the set
//
// Nothing of the standard library that is not inlined may be called from here: the linker would
// keep one copy of it for all sets, perhaps one that the processor cannot run.

namespace expsyn::simd {
namespace EXPSYN_SIMD_SET {

#define EXPSYN_INLINE inline __attribute__((always_inline))
#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define EXPSYN_HAS_SHUFFLE
#endif
#endif

template <typename T, int n>
struct VectorOf {
  typedef T Type __attribute__((vector_size(n * sizeof(T))));
};
template <typename T>
struct VectorOf<T, 1> {
  using Type = T;
};
template <typename T, int n>
using Vector = typename VectorOf<T, n>::Type;

// Elements of a full vector.
template <typename T>
constexpr int kFull = EXPSYN_SIMD_BYTES / static_cast<int>(sizeof(T));

template <typename V, typename T>
EXPSYN_INLINE void Load(const T* source, V& vector) {
  __builtin_memcpy(&vector, source, sizeof(vector));
}

template <typename V, typename T>
EXPSYN_INLINE void Store(const V& vector, T* target) {
  __builtin_memcpy(target, &vector, sizeof(vector));
}

// Stores past the caches, in parts of `kPart` bytes to which `target` is aligned.
template <int kPart, typename V, typename T>
EXPSYN_INLINE void Stream(const V& vector, T* target) {
#if defined(__x86_64__)
  auto* to = reinterpret_cast<char*>(target);
  const auto* from = reinterpret_cast<const char*>(&vector);
  constexpr int kSize = static_cast<int>(sizeof(V));
  constexpr int kStep = kSize < kPart ? kSize : kPart;
  for (int i = 0; i < kSize; i += kStep) {
    if constexpr (kStep == 4) {
      int part;
      __builtin_memcpy(&part, from + i, 4);
      _mm_stream_si32(reinterpret_cast<int*>(to + i), part);
    } else if constexpr (kStep == 8) {
      long long part;
      __builtin_memcpy(&part, from + i, 8);
      _mm_stream_si64(reinterpret_cast<long long*>(to + i), part);
    } else if constexpr (kStep == 16) {
      _mm_stream_si128(reinterpret_cast<__m128i*>(to + i),
                       _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i)));
#if EXPSYN_SIMD_BYTES >= 32
    } else if constexpr (kStep == 32) {
      _mm256_stream_si256(reinterpret_cast<__m256i*>(to + i),
                          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i)));
#endif
#if EXPSYN_SIMD_BYTES >= 64
    } else {
      _mm512_stream_si512(reinterpret_cast<__m512i*>(to + i),
                          _mm512_loadu_si512(reinterpret_cast<const __m512i*>(from + i)));
#endif
    }
  }
#else
  Store(vector, target);
#endif
}

// The part for Stream() that rows of `stride` elements from `target` on allow; 0 for none.
template <typename Real>
EXPSYN_INLINE int StreamPart(const Real* target, std::ptrdiff_t stride = 0) {
  const auto places =
      reinterpret_cast<std::uintptr_t>(target) | static_cast<std::uintptr_t>(stride) * sizeof(Real);
  if (places % EXPSYN_SIMD_BYTES == 0) return EXPSYN_SIMD_BYTES;
  return places % 16 == 0 ? 16 : 0;
}

template <typename Real, typename In>
void Convert(const void* source, std::int64_t first, std::int64_t size, Real* target) {
  const auto* values = static_cast<const char*>(source) + first * static_cast<int>(sizeof(In));
  for (std::int64_t i = 0; i < size; ++i) {
    In value;
    __builtin_memcpy(&value, values + i * static_cast<int>(sizeof(In)), sizeof(In));
    target[i] = static_cast<Real>(value);
  }
}

// Elements first .. first + size - 1 of an array of any type, as Real. Not by WithElement(), which
// would be a call out of the set's instructions and back for every row.
template <typename Real>
void ConvertElements(ElementType type, const void* source, std::int64_t first, std::int64_t size,
                     Real* target) {
  switch (type) {
    case ElementType::kInt8:
      return Convert<Real, std::int8_t>(source, first, size, target);
    case ElementType::kUint8:
      return Convert<Real, std::uint8_t>(source, first, size, target);
    case ElementType::kInt16:
      return Convert<Real, std::int16_t>(source, first, size, target);
    case ElementType::kUint16:
      return Convert<Real, std::uint16_t>(source, first, size, target);
    case ElementType::kInt32:
      return Convert<Real, std::int32_t>(source, first, size, target);
    case ElementType::kUint32:
      return Convert<Real, std::uint32_t>(source, first, size, target);
    case ElementType::kInt64:
      return Convert<Real, std::int64_t>(source, first, size, target);
    case ElementType::kUint64:
      return Convert<Real, std::uint64_t>(source, first, size, target);
    case ElementType::kFloat32:
      return Convert<Real, float>(source, first, size, target);
    case ElementType::kFloat64:
      return Convert<Real, double>(source, first, size, target);
  }
}

// The recursion -----------------------------------------------------------------------------------

// Rows that are advanced together, while the state of some columns is in registers: what is
// streamed wants to be written in the memory's order, which costs a load and a store of the state
// for every element, and is worth it while the state of a whole row stays in the first-level cache.
constexpr int kRowsTogether = 4;
constexpr int kLongStreamedRowsTogether = 2;
constexpr std::int64_t kLongRowBytes = 4096;

// kRows rows of a run: a pointer to each one's input, and to what leaves with it.
template <int kRows, typename In, typename Real>
struct RowGroup {
  const In* input[kRows];
  const In* delayed[kRows];
  Real* output[kRows];
};

// The state of n neighbouring synapses.
template <int n, typename Real>
struct StateVectors {
  Vector<Real, n> decay, tail_weight, isyn, local;
};

template <bool kHasTail, int n, typename Real>
EXPSYN_INLINE void LoadState(const RecursionRows<Real>& rows, std::int64_t column,
                             StateVectors<n, Real>& state) {
  Load(rows.decay + column, state.decay);
  if constexpr (kHasTail) Load(rows.tail_weight + column, state.tail_weight);
  Load(rows.isyn + column, state.isyn);
  Load(rows.local + column, state.local);
}

template <int n, typename Real>
EXPSYN_INLINE void StoreState(const StateVectors<n, Real>& state, const RecursionRows<Real>& rows,
                              std::int64_t column) {
  Store(state.isyn, rows.isyn + column);
  Store(state.local, rows.local + column);
}

// n neighbouring elements as Real.
template <int n, typename Real>
EXPSYN_INLINE void LoadAs(const Real* source, Vector<Real, n>& vector) {
  Load(source, vector);
}
template <int n, typename Real>
EXPSYN_INLINE void LoadAs(const std::uint8_t* source, Vector<Real, n>& vector) {
#if defined(__x86_64__) && EXPSYN_SIMD_BYTES == 64
  // With masks of all, because GCC warns of the undefined operands inside the forms without.
  if constexpr (n == kFull<Real> && sizeof(Real) == sizeof(float)) {
    const auto bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(source));
    vector = (Vector<Real, n>)_mm512_maskz_cvtepi32_ps(0xFFFF,
                                                       _mm512_maskz_cvtepu8_epi32(0xFFFF, bytes));
    return;
  } else if constexpr (n == kFull<Real>) {
    const auto bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(source));
    vector = (Vector<Real, n>)_mm512_maskz_cvtepi32_pd(0xFF, _mm256_cvtepu8_epi32(bytes));
    return;
  }
#elif defined(__x86_64__) && EXPSYN_SIMD_BYTES == 32
  if constexpr (n == kFull<Real> && sizeof(Real) == sizeof(float)) {
    const auto bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(source));
    vector = (Vector<Real, n>)_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
    return;
  } else if constexpr (n == kFull<Real>) {
    int bytes;
    __builtin_memcpy(&bytes, source, sizeof(bytes));
    vector = (Vector<Real, n>)_mm256_cvtepi32_pd(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(bytes)));
    return;
  }
#endif
  Real elements[n];
  for (int i = 0; i < n; ++i) elements[i] = static_cast<Real>(source[i]);
  Load(elements, vector);
}

// One step of n neighbouring synapses.
template <bool kHasTail, int kStreamPart, int n, typename In, typename Real>
EXPSYN_INLINE void AdvanceStep(const In* input, const In* delayed, Real* output,
                               StateVectors<n, Real>& state) {
  Vector<Real, n> drive;
  LoadAs<n, Real>(input, drive);
  if constexpr (kHasTail) {
    Vector<Real, n> gone;
    LoadAs<n, Real>(delayed, gone);
    drive -= state.tail_weight * gone;
  }
  state.isyn = (state.isyn + drive) * state.decay;
  state.local = (state.local + drive) * state.decay;
  if constexpr (kStreamPart > 0) {
    Stream<kStreamPart>(state.isyn, output);
  } else {
    Store(state.isyn, output);
  }
}

// The rows' n neighbouring synapses from `column` on.
template <int n, bool kHasTail, int kStreamPart, int kRows, typename In, typename Real>
EXPSYN_INLINE void AdvanceVector(const RecursionRows<Real>& rows, std::int64_t column,
                                 const RowGroup<kRows, In, Real>& group) {
  StateVectors<n, Real> state;
  LoadState<kHasTail>(rows, column, state);
  for (int row = 0; row < kRows; ++row) {
    const In* delayed = kHasTail ? group.delayed[row] + column : nullptr;
    AdvanceStep<kHasTail, kStreamPart>(group.input[row] + column, delayed,
                                       group.output[row] + column, state);
  }
  StoreState(state, rows, column);
}

// The columns from `column` on, which do not fill a vector of 2 * n.
template <int n, bool kHasTail, int kStreamPart, int kRows, typename In, typename Real>
EXPSYN_INLINE void AdvanceRest(const RecursionRows<Real>& rows, std::int64_t column,
                               const RowGroup<kRows, In, Real>& group) {
  if (column + n <= rows.n_columns) {
    AdvanceVector<n, kHasTail, kStreamPart>(rows, column, group);
    column += n;
  }
  if constexpr (n > 1) {
    AdvanceRest<n / 2, kHasTail, kStreamPart>(rows, column, group);
  }
}

// Whether the rows' input can be read where it stands: as Real, and aligned for it.
template <typename Real>
EXPSYN_INLINE bool IsReadInPlace(const RecursionRows<Real>& rows) {
  const auto places =
      reinterpret_cast<std::uintptr_t>(rows.input) | reinterpret_cast<std::uintptr_t>(rows.delayed);
  return rows.type == kElementTypeOf<Real> && !rows.is_repeated && places % alignof(Real) == 0;
}

// One row's drive where it does not stand as Real: converted, and repeated where there is one
// column.
template <typename Real>
EXPSYN_INLINE const Real* ConvertRow(const RecursionRows<Real>& rows, const void* source,
                                     std::int64_t first, Real* buffer) {
  ConvertElements(rows.type, source, first, rows.is_repeated ? 1 : rows.n_columns, buffer);
  if (rows.is_repeated) {
    const Real value = buffer[0];
    for (std::int64_t c = 1; c < rows.n_columns; ++c) buffer[c] = value;
  }
  return buffer;
}

template <typename Real>
using RowBuffers = Real[kRowsTogether][2][kMaxColumns];

// Rows from `row` on, whose input stands as In or is converted to it, which is Real then.
template <bool kHasTail, int kRows, typename In, typename Real>
EXPSYN_INLINE RowGroup<kRows, In, Real> GroupOf(const RecursionRows<Real>& rows, std::int64_t row,
                                                bool is_direct, RowBuffers<Real>& buffers) {
  RowGroup<kRows, In, Real> group;
  for (int i = 0; i < kRows; ++i) {
    const std::int64_t first = (row + i) * rows.input_stride;
    group.output[i] = rows.output + (row + i) * rows.output_stride;
    if constexpr (sizeof(In) == sizeof(Real)) {
      if (!is_direct) {
        group.input[i] = ConvertRow(rows, rows.input, first, buffers[i][0]);
        group.delayed[i] =
            kHasTail ? ConvertRow(rows, rows.delayed, first, buffers[i][1]) : nullptr;
        continue;
      }
    }
    group.input[i] = static_cast<const In*>(rows.input) + first;
    group.delayed[i] = kHasTail ? static_cast<const In*>(rows.delayed) + first : nullptr;
  }
  return group;
}

template <bool kHasTail, int kStreamPart, int kRows, typename In, typename Real>
EXPSYN_INLINE void AdvanceGroup(const RecursionRows<Real>& rows, std::int64_t row, bool is_direct,
                                std::int64_t elements_ahead, RowBuffers<Real>& buffers) {
  constexpr int kN = kFull<Real>;
  const auto group = GroupOf<kHasTail, kRows, In>(rows, row, is_direct, buffers);
  std::int64_t column = 0;
  for (; column + kN <= rows.n_columns; column += kN) {
    AdvanceVector<kN, kHasTail, kStreamPart>(rows, column, group);
    // The caches' own prefetching stops at every page.
    for (int i = 0; i < kRows; ++i) {
      __builtin_prefetch(group.input[i] + column + elements_ahead);
    }
  }
  AdvanceRest<kN / 2, kHasTail, kStreamPart>(rows, column, group);
}

// The states of kVectors vectors side by side. Members instead of an array, because the compiler
// keeps an array in memory.
template <int kVectors, typename Real>
struct NarrowState {
  StateVectors<kFull<Real>, Real> first;
  NarrowState<kVectors - 1, Real> rest;
};
template <typename Real>
struct NarrowState<0, Real> {};

template <bool kHasTail, int kVectors, typename Real>
EXPSYN_INLINE void LoadStates(const RecursionRows<Real>& rows, NarrowState<kVectors, Real>& state) {
  if constexpr (kVectors > 0) {
    LoadState<kHasTail>(rows, rows.n_columns - kVectors * kFull<Real>, state.first);
    LoadStates<kHasTail>(rows, state.rest);
  }
}

template <int kVectors, typename Real>
EXPSYN_INLINE void StoreStates(const NarrowState<kVectors, Real>& state,
                               const RecursionRows<Real>& rows) {
  if constexpr (kVectors > 0) {
    StoreState(state.first, rows, rows.n_columns - kVectors * kFull<Real>);
    StoreStates(state.rest, rows);
  }
}

template <bool kHasTail, int kStreamPart, int kVectors, typename In, typename Real>
EXPSYN_INLINE void AdvanceSteps(const In* input, const In* delayed, Real* output,
                                NarrowState<kVectors, Real>& state) {
  if constexpr (kVectors > 0) {
    constexpr int kN = kFull<Real>;
    AdvanceStep<kHasTail, kStreamPart>(input, delayed, output, state.first);
    AdvanceSteps<kHasTail, kStreamPart>(input + kN, delayed + (kHasTail ? kN : 0), output + kN,
                                        state.rest);
  }
}

// All rows, whose columns fill kVectors vectors.
template <int kVectors, bool kHasTail, int kStreamPart, typename In, typename Real>
EXPSYN_INLINE void AdvanceNarrow(const RecursionRows<Real>& rows, bool is_direct,
                                 std::int64_t elements_ahead, RowBuffers<Real>& buffers) {
  NarrowState<kVectors, Real> state;
  LoadStates<kHasTail>(rows, state);
  for (std::int64_t row = 0; row < rows.n_rows; ++row) {
    const auto group = GroupOf<kHasTail, 1, In>(rows, row, is_direct, buffers);
    AdvanceSteps<kHasTail, kStreamPart>(group.input[0], group.delayed[0], group.output[0], state);
    // Longer rows are fetched by the caches themselves, and faster so.
    for (int v = 0; v < kVectors && kVectors <= 2; ++v) {
      __builtin_prefetch(group.input[0] + elements_ahead + v * kFull<Real>);
    }
  }
  StoreStates(state, rows);
}

// All rows, kTogether at a time.
template <int kTogether, bool kHasTail, int kStreamPart, typename In, typename Real>
EXPSYN_INLINE void AdvanceWide(const RecursionRows<Real>& rows, bool is_direct,
                               std::int64_t elements_ahead, RowBuffers<Real>& buffers) {
  std::int64_t row = 0;
  for (; row + kTogether <= rows.n_rows; row += kTogether) {
    AdvanceGroup<kHasTail, kStreamPart, kTogether, In>(rows, row, is_direct, elements_ahead,
                                                       buffers);
  }
  for (; row < rows.n_rows; ++row) {
    AdvanceGroup<kHasTail, kStreamPart, 1, In>(rows, row, is_direct, elements_ahead, buffers);
  }
}

template <bool kHasTail, int kStreamPart, typename In, typename Real>
void AdvanceRowsBy(const RecursionRows<Real>& all) {
  constexpr std::int64_t kPrefetchedBytes = 4096;
  constexpr std::int64_t kN = kFull<Real>;
  // A copy that no store can change, so that its members stay in registers.
  const RecursionRows<Real> rows = all;
  const std::int64_t row_bytes = rows.input_stride * static_cast<int>(sizeof(In));
  const bool is_long = rows.n_columns * static_cast<int>(sizeof(Real)) > kLongRowBytes;
  const std::int64_t rows_ahead =
      row_bytes < kPrefetchedBytes / 2 ? kPrefetchedBytes / row_bytes : 2;
  const bool is_direct = sizeof(In) == 1 || IsReadInPlace(rows);
  const std::int64_t elements_ahead = is_direct ? rows_ahead * rows.input_stride : 0;
  alignas(64) RowBuffers<Real> buffers;
  if (rows.n_columns == kN) {
    AdvanceNarrow<1, kHasTail, kStreamPart, In>(rows, is_direct, elements_ahead, buffers);
  } else if (rows.n_columns == 2 * kN) {
    AdvanceNarrow<2, kHasTail, kStreamPart, In>(rows, is_direct, elements_ahead, buffers);
  } else if (rows.n_columns == 4 * kN) {
    AdvanceNarrow<4, kHasTail, kStreamPart, In>(rows, is_direct, elements_ahead, buffers);
  } else if (rows.n_columns == 8 * kN) {
    AdvanceNarrow<8, kHasTail, kStreamPart, In>(rows, is_direct, elements_ahead, buffers);
  } else if (kStreamPart == 0) {
    AdvanceWide<kRowsTogether, kHasTail, 0, In>(rows, is_direct, elements_ahead, buffers);
  } else if (is_long) {
    AdvanceWide<kLongStreamedRowsTogether, kHasTail, kStreamPart, In>(rows, is_direct,
                                                                      elements_ahead, buffers);
  } else {
    AdvanceWide<1, kHasTail, kStreamPart, In>(rows, is_direct, elements_ahead, buffers);
  }
}

template <int kPart, typename Real>
EXPSYN_INLINE void StreamVectors(const Real* source, std::int64_t size, Real* target) {
  constexpr int kN = kFull<Real>;
  for (std::int64_t i = 0; i < size; i += kN) {
    Vector<Real, kN> vector;
    Load(source + i, vector);
    Stream<kPart>(vector, target + i);
  }
}

template <typename Real>
void CopyPastCaches(const Real* source, std::int64_t size, Real* target) {
  std::int64_t whole = size / kFull<Real> * kFull<Real>;
  const int part = StreamPart(target);
  if (part == 0) whole = 0;
  if (part == 16) StreamVectors<16>(source, whole, target);
#if EXPSYN_SIMD_BYTES > 16
  if (part == EXPSYN_SIMD_BYTES) StreamVectors<EXPSYN_SIMD_BYTES>(source, whole, target);
#endif
  for (std::int64_t i = whole; i < size; ++i) target[i] = source[i];
}

template <int n, typename To, typename From>
EXPSYN_INLINE Vector<To, n> Converted(const Vector<From, n>& vector) {
  if constexpr (n == 1) {
    return static_cast<To>(vector);
  } else {
    return __builtin_convertvector(vector, Vector<To, n>);
  }
}

// The sum that n neighbouring synapses carry, in two parts.
template <int n>
struct CarriedVectors {
  Vector<double, n> high, low;
};

// What some steps keep of a sum, as a factor, and what they lose of it. Each keeps its digits,
// however close to 0 it is.
template <int n>
struct DecayVectors {
  Vector<double, n> kept, lost;
};

// The decay over n_rows steps of synapses with these offsets (see Window).
template <int n>
EXPSYN_INLINE DecayVectors<n> DecayOverRows(const double* decay_offset, std::int64_t n_rows) {
  using V = Vector<double, n>;
  V offset;
  Load(decay_offset, offset);
  DecayVectors<n> one{offset < 0.0 ? 1.0 + offset : offset, offset < 0.0 ? -offset : 1.0 - offset};
  if (n_rows == 1) return one;
  DecayVectors<n> total{V{} + 1.0, V{}};
  for (std::int64_t left = n_rows; left > 0; left >>= 1) {
    if ((left & 1) != 0) {
      total.lost += one.lost * total.kept;
      total.kept *= one.kept;
    }
    one.lost *= 1.0 + one.kept;
    one.kept *= one.kept;
  }
  return total;
}

// What rounding leaves out of sum = a + b (Knuth, 1969).
template <int n>
EXPSYN_INLINE Vector<double, n> SumError(const Vector<double, n>& a, const Vector<double, n>& b,
                                         const Vector<double, n>& sum) {
  const Vector<double, n> b_part = sum - a;
  return (a - (sum - b_part)) + (b - b_part);
}

// Stores the current that is shown, `isyn`, and what it leaves out of the sum of what is left of
// `carried` and `local`.
template <int n, typename Real>
EXPSYN_INLINE void FinishVector(const CarriedVectors<n>& carried, const DecayVectors<n>& decay,
                                const Vector<Real, n>& isyn, const Vector<Real, n>& local,
                                double* next_isyn, double* next_correction) {
  using V = Vector<double, n>;
  // Below this, what a single step loses of a sum might be too small to be a normal number.
  constexpr double kTiny = 0x1p-900;
  const V& high = carried.high;
  const V magnitude = high < 0.0 ? -high : high;
  // Close to 1, a sum loses little: what it loses is subtracted from it, with both parts kept.
  V near = decay.kept > 0.5 ? V{} + 1.0 : V{};
  near = magnitude > kTiny ? near : V{};
  const V factor = near > 0.5 ? -decay.lost : decay.kept;
  const V base = near * high;
  V change = factor * high + Converted<n, double, Real>(local);
  if constexpr (sizeof(Real) == sizeof(double)) change += near * carried.low;
  const V sum = base + change;
  const V shown = Converted<n, double, Real>(isyn);
  V difference = sum - shown;
  // In single precision, what rounding to double leaves out does not count.
  if constexpr (sizeof(Real) == sizeof(double)) difference += SumError<n>(base, change, sum);
  const V correction = difference - difference == 0.0 ? difference : V{};
  Store(shown, next_isyn);
  Store(correction, next_correction);
}

template <int n, typename Real>
EXPSYN_INLINE void FinishColumns(const RecursionEnd<Real>& end, std::int64_t column) {
  CarriedVectors<n> carried;
  Vector<Real, n> isyn, local;
  Load(end.carried + column, carried.high);
  Load(end.carried_low + column, carried.low);
  Load(end.isyn + column, isyn);
  Load(end.local + column, local);
  FinishVector<n, Real>(carried, DecayOverRows<n>(end.decay_offset + column, end.n_rows), isyn,
                        local, end.next_isyn + column, end.next_correction + column);
}

template <typename Real>
void FinishRows(const RecursionEnd<Real>& all) {
  constexpr int kN = kFull<double>;
  const RecursionEnd<Real> end = all;
  std::int64_t column = 0;
  for (; column + kN <= end.n_columns; column += kN) FinishColumns<kN>(end, column);
  for (; column < end.n_columns; ++column) FinishColumns<1>(end, column);
}

// How the input of FewRows stands.
enum class FewDrive { kDirect, kBytes, kOther };

// The drive of n neighbouring synapses in one row.
template <int n, FewDrive kDrive, typename Real>
EXPSYN_INLINE void LoadDrive(const FewRows<Real>& rows, std::int64_t row, std::int64_t column,
                             Vector<Real, n>& drive) {
  const std::int64_t first = row * rows.input_stride + (rows.is_repeated ? 0 : column);
  if constexpr (kDrive == FewDrive::kDirect) {
    LoadAs<n, Real>(static_cast<const Real*>(rows.input) + first, drive);
  } else if constexpr (kDrive == FewDrive::kBytes) {
    LoadAs<n, Real>(static_cast<const std::uint8_t*>(rows.input) + first, drive);
  } else {
    Real elements[n] = {};
    std::int64_t count = n;
    if (rows.is_repeated) count = 1;
    ConvertElements(rows.type, rows.input, first, count, elements);
    for (int i = 1; i < n && rows.is_repeated; ++i) elements[i] = elements[0];
    Load(elements, drive);
  }
}

// All rows of n neighbouring synapses, whose state is taken kM at a time. Returns 0 for each whose
// sums are finite, else NaN.
template <int n, FewDrive kDrive, typename Real>
EXPSYN_INLINE Vector<Real, n> AdvanceFewColumns(const FewRows<Real>& rows, std::int64_t column,
                                                double* next_isyn, double* next_correction) {
  constexpr int kM = n < kFull<double> ? n : kFull<double>;
  alignas(64) Real isyns[n];
  alignas(64) Real locals[n];
  CarriedVectors<kM> carried[n / kM];
  for (int part = 0; part < n / kM; ++part) {
    Vector<double, kM> shown, correction;
    Load(rows.isyn + column + part * kM, shown);
    Load(rows.correction + column + part * kM, correction);
    const Vector<double, kM> sum = shown + correction;
    carried[part].high = sum;
    if constexpr (sizeof(Real) == sizeof(double)) {
      carried[part].low = SumError<kM>(shown, correction, sum);
    }
    Store(Converted<kM, Real, double>(sum), isyns + part * kM);
  }
  Vector<Real, n> decay, drive, isyn;
  Load(rows.decay + column, decay);
  Load(isyns, isyn);
  Vector<Real, n> local{};
  for (std::int64_t row = 0; row < rows.n_rows; ++row) {
    LoadDrive<n, kDrive>(rows, row, column, drive);
    isyn = (isyn + drive) * decay;
    local = (local + drive) * decay;
    Store(isyn, rows.output + row * rows.output_stride + column);
  }
  Store(isyn, isyns);
  Store(local, locals);
  for (int part = 0; part < n / kM; ++part) {
    const std::int64_t first = column + part * kM;
    Vector<Real, kM> last, sum;
    Load(isyns + part * kM, last);
    Load(locals + part * kM, sum);
    FinishVector<kM, Real>(carried[part], DecayOverRows<kM>(rows.decay_offset + first, rows.n_rows),
                           last, sum, next_isyn + first, next_correction + first);
  }
  return isyn * Real{0} + local * Real{0};
}

// The columns from `column` on, which do not fill a vector of 2 * n. Returns 0 or NaN likewise.
template <int n, FewDrive kDrive, typename Real>
EXPSYN_INLINE Real AdvanceFewRest(const FewRows<Real>& rows, std::int64_t column, double* next_isyn,
                                  double* next_correction) {
  Real fault = 0;
  if (column + n <= rows.n_columns) {
    Real faults[n];
    Store(AdvanceFewColumns<n, kDrive>(rows, column, next_isyn, next_correction), faults);
    for (int i = 0; i < n; ++i) fault += faults[i];
    column += n;
  }
  if constexpr (n > 1) {
    fault += AdvanceFewRest<n / 2, kDrive>(rows, column, next_isyn, next_correction);
  }
  return fault;
}

template <FewDrive kDrive, typename Real>
bool AdvanceFewBy(const FewRows<Real>& all) {
  constexpr int kN = kFull<Real>;
  const FewRows<Real> rows = all;
  // The next state may take the place of the one before, which must stay if a sum is not finite.
  alignas(64) double next_isyn[kMaxColumns];
  alignas(64) double next_correction[kMaxColumns];
  Vector<Real, kN> faults{};
  std::int64_t column = 0;
  for (; column + kN <= rows.n_columns; column += kN) {
    faults += AdvanceFewColumns<kN, kDrive>(rows, column, next_isyn, next_correction);
  }
  Real fault = AdvanceFewRest<kN / 2, kDrive>(rows, column, next_isyn, next_correction);
  for (int i = 0; i < kN; ++i) fault += faults[i];
  if (fault != 0) return false;
  for (std::int64_t n = 0; n < rows.n_columns; ++n) {
    rows.next_isyn[n] = next_isyn[n];
    rows.next_correction[n] = next_correction[n];
  }
  return true;
}

template <typename Real>
bool AdvanceFew(const FewRows<Real>& rows) {
  const bool is_aligned = reinterpret_cast<std::uintptr_t>(rows.input) % alignof(Real) == 0;
  if (rows.type == kElementTypeOf<Real> && !rows.is_repeated && is_aligned) {
    return AdvanceFewBy<FewDrive::kDirect>(rows);
  }
  if (rows.type == ElementType::kUint8 && !rows.is_repeated) {
    return AdvanceFewBy<FewDrive::kBytes>(rows);
  }
  return AdvanceFewBy<FewDrive::kOther>(rows);
}

// Makes what was streamed visible to whoever is told that the run is over.
void FinishStreams() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

template <bool kHasTail, typename In, typename Real>
void AdvanceRowsAs(const RecursionRows<Real>& rows) {
  const int part = rows.is_streamed ? StreamPart(rows.output, rows.output_stride) : 0;
  if (part == EXPSYN_SIMD_BYTES) return AdvanceRowsBy<kHasTail, EXPSYN_SIMD_BYTES, In>(rows);
  if (part == 16) return AdvanceRowsBy<kHasTail, 16, In>(rows);
  return AdvanceRowsBy<kHasTail, 0, In>(rows);
}

template <typename Real>
void AdvanceRows(const RecursionRows<Real>& rows) {
  // The usual raster is converted on the way; other types row by row.
  const bool is_bytes = rows.type == ElementType::kUint8 && !rows.is_repeated;
  if (rows.delayed != nullptr) {
    return is_bytes ? AdvanceRowsAs<true, std::uint8_t>(rows) : AdvanceRowsAs<true, Real>(rows);
  }
  return is_bytes ? AdvanceRowsAs<false, std::uint8_t>(rows) : AdvanceRowsAs<false, Real>(rows);
}

// The arrays as parameters of their own, so that the compiler takes them to be apart.
EXPSYN_INLINE void CarryOverColumns(std::int64_t n_columns, const double* __restrict decay,
                                    const double* __restrict decay_low, double* __restrict carried,
                                    double* __restrict carried_low, double* __restrict isyn,
                                    double* __restrict local, double* __restrict fault) {
  for (std::int64_t c = 0; c < n_columns; ++c) {
    fault[c] += isyn[c] * 0.0 + local[c] * 0.0;
    const DoubleDouble sum =
        DoubleDouble{carried[c], carried_low[c]} * DoubleDouble{decay[c], decay_low[c]} + local[c];
    carried[c] = sum.high;
    carried_low[c] = sum.low;
    isyn[c] = sum.high;
    local[c] = 0;
  }
}

EXPSYN_INLINE void CarryOverColumns(std::int64_t n_columns, const double* __restrict decay,
                                    const double* /*decay_low*/, double* __restrict carried,
                                    double* /*carried_low*/, float* __restrict isyn,
                                    float* __restrict local, float* __restrict fault) {
  for (std::int64_t c = 0; c < n_columns; ++c) {
    fault[c] += isyn[c] * 0.0f + local[c] * 0.0f;
    const double sum = carried[c] * decay[c] + static_cast<double>(local[c]);
    carried[c] = sum;
    isyn[c] = static_cast<float>(sum);
    local[c] = 0;
  }
}

template <typename Real>
void CarryOver(const RecursionCarry<Real>& carry) {
  CarryOverColumns(carry.n_columns, carry.restart_decay, carry.restart_decay_low, carry.carried,
                   carry.carried_low, carry.isyn, carry.local, carry.fault);
}

template <typename Real>
void CarryOverChunks(const RecursionCarry<Real>& all, std::int64_t n_chunks, Real* states) {
  const RecursionCarry<Real> carry = all;
  for (std::int64_t chunk = 0; chunk < n_chunks; ++chunk) {
    Real* state = states + chunk * carry.n_columns;
    for (std::int64_t c = 0; c < carry.n_columns; ++c) {
      carry.local[c] = state[c];
      state[c] = carry.isyn[c];
    }
    CarryOverColumns(carry.n_columns, carry.restart_decay, carry.restart_decay_low, carry.carried,
                     carry.carried_low, carry.isyn, carry.local, carry.fault);
  }
}

// Elements first .. first + size - 1 of rows of `type`, repeated for each column where they have
// one only: where they stand, or converted in `buffer`.
template <typename Real>
EXPSYN_INLINE const Real* ElementsOf(const RecursionRows<Real>& rows, const void* source,
                                     std::int64_t first, std::int64_t size, Real* buffer) {
  if (rows.is_repeated) {
    const std::int64_t n_columns = rows.n_columns;
    ConvertElements(rows.type, source, first / n_columns, size / n_columns, buffer);
    // From the back, so that nothing is overwritten before it is read.
    for (std::int64_t i = size - 1; i > 0; --i) buffer[i] = buffer[i / n_columns];
    return buffer;
  }
  if (IsReadInPlace(rows)) return static_cast<const Real*>(source) + first;
  ConvertElements(rows.type, source, first, size, buffer);
  return buffer;
}

template <typename Real>
void Drive(const RecursionRows<Real>& rows, Real* drive) {
  constexpr int kN = kFull<Real>;
  using V = Vector<Real, kN>;
  constexpr int kMostSynapses = 7;
  constexpr std::int64_t kPeriods = 4;
  const std::int64_t n_synapses = rows.n_columns;
  // A whole number of rows and of vectors; the chunks' length is a multiple of kN.
  const std::int64_t period = n_synapses * kN;
  alignas(64) Real tail_weight[kMostSynapses * kN];
  for (std::int64_t i = 0; i < period; ++i) tail_weight[i] = rows.tail_weight[i % n_synapses];
  alignas(64) Real buffers[2][kPeriods * kMostSynapses * kN];
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
          V weight, gone;
          Load(tail_weight + i, weight);
          Load(delayed + part + i, gone);
          value -= weight * gone;
        }
        Store(value, drive + first + part + i);
      }
    }
  }
}

template <typename Real, int... lane>
EXPSYN_INLINE Vector<Real, sizeof...(lane)> Gather(const Real* source, std::ptrdiff_t stride,
                                                   std::integer_sequence<int, lane...>) {
  return Vector<Real, sizeof...(lane)>{source[lane * stride]...};
}

template <int n, typename Real>
EXPSYN_INLINE void Scatter(const Vector<Real, n>& vector, Real* target, std::ptrdiff_t stride) {
  for (int lane = 0; lane < n; ++lane) target[lane * stride] = vector[lane];
}

// kChunks chunks of one synapse side by side, as many in a vector as fit. With kKeepsStates, the
// state after each step takes the drive's place.
template <int kChunks, bool kKeepsStates, typename Real>
EXPSYN_INLINE void AdvanceChunks(const RecursionChunks<Real>& chunks, Real* drive, Real decay,
                                 Real* state, const char* next) {
  constexpr int kN = kFull<Real> < kChunks ? kFull<Real> : kChunks;
  constexpr int kVectors = kChunks / kN;
  constexpr auto kLanes = std::make_integer_sequence<int, kN>();
  const std::ptrdiff_t row_stride = chunks.n_synapses;
  const std::ptrdiff_t chunk_stride = chunks.chunk_length * chunks.n_synapses;
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
      Real* place = drive + row * row_stride + v * kN * chunk_stride;
      isyn[v] = (isyn[v] + Gather(place, chunk_stride, kLanes)) * decay;
      if constexpr (kKeepsStates) Scatter<kN>(isyn[v], place, chunk_stride);
    }
  }
  for (int v = 0; v < kVectors; ++v) Scatter<kN>(isyn[v], state + v * kN * row_stride, row_stride);
}

template <bool kKeepsStates, typename Real>
void AdvanceAllChunks(const RecursionChunks<Real>& chunks, Real* drive, Real* states) {
  // The memory works while the vectors do.
  const auto* next = static_cast<const char*>(chunks.next_input);
  const std::int64_t next_bytes =
      chunks.n_chunks * chunks.chunk_length * static_cast<int>(sizeof(Real));
  for (std::int64_t synapse = 0; synapse < chunks.n_synapses; ++synapse) {
    const Real decay = chunks.decay[synapse];
    if (chunks.n_chunks == 16) {
      AdvanceChunks<16, kKeepsStates>(chunks, drive + synapse, decay, states + synapse,
                                      next + synapse * next_bytes);
    } else {
      AdvanceChunks<4, kKeepsStates>(chunks, drive + synapse, decay, states + synapse,
                                     next + synapse * next_bytes);
    }
  }
}

template <typename Real>
void SumChunks(const RecursionChunks<Real>& chunks, const Real* drive, Real* states) {
  // Only read, unless states are kept.
  AdvanceAllChunks<false>(chunks, const_cast<Real*>(drive), states);
}

template <typename Real>
void RunChunks(const RecursionChunks<Real>& chunks, Real* drive, Real* states) {
  AdvanceAllChunks<true>(chunks, drive, states);
}

// Noise -------------------------------------------------------------------------------------------

constexpr int kWords = EXPSYN_SIMD_BYTES / 8;
typedef std::uint64_t Words __attribute__((vector_size(kWords * 8)));

// The product of the low halves of each element's 64 bits with `factor`, in 64 bits.
EXPSYN_INLINE Words MultiplyLow(const Words& words, std::uint32_t factor) {
#if defined(__x86_64__) && EXPSYN_SIMD_BYTES == 64
  // With a mask of all, because GCC warns of the undefined operand inside the form without.
  return (Words)_mm512_maskz_mul_epu32(0xFF, (__m512i)words, _mm512_set1_epi64(factor));
#elif defined(__x86_64__) && EXPSYN_SIMD_BYTES == 32
  return (Words)_mm256_mul_epu32((__m256i)words, _mm256_set1_epi64x(factor));
#elif defined(__x86_64__)
  return (Words)_mm_mul_epu32((__m128i)words, _mm_set1_epi64x(factor));
#else
  return (words & 0xFFFFFFFF) * factor;
#endif
}

// Ten rounds of Philox4x32 on each element. Only the low halves count, before and after.
EXPSYN_INLINE void PhiloxRounds(Words (&word)[4], std::uint64_t seed) {
  constexpr std::uint32_t kMultiplier0 = 0xD2511F53;
  constexpr std::uint32_t kMultiplier1 = 0xCD9E8D57;
  constexpr std::uint32_t kWeyl0 = 0x9E3779B9;
  constexpr std::uint32_t kWeyl1 = 0xBB67AE85;
  constexpr int kRounds = 10;
  auto key0 = static_cast<std::uint32_t>(seed);
  auto key1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < kRounds; ++round) {
    const Words product0 = MultiplyLow(word[0], kMultiplier0);
    const Words product1 = MultiplyLow(word[2], kMultiplier1);
    word[0] = (product1 >> 32) ^ word[1] ^ key0;
    word[1] = product1;
    word[2] = (product0 >> 32) ^ word[3] ^ key1;
    word[3] = product0;
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
}

void Philox(const std::uint32_t counter[4], const std::uint32_t key[2], std::uint32_t block[4]) {
  Words word[4];
  for (int w = 0; w < 4; ++w) word[w] = Words{} + counter[w];
  PhiloxRounds(word, std::uint64_t{key[1]} << 32 | key[0]);
  for (int w = 0; w < 4; ++w) block[w] = static_cast<std::uint32_t>(word[w][0]);
}

// Blocks made at a time. The loops over them have no branches, so that they become vectors.
constexpr int kBlocks = 32;

// Counters before, random words after; in the low halves of the elements.
struct Blocks {
  alignas(64) std::uint64_t word[4][kBlocks];
};

EXPSYN_INLINE std::uint32_t WordOf(const Blocks& blocks, int word, int block) {
  return static_cast<std::uint32_t>(blocks.word[word][block]);
}

template <typename To, typename From>
EXPSYN_INLINE To BitCast(From from) {
  To to;
  static_assert(sizeof(to) == sizeof(from));
  __builtin_memcpy(&to, &from, sizeof(to));
  return to;
}

// The natural logarithm of x in [2^-41, 1], to about 1e-13, by x = m 2^k with m near 1 and the
// series log m = 2 (s + s^3 / 3 + s^5 / 5 + ...), s = (m - 1) / (m + 1). Our own, because the
// system's gives other bits on other machines.
EXPSYN_INLINE double Log(double x) {
  constexpr std::uint64_t kSqrtHalfBits = 0x3FE6A09E667F3BCD;
  // Taking the exponent with the bits of sqrt(1/2) as origin puts m into [sqrt(1/2), sqrt(2)).
  const std::uint64_t offset_bits = BitCast<std::uint64_t>(x) - kSqrtHalfBits;
  const std::uint64_t exponent_bits = offset_bits & 0xFFF0000000000000;
  const double m = BitCast<double>((offset_bits - exponent_bits) + kSqrtHalfBits);
  // The exponent lies in [-41, 0]; as the low bits of 2^52 + 1024 + k it converts by subtraction.
  const std::uint64_t exponent = 1024 - ((0 - exponent_bits) >> 52 & 0xFFF);
  const double k = BitCast<double>(0x4330000000000000 | exponent) - (0x1p52 + 1024);
  const double s = (m - 1.0) / (m + 1.0);
  const double s2 = s * s;
  double series = 1.0 / 15;
  series = series * s2 + 1.0 / 13;
  series = series * s2 + 1.0 / 11;
  series = series * s2 + 1.0 / 9;
  series = series * s2 + 1.0 / 7;
  series = series * s2 + 1.0 / 5;
  series = series * s2 + 1.0 / 3;
  series = series * s2;
  return k * 0.6931471805599453 + (2.0 * s + 2.0 * s * series);
}

// The same in single precision, for x in [2^-33, 1].
EXPSYN_INLINE float Log(float x) {
  constexpr std::int32_t kSqrtHalfBits = 0x3F3504F3;
  const std::int32_t offset_bits = BitCast<std::int32_t>(x) - kSqrtHalfBits;
  const std::int32_t exponent = offset_bits >> 23;
  const auto m = BitCast<float>((offset_bits & 0x007FFFFF) + kSqrtHalfBits);
  const auto k = static_cast<float>(exponent);
  const float s = (m - 1.0f) / (m + 1.0f);
  const float s2 = s * s;
  float series = 1.0f / 9;
  series = series * s2 + 1.0f / 7;
  series = series * s2 + 1.0f / 5;
  series = series * s2 + 1.0f / 3;
  series = series * s2;
  return k * 0.6931472f + (2.0f * s + 2.0f * s * series);
}

template <typename Real>
struct SineCosine {
  Real sine, cosine;
};

// sin and cos of `angle` in [-pi / 4, pi / 4], turned by `quadrant` quarters.
template <typename Real, typename Bits>
EXPSYN_INLINE SineCosine<Real> Turn(Real sine, Real cosine, Bits quadrant) {
  constexpr int kToSign = static_cast<int>(sizeof(Bits)) * 8 - 2;
  // Odd quadrants swap sine and cosine; the second bit of the quadrant turns signs.
  const Bits swap = Bits{0} - (quadrant & 1);
  const Bits sine_bits = BitCast<Bits>(sine);
  const Bits cosine_bits = BitCast<Bits>(cosine);
  const Bits sine_sign = (quadrant & 2) << kToSign;
  const Bits cosine_sign = ((quadrant + 1) & 2) << kToSign;
  return {BitCast<Real>(((sine_bits & ~swap) | (cosine_bits & swap)) ^ sine_sign),
          BitCast<Real>(((cosine_bits & ~swap) | (sine_bits & swap)) ^ cosine_sign)};
}

// sin and cos of 2 pi u for u in [0, 1), by the Taylor series on a quarter turn about 0.
EXPSYN_INLINE SineCosine<double> SineCosineOfTurns(double u) {
  // Adding 2^52 rounds 4u to the nearest integer, the quadrant, into the low bits.
  const double rounder = 4.0 * u + 0x1p52;
  const double angle = (4.0 * u - (rounder - 0x1p52)) * 1.5707963267948966;
  const double a2 = angle * angle;
  double sine = 1.0 / 6227020800.0;
  sine = sine * a2 - 1.0 / 39916800.0;
  sine = sine * a2 + 1.0 / 362880.0;
  sine = sine * a2 - 1.0 / 5040.0;
  sine = sine * a2 + 1.0 / 120.0;
  sine = sine * a2 - 1.0 / 6.0;
  sine = sine * a2 * angle + angle;
  double cosine = -1.0 / 87178291200.0;
  cosine = cosine * a2 + 1.0 / 479001600.0;
  cosine = cosine * a2 - 1.0 / 3628800.0;
  cosine = cosine * a2 + 1.0 / 40320.0;
  cosine = cosine * a2 - 1.0 / 720.0;
  cosine = cosine * a2 + 1.0 / 24.0;
  cosine = cosine * a2 - 1.0 / 2.0;
  cosine = cosine * a2 + 1.0;
  return Turn(sine, cosine, BitCast<std::uint64_t>(rounder));
}

// sin and cos of 2 pi word / 2^32.
EXPSYN_INLINE SineCosine<float> SineCosineOfTurns(std::uint32_t word) {
  const std::uint32_t quadrant = (word + 0x20000000u) >> 30;
  const auto rest = static_cast<std::int32_t>(word - (quadrant << 30));
  const float angle = static_cast<float>(rest) * 1.4629180792671596e-09f;
  const float a2 = angle * angle;
  float sine = 1.0f / 362880.0f;
  sine = sine * a2 - 1.0f / 5040.0f;
  sine = sine * a2 + 1.0f / 120.0f;
  sine = sine * a2 - 1.0f / 6.0f;
  sine = sine * a2 * angle + angle;
  float cosine = 1.0f / 40320.0f;
  cosine = cosine * a2 - 1.0f / 720.0f;
  cosine = cosine * a2 + 1.0f / 24.0f;
  cosine = cosine * a2 - 1.0f / 2.0f;
  cosine = cosine * a2 + 1.0f;
  return Turn(sine, cosine, quadrant);
}

// Box and Muller: two normal numbers from two random words.
template <typename Real>
struct NormalPair {
  Real cosine, sine;
};

EXPSYN_INLINE NormalPair<double> MakePair(std::uint32_t word0, std::uint32_t word1, double) {
  // The mantissas of numbers in [1, 2): 40 bits, and the other 24.
  constexpr std::uint64_t kExponentOfOne = 0x3FF0000000000000;
  const std::uint64_t bits = std::uint64_t{word0} << 20 | std::uint64_t{word1 & 0xFF000000} >> 12;
  const std::uint64_t turn_bits = std::uint64_t{word1 & 0x00FFFFFF} << 28;
  const double u = (BitCast<double>(bits | kExponentOfOne) - 1.0) + 0x1p-41;
  const double turns = BitCast<double>(turn_bits | kExponentOfOne) - 1.0;
  const double radius = __builtin_sqrt(-2.0 * Log(u));
  const SineCosine<double> direction = SineCosineOfTurns(turns);
  return {radius * direction.cosine, radius * direction.sine};
}

EXPSYN_INLINE NormalPair<float> MakePair(std::uint32_t word0, std::uint32_t word1, float) {
  // 31 bits, because vectors convert signed integers only.
  const auto bits = static_cast<std::int32_t>(word0 >> 1);
  const float u = static_cast<float>(bits) * 0x1p-31f + 0x1p-33f;
  const float radius = __builtin_sqrtf(-2.0f * Log(u));
  const SineCosine<float> direction = SineCosineOfTurns(word1);
  return {radius * direction.cosine, radius * direction.sine};
}

constexpr int kPerBlock = 4;

// The normal numbers of each block, block after block.
template <typename Real>
EXPSYN_INLINE void Normals(const Blocks& blocks, Real* normals) {
  alignas(64) Real part[kPerBlock][kBlocks];
  for (int pair = 0; pair < kPerBlock / 2; ++pair) {
    for (int i = 0; i < kBlocks; ++i) {
      const NormalPair<Real> two =
          MakePair(WordOf(blocks, 2 * pair, i), WordOf(blocks, 2 * pair + 1, i), Real{});
      part[2 * pair][i] = two.cosine;
      part[2 * pair + 1][i] = two.sine;
    }
  }
  for (int i = 0; i < kBlocks; ++i) {
    for (int j = 0; j < kPerBlock; ++j) normals[kPerBlock * i + j] = part[j][i];
  }
}

// The places of kBlocks blocks that follow each other, row after row.
struct BlockPlaces {
  alignas(64) std::uint64_t row[kBlocks];
  alignas(64) std::uint64_t block[kBlocks];

  explicit BlockPlaces(std::uint64_t blocks_per_row) {
    std::uint64_t row_here = 0;
    std::uint64_t block_here = 0;
    for (int i = 0; i < kBlocks; ++i) {
      row[i] = row_here;
      block[i] = block_here;
      if (++block_here == blocks_per_row) {
        block_here = 0;
        ++row_here;
      }
    }
  }

  // kBlocks blocks on.
  void Advance(std::uint64_t blocks_per_row, std::uint64_t more_rows, std::uint64_t more_blocks) {
    for (int i = 0; i < kBlocks; ++i) {
      const std::uint64_t here = block[i] + more_blocks;
      const std::uint64_t is_over = here >= blocks_per_row ? 1 : 0;
      block[i] = here - (is_over != 0 ? blocks_per_row : 0);
      row[i] += more_rows + is_over;
    }
  }
};

template <typename Real>
EXPSYN_INLINE void AddScaled(const Real* base, const Real* normals, Real scale, std::int64_t size,
                             Real* target) {
  for (std::int64_t i = 0; i < size; ++i) target[i] = base[i] + scale * normals[i];
}

// The same for whole vectors, past the caches in parts of `part` bytes.
template <int kPart, typename Real>
EXPSYN_INLINE void StreamScaledBy(const Real* base, const Real* normals, Real scale,
                                  std::int64_t size, Real* target) {
  constexpr int kN = kFull<Real>;
  for (std::int64_t i = 0; i < size; i += kN) {
    Vector<Real, kN> sum, normal;
    Load(base + i, sum);
    Load(normals + i, normal);
    sum += scale * normal;
    Stream<kPart>(sum, target + i);
  }
}
template <typename Real>
EXPSYN_INLINE void StreamScaled(int part, const Real* base, const Real* normals, Real scale,
                                std::int64_t size, Real* target) {
  if (part == 16) StreamScaledBy<16>(base, normals, scale, size, target);
#if EXPSYN_SIMD_BYTES > 16
  if (part == EXPSYN_SIMD_BYTES) {
    StreamScaledBy<EXPSYN_SIMD_BYTES>(base, normals, scale, size, target);
  }
#endif
}

template <typename Real>
void AddNormals(const NormalPlaces& places, const Real* base, Real* target) {
  constexpr int kSize = kPerBlock * kBlocks;
  const auto scale = static_cast<Real>(places.scale);
  const std::int64_t first_column = places.synapse;
  const std::int64_t end_column = first_column + places.n_columns;
  const std::int64_t first_block = first_column / kPerBlock;
  const std::int64_t blocks_per_row = (end_column - 1) / kPerBlock - first_block + 1;
  const bool is_contiguous = places.stride == places.n_columns && first_column % kPerBlock == 0 &&
                             end_column % kPerBlock == 0;
  const std::int64_t n_blocks = places.n_rows * blocks_per_row;
  const auto per_row = static_cast<std::uint64_t>(blocks_per_row);
  const std::uint64_t more_rows = kBlocks / per_row;
  const std::uint64_t more_blocks = kBlocks % per_row;
  const int stream_part = places.is_streamed && is_contiguous ? StreamPart(target) : 0;
  const auto* ahead = static_cast<const char*>(places.ahead);
  const std::int64_t ahead_step = places.ahead_bytes * kBlocks / n_blocks;

  BlockPlaces block_places(per_row);
  Blocks blocks;
  alignas(64) Real normals[kPerBlock * kBlocks];
  std::int64_t row = 0;
  std::int64_t block = 0;  // within its row
  for (std::int64_t made = 0; made < n_blocks; made += kBlocks) {
    for (int i = 0; i < kBlocks; ++i) {
      const std::uint64_t step = places.step + block_places.row[i];
      blocks.word[0][i] = step;
      blocks.word[1][i] = step >> 32;
      blocks.word[2][i] = static_cast<std::uint64_t>(first_block) + block_places.block[i];
      blocks.word[3][i] = places.batch;
    }
    for (int i = 0; i < kBlocks; i += kWords) {
      Words word[4];
      for (int w = 0; w < 4; ++w) Load(blocks.word[w] + i, word[w]);
      PhiloxRounds(word, places.seed);
      for (int w = 0; w < 4; ++w) Store(word[w], blocks.word[w] + i);
    }
    // The memory works while the numbers are made.
    for (std::int64_t byte = 0; byte < ahead_step; byte += 64) __builtin_prefetch(ahead + byte);
    ahead += ahead_step;
    Normals(blocks, normals);
    const std::int64_t n_left = n_blocks - made;
    const std::int64_t n_here = n_left < kBlocks ? n_left : kBlocks;
    if (n_left > kBlocks) block_places.Advance(per_row, more_rows, more_blocks);
    if (is_contiguous) {
      const Real* from = base + made * kPerBlock;
      Real* to = target + made * kPerBlock;
      if (n_here == kBlocks && stream_part > 0) {
        StreamScaled(stream_part, from, normals, scale, kSize, to);
      } else {
        AddScaled(from, normals, scale, n_here * kPerBlock, to);
      }
      continue;
    }
    // Row by row, to the columns that are asked for.
    for (std::int64_t i = 0; i < n_here;) {
      const std::int64_t in_row = blocks_per_row - block;
      const std::int64_t n_run = in_row < n_here - i ? in_row : n_here - i;
      const std::int64_t run_column = (first_block + block) * kPerBlock;
      const std::int64_t run_end = run_column + n_run * kPerBlock;
      const std::int64_t from = run_column > first_column ? run_column : first_column;
      const std::int64_t to = run_end < end_column ? run_end : end_column;
      const std::ptrdiff_t place = row * places.stride + (from - first_column);
      AddScaled(base + place, normals + i * kPerBlock + (from - run_column), scale, to - from,
                target + place);
      i += n_run;
      block += n_run;
      if (block == blocks_per_row) {
        block = 0;
        ++row;
      }
    }
  }
}

template <typename Real>
void Add(const Real* base, const Real* source, std::int64_t size, Real* target, bool is_streamed) {
  const int part = is_streamed ? StreamPart(target) : 0;
  const std::int64_t whole = part > 0 ? size / kFull<Real> * kFull<Real> : 0;
  if (whole > 0) StreamScaled(part, base, source, Real{1}, whole, target);
  for (std::int64_t i = whole; i < size; ++i) target[i] = base[i] + source[i];
}

// Transforms --------------------------------------------------------------------------------------

// n / 2 complex numbers, interleaved: spectrum *= kernel.
//
// Written with shuffles, a product with alternating signs and a sum: from subtracted and added
// products side by side GCC makes one fused instruction where the processor has it, even with
// -ffp-contract=off, and that rounds differently.
#if defined(EXPSYN_HAS_SHUFFLE)
template <int n, typename Real, int... lane>
EXPSYN_INLINE void MultiplyComplex(Real* spectrum, const Real* kernel,
                                   std::integer_sequence<int, lane...>) {
  using V = Vector<Real, n>;
  constexpr V kSigns{(lane % 2 == 0 ? Real{-1} : Real{1})...};
  V value, factor;
  Load(spectrum, value);
  Load(kernel, factor);
  const V swapped = __builtin_shufflevector(value, value, (lane ^ 1)...);
  const V real = __builtin_shufflevector(factor, factor, (lane & ~1)...);
  const V imaginary = __builtin_shufflevector(factor, factor, (lane | 1)...);
  value = value * real + swapped * (imaginary * kSigns);
  Store(value, spectrum);
}
#endif

template <typename Real>
void MultiplySpectra(Real* __restrict spectrum, const Real* __restrict kernel, std::int64_t size) {
#if defined(EXPSYN_HAS_SHUFFLE)
  constexpr int kN = kFull<Real>;
  std::int64_t i = 0;
  for (; i + kN <= 2 * size; i += kN) {
    MultiplyComplex<kN>(spectrum + i, kernel + i, std::make_integer_sequence<int, kN>());
  }
  for (; i < 2 * size; i += 2) {
    MultiplyComplex<2>(spectrum + i, kernel + i, std::make_integer_sequence<int, 2>());
  }
#else
  // Written out, because std::complex's product checks for infinities.
  for (std::int64_t i = 0; i < size; ++i) {
    const Real real = spectrum[2 * i] * kernel[2 * i] - spectrum[2 * i + 1] * kernel[2 * i + 1];
    const Real imaginary =
        spectrum[2 * i] * kernel[2 * i + 1] + spectrum[2 * i + 1] * kernel[2 * i];
    spectrum[2 * i] = real;
    spectrum[2 * i + 1] = imaginary;
  }
#endif
}

template <typename Real>
EXPSYN_INLINE void TransposeSquare(const Real* source, std::ptrdiff_t source_stride, Real* target,
                                   std::ptrdiff_t target_stride) {
#if defined(EXPSYN_HAS_SHUFFLE)
  using V = Vector<Real, 4>;
  V row[4];
  for (int i = 0; i < 4; ++i) Load(source + i * source_stride, row[i]);
  const V even01 = __builtin_shufflevector(row[0], row[1], 0, 4, 2, 6);
  const V odd01 = __builtin_shufflevector(row[0], row[1], 1, 5, 3, 7);
  const V even23 = __builtin_shufflevector(row[2], row[3], 0, 4, 2, 6);
  const V odd23 = __builtin_shufflevector(row[2], row[3], 1, 5, 3, 7);
  const V column0 = __builtin_shufflevector(even01, even23, 0, 1, 4, 5);
  const V column1 = __builtin_shufflevector(odd01, odd23, 0, 1, 4, 5);
  const V column2 = __builtin_shufflevector(even01, even23, 2, 3, 6, 7);
  const V column3 = __builtin_shufflevector(odd01, odd23, 2, 3, 6, 7);
  Store(column0, target);
  Store(column1, target + target_stride);
  Store(column2, target + 2 * target_stride);
  Store(column3, target + 3 * target_stride);
#else
  for (int column = 0; column < 4; ++column) {
    for (int i = 0; i < 4; ++i) {
      target[column * target_stride + i] = source[i * source_stride + column];
    }
  }
#endif
}

template <typename Real>
void Transpose(const Real* source, std::ptrdiff_t source_stride, std::int64_t n_rows,
               std::int64_t n_columns, Real* target, std::ptrdiff_t target_stride) {
  constexpr std::int64_t kN = 4;
  // A cache line's width of rows at a time: each line is used whole before it leaves the cache.
  constexpr std::int64_t kBand = 64 / static_cast<int>(sizeof(Real));
  const std::int64_t n_squares = n_columns / kN * kN;
  for (std::int64_t band = 0; band < n_rows; band += kBand) {
    const std::int64_t band_end = band + kBand < n_rows ? band + kBand : n_rows;
    const std::int64_t squares_end = band + (band_end - band) / kN * kN;
    for (std::int64_t column = 0; column < n_columns; column += kN) {
      const Real* from = source + column;
      Real* to = target + column * target_stride;
      std::int64_t row = band;
      if (column < n_squares) {
        for (; row < squares_end; row += kN) {
          TransposeSquare(from + row * source_stride, source_stride, to + row, target_stride);
        }
      }
      const std::int64_t width = n_columns - column < kN ? n_columns - column : kN;
      for (; row < band_end; ++row) {
        for (std::int64_t c = 0; c < width; ++c) {
          to[c * target_stride + row] = from[row * source_stride + c];
        }
      }
    }
  }
}

// Whether none of a vector's values is other than 0.
template <typename Real>
EXPSYN_INLINE bool IsZero(const Real* values) {
  constexpr int kN = kFull<Real>;
  Vector<Real, kN> vector;
  Load(values, vector);
  const auto differs = vector != Real{0};
  bool is_zero = true;
  for (int lane = 0; lane < kN; ++lane) is_zero &= differs[lane] == 0;
  return is_zero;
}

template <typename Real>
std::int64_t FindFirst(const Real* values, std::int64_t begin, std::int64_t end) {
  constexpr int kN = kFull<Real>;
  while (begin + kN <= end && IsZero(values + begin)) begin += kN;
  for (; begin < end; ++begin) {
    if (values[begin] != 0) return begin;
  }
  return -1;
}

template <typename Real>
std::int64_t FindLast(const Real* values, std::int64_t begin, std::int64_t end) {
  constexpr int kN = kFull<Real>;
  while (begin + kN <= end && IsZero(values + end - kN)) end -= kN;
  for (; begin < end; --end) {
    if (values[end - 1] != 0) return end - 1;
  }
  return -1;
}

template <typename Real>
Real Peak(const Real* values, std::int64_t size) {
  constexpr int kN = kFull<Real>;
  using V = Vector<Real, kN>;
  V peak{};
  V fault{};  // NaN where something was not finite
  std::int64_t i = 0;
  for (; i + kN <= size; i += kN) {
    V value;
    Load(values + i, value);
    fault += value * Real{0};
    value = value < Real{0} ? -value : value;
    peak = value > peak ? value : peak;
  }
  Real result = 0;
  Real result_fault = 0;
  for (int lane = 0; lane < kN; ++lane) {
    result = peak[lane] > result ? peak[lane] : result;
    result_fault += fault[lane];
  }
  for (; i < size; ++i) {
    result_fault += values[i] * Real{0};
    const Real value = values[i] < 0 ? -values[i] : values[i];
    result = value > result ? value : result;
  }
  return result + result_fault;
}

// Windows -----------------------------------------------------------------------------------------

void FillWindow(const double* tau, std::int64_t size, double dt, double length, bool is_cut,
                const WindowArrays& arrays) {
  static_assert(kRestartInterval<float> == 16 && kRestartInterval<double> == 64);
  constexpr double kSmallest = 0x1p-1022;
  const double far_weight = is_cut ? 1.0 : 0.0;
  // Some synapses at a time, in places that the compiler knows to be apart.
  constexpr int kPlaces = 16;
  alignas(64) double taus[kPlaces], dts[kPlaces];
  alignas(64) double decay[2][kPlaces], tail_weight[2][kPlaces], restart32[kPlaces];
  alignas(64) double restart64[2][kPlaces];
  for (std::int64_t first = 0; first < size; first += kPlaces) {
    const int count = size - first < kPlaces ? static_cast<int>(size - first) : kPlaces;
    for (int i = 0; i < kPlaces; ++i) {
      const double given = i < count ? tau[first + i] : 1.0;
      // Only the quotient counts, and close to the largest numbers products would overflow.
      const double scale = given > 0x1p900 || dt > 0x1p900 ? 0x1p-200 : 1.0;
      taus[i] = given * scale;
      dts[i] = dt * scale;
    }
    for (int i = 0; i < kPlaces; ++i) {
      const DoubleDouble rate = Quotient(dts[i], taus[i]);
      const DoubleDouble a = ExpOfNegative(-rate);
      decay[0][i] = a.high;
      decay[1][i] = a.low;
      DoubleDouble power = a;
      for (int doubling = 0; doubling < 4; ++doubling) power = power * power;
      restart32[i] = power.high;
      for (int doubling = 0; doubling < 2; ++doubling) power = power * power;
      restart64[0][i] = power.high;
      restart64[1][i] = power.low;
    }
    for (int i = 0; i < kPlaces; ++i) {
      const DoubleDouble rate = Quotient(dts[i], taus[i]);
      const DoubleDouble far = ExpOfNegative(-(rate * length));
      tail_weight[0][i] = far.high * far_weight;
      tail_weight[1][i] = far.low * far_weight;
    }
    for (int i = 0; i < count; ++i) {
      const std::int64_t n = first + i;
      arrays.decay[n] = decay[0][i];
      arrays.decay_low[n] = decay[1][i];
      // Always below 0 for a decay near 1, even if nothing is lost: the sign tells which end is
      // near.
      const double lost = (1.0 - decay[0][i]) - decay[1][i];
      arrays.decay_offset[n] =
          decay[0][i] > 0.5 ? -(lost > kSmallest ? lost : kSmallest) : decay[0][i];
      arrays.tail_weight[n] = tail_weight[0][i];
      arrays.tail_weight_low[n] = tail_weight[1][i];
      arrays.decay32[n] = static_cast<float>(decay[0][i]);
      arrays.tail_weight32[n] = static_cast<float>(tail_weight[0][i]);
      arrays.restart_decay32[n] = restart32[i];
      arrays.restart_decay64[n] = restart64[0][i];
      arrays.restart_decay64_low[n] = restart64[1][i];
    }
  }
}

template <typename Real>
constexpr Ops::Of<Real> AllOf() {
  return {ConvertElements<Real>,
          AdvanceRows<Real>,
          AdvanceFew<Real>,
          FinishRows<Real>,
          CopyPastCaches<Real>,
          CarryOver<Real>,
          CarryOverChunks<Real>,
          Drive<Real>,
          SumChunks<Real>,
          RunChunks<Real>,
          AddNormals<Real>,
          Add<Real>,
          MultiplySpectra<Real>,
          Transpose<Real>,
          FindFirst<Real>,
          FindLast<Real>,
          Peak<Real>};
}

const Ops& Table() {
  static const Ops table{Philox, FillWindow, FinishStreams, AllOf<float>(), AllOf<double>()};
  return table;
}

#undef EXPSYN_INLINE
#undef EXPSYN_HAS_SHUFFLE

}  // namespace EXPSYN_SIMD_SET
}  // namespace expsyn::simd
