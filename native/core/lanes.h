#ifndef EXPSYN_CORE_LANES_H_
#define EXPSYN_CORE_LANES_H_

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace expsyn {

// Eight doubles that the compiler keeps in vector registers, whatever their width on the target.
// Arithmetic is element by element, so the result is the same on every processor.
inline constexpr int kLanes = 8;
typedef double Lanes __attribute__((vector_size(kLanes * sizeof(double))));

// Loads eight elements, converted to double; `source` may be unaligned.
template <typename T>
inline __attribute__((always_inline)) void LoadLanes(const T* source, Lanes& lanes) {
  if constexpr (std::is_same_v<T, double>) {
    std::memcpy(&lanes, source, sizeof(lanes));
  } else {
    typedef T Elements __attribute__((vector_size(kLanes * sizeof(T))));
    Elements elements;
    std::memcpy(&elements, source, sizeof(elements));
    if constexpr (sizeof(T) < sizeof(std::int32_t)) {
      // There are direct conversions of 32-bit integers only.
      typedef std::int32_t Integers __attribute__((vector_size(kLanes * sizeof(std::int32_t))));
      lanes = __builtin_convertvector(__builtin_convertvector(elements, Integers), Lanes);
    } else {
      lanes = __builtin_convertvector(elements, Lanes);
    }
  }
}

// Stores eight doubles, rounded to T; `target` may be unaligned.
template <typename T>
inline __attribute__((always_inline)) void StoreLanes(const Lanes& lanes, T* target) {
  if constexpr (std::is_same_v<T, double>) {
    std::memcpy(target, &lanes, sizeof(lanes));
  } else {
    typedef T Elements __attribute__((vector_size(kLanes * sizeof(T))));
    const Elements elements = __builtin_convertvector(lanes, Elements);
    std::memcpy(target, &elements, sizeof(elements));
  }
}

}  // namespace expsyn

#endif  // EXPSYN_CORE_LANES_H_
