#ifndef EXPSYN_CORE_RASTER_H_
#define EXPSYN_CORE_RASTER_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace expsyn {

// Element type of an input raster.
enum class ElementType {
  kInt8,
  kUint8,
  kInt16,
  kUint16,
  kInt32,
  kUint32,
  kInt64,
  kUint64,
  kFloat32,
  kFloat64,
};

std::size_t ElementSize(ElementType type);

// The element type of an array of Real, float or double.
template <typename Real>
inline constexpr ElementType kElementTypeOf = sizeof(Real) == sizeof(float) ? ElementType::kFloat32
                                                                            : ElementType::kFloat64;

class EventList;

// A view of an input of shape (n_batches, n_timesteps, n_columns), row-major. n_columns is the
// number of synapses, or 1 for a column that every synapse receives. Its elements are in memory at
// `data`, or those of a list of events. Owns nothing; `data` needs no alignment.
struct Raster {
  const void* data = nullptr;
  ElementType type = ElementType::kFloat64;
  std::int64_t n_batches = 0;
  std::int64_t n_timesteps = 0;
  std::int64_t n_columns = 0;
  // The events, if it is given by them; its first row is the row `first_row` of the list.
  const EventList* events = nullptr;
  std::int64_t first_row = 0;

  std::int64_t size() const { return n_batches * n_timesteps * n_columns; }
  std::int64_t IndexOf(std::int64_t batch, std::int64_t step, std::int64_t column) const {
    return (batch * n_timesteps + step) * n_columns + column;
  }
  // Some neighbouring items.
  Raster Items(std::int64_t first, std::int64_t count) const {
    return Rows(first * n_timesteps, count, n_timesteps);
  }
  // Some neighbouring steps of a raster of one item.
  Raster Steps(std::int64_t first, std::int64_t count) const { return Rows(first, 1, count); }
  // The address of the element at a flat index.
  const void* AddressOf(std::int64_t index) const {
    return static_cast<const char*>(data) + index * static_cast<std::int64_t>(ElementSize(type));
  }

 private:
  Raster Rows(std::int64_t first, std::int64_t batches, std::int64_t timesteps) const {
    Raster rows = *this;
    rows.n_batches = batches;
    rows.n_timesteps = timesteps;
    rows.first_row += first;
    if (data != nullptr) rows.data = AddressOf(first * n_columns);
    return rows;
  }
};

// Calls `function` with a null pointer of the C++ type that `type` stands for.
template <typename Function>
auto WithElement(ElementType type, Function&& function) {
  switch (type) {
    case ElementType::kInt8:
      return function(static_cast<const std::int8_t*>(nullptr));
    case ElementType::kUint8:
      return function(static_cast<const std::uint8_t*>(nullptr));
    case ElementType::kInt16:
      return function(static_cast<const std::int16_t*>(nullptr));
    case ElementType::kUint16:
      return function(static_cast<const std::uint16_t*>(nullptr));
    case ElementType::kInt32:
      return function(static_cast<const std::int32_t*>(nullptr));
    case ElementType::kUint32:
      return function(static_cast<const std::uint32_t*>(nullptr));
    case ElementType::kInt64:
      return function(static_cast<const std::int64_t*>(nullptr));
    case ElementType::kUint64:
      return function(static_cast<const std::uint64_t*>(nullptr));
    case ElementType::kFloat32:
      return function(static_cast<const float*>(nullptr));
    case ElementType::kFloat64:
      break;
  }
  return function(static_cast<const double*>(nullptr));
}

// Reads element `index` of an array of T that may be unaligned.
template <typename T>
T LoadElement(const void* data, std::int64_t index) {
  T value;
  std::memcpy(&value, static_cast<const char*>(data) + index * static_cast<std::int64_t>(sizeof(T)),
              sizeof(T));
  return value;
}

// Whether the element at a flat index is neither NaN nor infinite.
bool IsFinite(const Raster& raster, std::int64_t index);

// Flat index of the first NaN or infinity in the raster, or -1.
std::int64_t FirstNonFinite(const Raster& raster);

}  // namespace expsyn

#endif  // EXPSYN_CORE_RASTER_H_
