#include "raster.h"

#include <cmath>
#include <type_traits>

#include "events.h"

namespace expsyn {

std::size_t ElementSize(ElementType type) {
  return WithElement(type, [](auto* element) { return sizeof(*element); });
}

bool IsFinite(const Raster& raster, std::int64_t index) {
  if (raster.events != nullptr) {
    return std::isfinite(raster.events->ElementAt(raster.first_row + index / raster.n_columns,
                                                  index % raster.n_columns));
  }
  switch (raster.type) {
    case ElementType::kFloat32:
      return std::isfinite(LoadElement<float>(raster.data, index));
    case ElementType::kFloat64:
      return std::isfinite(LoadElement<double>(raster.data, index));
    default:
      return true;
  }
}

std::int64_t FirstNonFinite(const Raster& raster) {
  if (raster.events != nullptr) {
    std::int64_t row = 0;
    std::int64_t column = 0;
    const std::int64_t n_rows = raster.n_batches * raster.n_timesteps;
    if (raster.events->AreFinite(raster.first_row, n_rows, &row, &column)) return -1;
    return (row - raster.first_row) * raster.n_columns + column;
  }
  return WithElement(raster.type, [&](auto* element) -> std::int64_t {
    using T = std::remove_cv_t<std::remove_pointer_t<decltype(element)>>;
    if constexpr (std::is_floating_point_v<T>) {
      const std::int64_t size = raster.size();
      for (std::int64_t index = 0; index < size; ++index) {
        if (!std::isfinite(LoadElement<T>(raster.data, index))) return index;
      }
    }
    return -1;
  });
}

}  // namespace expsyn
