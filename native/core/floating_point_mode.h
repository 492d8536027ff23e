#ifndef EXPSYN_CORE_FLOATING_POINT_MODE_H_
#define EXPSYN_CORE_FLOATING_POINT_MODE_H_

#include <cstdint>
#include <limits>

#if defined(__x86_64__) || defined(__i386__)
#include <xmmintrin.h>
#endif

namespace expsyn {

#if defined(_WIN32) && defined(__x86_64__)
// The x87 unit computes in extended precision while it lives. The C library of mingw-w64 computes
// exp() there, and Windows starts threads with another precision than that library, so that results
// would depend on the thread. For stack use only.
class ExtendedPrecision {
 public:
  ExtendedPrecision() {
    __asm__ volatile("fnstcw %0" : "=m"(saved_));
    const auto extended = static_cast<std::uint16_t>((saved_ & ~kMask) | kExtended);
    __asm__ volatile("fldcw %0" : : "m"(extended) : "memory");
  }
  ~ExtendedPrecision() { __asm__ volatile("fldcw %0" : : "m"(saved_) : "memory"); }
  ExtendedPrecision(const ExtendedPrecision&) = delete;
  ExtendedPrecision& operator=(const ExtendedPrecision&) = delete;

 private:
  // Of precision and of rounding, which is to nearest.
  static constexpr unsigned kMask = 15u << 8;
  static constexpr unsigned kExtended = 3u << 8;

  std::uint16_t saved_ = 0;
};
#else
// Other systems compute nothing by x87 instructions.
class ExtendedPrecision {};
#endif

// Whether the processor has no mode that counts subnormal numbers as zero. WebAssembly has none.
#if defined(__wasm__)
inline constexpr bool kKeepsSubnormals = true;
#else
inline constexpr bool kKeepsSubnormals = false;
#endif

// A result as it is while FlushSubnormals lives. Where there is no such mode, a subnormal number
// becomes zero here, of the same sign.
template <typename Real>
inline __attribute__((always_inline)) Real Flushed(Real value) {
  constexpr Real kMin = std::numeric_limits<Real>::min();
  return kKeepsSubnormals && value < kMin && value > -kMin ? value * 0 : value;
}

// While it lives, subnormal numbers count as zero on this thread, and rounding is to nearest; the
// mode found at construction is restored at destruction. A decaying trace would otherwise spend
// its last steps in subnormal arithmetic, which is many times slower. For stack use only.
class FlushSubnormals {
 public:
  // Writing it takes longer than reading it.
  FlushSubnormals() : saved_(Read()) {
    if (Flushing(saved_) != saved_) Write(Flushing(saved_));
  }
  ~FlushSubnormals() {
    if (Flushing(saved_) != saved_) Write(saved_);
  }
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

  // The control word of the calling thread: comparing two of them tells whether it changed.
  static std::uint64_t Read() {
#if defined(__x86_64__) || defined(__i386__)
    return _mm_getcsr();
#elif defined(__aarch64__)
    std::uint64_t word;
    __asm__ volatile("mrs %0, fpcr" : "=r"(word));
    return word;
#else
    return 0;
#endif
  }

 private:
  static std::uint64_t Flushing(std::uint64_t word) {
#if defined(__x86_64__) || defined(__i386__)
    constexpr std::uint64_t kFlushToZero = 1u << 15;
    constexpr std::uint64_t kDenormalsAreZero = 1u << 6;
    constexpr std::uint64_t kRounding = 3u << 13;
    return (word & ~kRounding) | kFlushToZero | kDenormalsAreZero;
#elif defined(__aarch64__)
    constexpr std::uint64_t kFlushToZero = 1u << 24;
    constexpr std::uint64_t kRounding = 3u << 22;
    return (word & ~kRounding) | kFlushToZero;
#else
    return word;
#endif
  }

  static void Write(std::uint64_t word) {
#if defined(__x86_64__) || defined(__i386__)
    _mm_setcsr(static_cast<unsigned>(word));
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(word));
#else
    static_cast<void>(word);
#endif
  }

  std::uint64_t saved_;
  ExtendedPrecision extended_precision_;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_FLOATING_POINT_MODE_H_
