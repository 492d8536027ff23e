#ifndef EXPSYN_CORE_METHOD_SILENCE_H_
#define EXPSYN_CORE_METHOD_SILENCE_H_

#include <cstdint>
#include <utility>
#include <vector>

namespace expsyn {

// The first of some rows, and the one after the last.
using Rows = std::pair<std::int64_t, std::int64_t>;

// Finds the runs of rows whose window of window_length steps holds no input. The inputs of row 0
// and later are signal[overlap] to signal[end - 1]; those before it are in the window, too.
template <typename Real>
void FindSilence(const Real* signal, std::int64_t overlap, std::int64_t end,
                 std::int64_t window_length, std::vector<Rows>* silent);

}  // namespace expsyn

#endif  // EXPSYN_CORE_METHOD_SILENCE_H_
