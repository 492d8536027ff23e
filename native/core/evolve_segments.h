#ifndef EXPSYN_CORE_EVOLVE_SEGMENTS_H_
#define EXPSYN_CORE_EVOLVE_SEGMENTS_H_

#include <atomic>
#include <cstdint>
#include <vector>

#include "evolve.h"

namespace expsyn {

// Where the items of a call end, and where they begin again from a state of zeros.
struct Segments {
  // The number of steps of each item, at most T; empty if all have T steps.
  std::vector<std::int64_t> lengths;
  // The steps before which each item begins again, ascending; empty if none does, and of one list
  // if it is that of all items.
  std::vector<std::vector<std::int64_t>> resets;

  bool IsNone() const { return lengths.empty() && resets.empty(); }
};

// As Evolve(), for items of unequal lengths and with resets: every segment of an item is computed
// as a call of its own would be, to the last bit. The output after the end of an item is 0, and
// what the input holds there is not read. For calls whose items have no history and fail together.
template <typename Real>
EvolveResult EvolveSegments(const Kernel& kernel, const Settings& settings, const Call<Real>& call,
                            const Segments& segments, const std::atomic<bool>& cancelled);

}  // namespace expsyn

#endif  // EXPSYN_CORE_EVOLVE_SEGMENTS_H_
