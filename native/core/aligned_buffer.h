#ifndef EXPSYN_CORE_ALIGNED_BUFFER_H_
#define EXPSYN_CORE_ALIGNED_BUFFER_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <type_traits>

namespace expsyn {

// Every buffer starts on a cache line, which is also the widest vector of any supported processor.
inline constexpr std::size_t kAlignment = 64;

// Product of two sizes. Throws std::bad_array_new_length when it does not fit.
inline std::size_t CheckedProduct(std::size_t a, std::size_t b) {
  if (a != 0 && b > std::numeric_limits<std::size_t>::max() / a) {
    throw std::bad_array_new_length();
  }
  return a * b;
}

// A size of 64 bits. Throws std::bad_array_new_length when it is more than an address space has.
inline std::size_t CheckedSize(std::int64_t size) {
  const auto checked = static_cast<std::size_t>(size);
  if (static_cast<std::int64_t>(checked) != size) throw std::bad_array_new_length();
  return checked;
}

// A fixed-size array of plain numbers, aligned to kAlignment and filled with zeros.
// Owns its memory; movable, not copyable. Allocation failure throws std::bad_alloc.
template <typename T>
class AlignedBuffer {
  static_assert(std::is_trivially_copyable_v<T>, "AlignedBuffer holds plain numbers only");

 public:
  AlignedBuffer() = default;

  explicit AlignedBuffer(std::size_t size)
      : size_(size),
        data_(static_cast<T*>(
            ::operator new (CheckedProduct(size, sizeof(T)), std::align_val_t{kAlignment}))) {
    if (size > 0) std::memset(static_cast<void*>(data_.get()), 0, size * sizeof(T));
  }

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  std::size_t size() const { return size_; }
  T& operator[](std::size_t index) { return data_.get()[index]; }
  const T& operator[](std::size_t index) const { return data_.get()[index]; }

 private:
  struct Release {
    void operator()(T* pointer) const {
      ::operator delete (static_cast<void*>(pointer), std::align_val_t{kAlignment});
    }
  };

  std::size_t size_ = 0;
  std::unique_ptr<T, Release> data_;
};

}  // namespace expsyn

#endif  // EXPSYN_CORE_ALIGNED_BUFFER_H_
