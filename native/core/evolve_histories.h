#ifndef EXPSYN_CORE_EVOLVE_HISTORIES_H_
#define EXPSYN_CORE_EVOLVE_HISTORIES_H_

#include <atomic>

#include "evolve.h"

namespace expsyn {

// Evolve() for items whose state is an InputHistory, which must all have one. `method` is one of
// the kernel's, other than kAuto. The next state of an item gets its newest inputs only; the
// history itself is changed by InputHistory::Append().
template <typename Real>
EvolveResult EvolveHistories(const Kernel& kernel, const Settings& settings, Method method,
                             const Call<Real>& call, const std::atomic<bool>& cancelled);

}  // namespace expsyn

#endif  // EXPSYN_CORE_EVOLVE_HISTORIES_H_
