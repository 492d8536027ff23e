// Inputs from callers that align nothing.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "oracle.h"

namespace expsyn::test {
namespace {

// The output for an input of In that begins `offset` bytes behind an aligned place.
template <typename Real, typename In>
std::vector<Real> RunShifted(const Case& c, std::int64_t n_columns, Method method,
                             const Noise& noise, std::size_t offset) {
  const std::int64_t n_synapses = c.n_synapses();
  const std::vector<In> values(c.input.begin(), c.input.begin() + c.n_timesteps * n_columns);
  const std::size_t n_bytes = values.size() * sizeof(In);
  // The memory ends where the input does.
  std::vector<char> bytes(n_bytes + offset);
  std::memcpy(bytes.data() + offset, values.data(), n_bytes);
  const ExponentialKernel kernel = KernelOf(c);
  const OwnState state(c.state);
  OwnState next(static_cast<std::size_t>(n_synapses));
  std::vector<Real> output(c.input.size());
  const EvolveResult result = EvolveBatch(
      kernel, {method, noise}, {bytes.data() + offset, TypeOf<In>(), 1, c.n_timesteps, n_columns},
      state.view(), output.data(), next.next());
  CHECK(result.status == EvolveResult::Status::kDone);
  return output;
}

template <typename Real, typename In>
void CheckShifts(const Case& c) {
  for (const std::int64_t n_columns : {std::int64_t{1}, c.n_synapses()}) {
    for (const Method method : {Method::kFft, Method::kRecursive}) {
      for (const NoisePlacement placement : {NoisePlacement::kNone, NoisePlacement::kState}) {
        const Noise noise{placement, 0.1, 3, 4};
        const std::vector<Real> expected = RunShifted<Real, In>(c, n_columns, method, noise, 0);
        for (const std::size_t offset : {1, 2, 4, 7}) {
          CAPTURE(offset);
          CHECK(RunShifted<Real, In>(c, n_columns, method, noise, offset) == expected);
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("an input needs no alignment, and gives the same bits with none", Real, float,
                   double) {
  for (const std::int64_t n_synapses : {1, 3, 9, 33}) {
    for (const std::int64_t n_timesteps : {1, 5, 700}) {
      const Case c =
          MakeCase(1, n_timesteps, std::vector<double>(n_synapses, 0.02), 50, Drive::kSigned);
      CheckShifts<Real, std::int16_t>(c);
      CheckShifts<Real, float>(c);
      CheckShifts<Real, double>(c);
    }
  }
}

}  // namespace
}  // namespace expsyn::test
