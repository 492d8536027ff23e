#include "method/silence.h"

#include <algorithm>

#include "simd/ops.h"

namespace expsyn {

template <typename Real>
void FindSilence(const Real* signal, std::int64_t overlap, std::int64_t end,
                 std::int64_t window_length, std::vector<Rows>* silent) {
  const typename simd::Ops::Of<Real>& ops = simd::OpsOf<Real>();
  silent->clear();
  const auto add = [&](std::int64_t first, std::int64_t next) {
    if (next <= overlap) return;
    silent->emplace_back(std::max<std::int64_t>(first - overlap, 0), next - overlap);
  };
  std::int64_t input = ops.find_first(signal, 0, end);
  add(0, input < 0 ? end : input);
  // While its last input is at `input`, the window holds it to row input + window_length - 1.
  while (input >= 0 && window_length < end - input) {
    const std::int64_t left = input + window_length;
    const std::int64_t later = ops.find_last(signal, input + 1, left + 1);
    if (later >= 0) {
      input = later;
      continue;
    }
    input = ops.find_first(signal, left + 1, end);
    add(left, input < 0 ? end : input);
  }
}

template void FindSilence<float>(const float*, std::int64_t, std::int64_t, std::int64_t,
                                 std::vector<Rows>*);
template void FindSilence<double>(const double*, std::int64_t, std::int64_t, std::int64_t,
                                  std::vector<Rows>*);

}  // namespace expsyn
