#include "raster.h"

#include <cmath>
#include <type_traits>

namespace expsyn {

std::size_t ElementSize(ElementType type) {
  return WithElement(type, [](auto* element) { return sizeof(*element); });
}

bool IsFinite(const Raster& raster, std::int64_t index) {
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
