// What the rows of a group become, for any widths, in the order of the rows.
#include "reduction.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <utility>
#include <vector>

namespace expsyn::test {
namespace {

template <typename Real>
std::vector<Real> RandomRows(std::int64_t n_rows, std::int64_t n_columns, bool has_nan) {
  std::mt19937_64 random(static_cast<std::uint64_t>(n_rows * 1000 + n_columns));
  std::vector<Real> rows(static_cast<std::size_t>(n_rows * n_columns));
  for (Real& value : rows) {
    // Many are of the same magnitude.
    const auto drawn = static_cast<int>(random() % 41) - 20;
    value = static_cast<Real>(drawn) * static_cast<Real>(0.1);
    if (has_nan && random() % 50 == 0) value = std::numeric_limits<Real>::quiet_NaN();
    if (has_nan && random() % 50 == 0) value = std::numeric_limits<Real>::infinity();
  }
  return rows;
}

bool AreSame(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

TEST_CASE_TEMPLATE("a group is its last row, its mean or its peak", Real, float, double) {
  constexpr std::int64_t kEvery = 5;
  constexpr std::int64_t kRows = 23;
  for (const bool has_nan : {false, true}) {
    for (std::int64_t n_columns = 1; n_columns < 140; n_columns += n_columns < 40 ? 1 : 13) {
      const std::vector<Real> rows = RandomRows<Real>(kRows, n_columns, has_nan);
      for (const ReductionKind kind :
           {ReductionKind::kLast, ReductionKind::kMean, ReductionKind::kPeak}) {
        const Reduction reduction{kEvery, kind};
        // In parts, the first of which begins in a group whose first 2 steps are known.
        const std::uint64_t first_step = 2;
        const std::int64_t n_kept = reduction.CountKept(first_step, kRows);
        std::vector<Real> kept(static_cast<std::size_t>(n_kept * n_columns));
        std::vector<double> partial(static_cast<std::size_t>(n_columns), -0.3);
        RowReducer<Real> reducer(reduction, first_step, n_columns, kept.data(), n_columns,
                                 {partial.data(), 2});
        const std::int64_t left = n_columns / 3;
        for (const auto& [begin, end] : {std::pair{0, 1}, {1, 9}, {9, 23}}) {
          const Real* const part = rows.data() + begin * n_columns;
          if (left > 0) reducer.Put(begin, end - begin, 0, left, part, n_columns);
          reducer.Put(begin, end - begin, left, n_columns - left, part + left, n_columns);
        }
        reducer.Finish();
        for (std::int64_t c = 0; c < n_columns; ++c) {
          double sum = -0.3;
          double peak =
              kind == ReductionKind::kPeak ? static_cast<double>(static_cast<Real>(-0.3)) : 0;
          std::int64_t next = 0;
          bool is_same = true;
          for (std::int64_t r = 0; r < kRows; ++r) {
            const auto value =
                static_cast<double>(rows[static_cast<std::size_t>(r * n_columns + c)]);
            const std::int64_t in_group = (r + 2) % kEvery;
            sum = in_group == 0 ? value : sum + value;
            if (in_group == 0 || (!std::isnan(peak) && !(std::abs(value) <= std::abs(peak)))) {
              peak = value;
            }
            if (in_group != kEvery - 1) continue;
            const double expected = kind == ReductionKind::kLast   ? value
                                    : kind == ReductionKind::kMean ? sum / kEvery
                                                                   : peak;
            const Real found = kept[static_cast<std::size_t>(next++ * n_columns + c)];
            is_same = is_same && AreSame(static_cast<double>(found),
                                         static_cast<double>(static_cast<Real>(expected)));
          }
          CHECK(is_same);
          CHECK(next == n_kept);
          if (!reduction.HasMemory()) continue;
          const double left_over = kind == ReductionKind::kMean ? sum : peak;
          CHECK(AreSame(partial[static_cast<std::size_t>(c)], left_over));
        }
      }
    }
  }
}

}  // namespace
}  // namespace expsyn::test
