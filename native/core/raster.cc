#include "raster.h"

#include <cmath>
#include <type_traits>

namespace expsyn {

std::size_t ElementSize(ElementType type) {
  return WithElement(type, [](auto* element) { return sizeof(*element); });
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
