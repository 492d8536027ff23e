#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "oracle.h"
#include "simd/ops.h"

namespace expsyn::test {
namespace {

using Block = std::array<std::uint32_t, 4>;

Block Philox(const Block& counter, const std::array<std::uint32_t, 2>& key) {
  Block block;
  simd::ActiveOps().philox(counter.data(), key.data(), block.data());
  return block;
}

TEST_CASE("Philox4x32-10 gives its published known answers") {
  ForEachInstructionSet([] {
    CHECK(Philox({0, 0, 0, 0}, {0, 0}) == Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    constexpr std::uint32_t kOnes = 0xffffffff;
    CHECK(Philox({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}) ==
          Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    CHECK(Philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
          Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
  });
}

// The documented definition of zeta, with the system's own functions.
template <typename Real>
double Expected(std::uint64_t seed, std::uint32_t batch, std::uint32_t synapse,
                std::uint64_t step) {
  const Block words =
      Philox({static_cast<std::uint32_t>(step), static_cast<std::uint32_t>(step >> 32), synapse / 4,
              batch},
             {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
  const std::uint32_t place = synapse % 4;
  const std::uint32_t first = words[place / 2 * 2];
  const std::uint32_t second = words[place / 2 * 2 + 1];
  long double u;
  long double turns;
  if (sizeof(Real) == sizeof(double)) {
    const std::uint64_t bits = std::uint64_t{first} << 8 | second >> 24;
    u = (static_cast<long double>(bits) + 0.5L) / 1099511627776.0L;
    turns = static_cast<long double>(second & 0xFFFFFF) / 16777216.0L;
  } else {
    u = (static_cast<long double>(first >> 1) + 0.25L) / 2147483648.0L;
    turns = static_cast<long double>(second) / 4294967296.0L;
  }
  const long double radius = std::sqrt(-2 * std::log(u));
  const long double angle = 2 * 3.14159265358979323846264338327950288L * turns;
  return static_cast<double>(radius * (place % 2 == 0 ? std::cos(angle) : std::sin(angle)));
}

template <typename Real>
void CheckEveryPlace(double tolerance) {
  const std::uint64_t seed = 0x123456789abcdef;
  for (const std::uint64_t step :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{999}, (std::uint64_t{1} << 33) - 3}) {
    for (const std::int64_t n_rows : {1, 2, 3, 40}) {
      for (const std::int64_t n_columns : {1, 2, 7, 64, 65, 200}) {
        const std::int64_t stride = n_columns + 3;
        std::vector<Real> target(static_cast<std::size_t>(n_rows * stride), 0);
        simd::OpsOf<Real>().add_normals(
            {seed, 5, step, n_rows, 11, n_columns, 1.0, stride, false, nullptr, 0}, target.data(),
            target.data());
        double worst = 0;
        for (std::int64_t row = 0; row < n_rows; ++row) {
          for (std::int64_t column = 0; column < stride; ++column) {
            const auto value =
                static_cast<double>(target[static_cast<std::size_t>(row * stride + column)]);
            if (column >= n_columns) {
              CHECK(value == 0);
              continue;
            }
            const double expected =
                Expected<Real>(seed, 5, 11 + static_cast<std::uint32_t>(column), step + row);
            worst = std::max(worst, std::abs(value - expected) / std::max(1.0, std::abs(expected)));
          }
        }
        CHECK(worst < tolerance);
      }
    }
  }
}

TEST_CASE("every number is the one of its place, however it is asked for") {
  ForEachInstructionSet([] {
    CheckEveryPlace<double>(1e-12);
    CheckEveryPlace<float>(2e-6);
  });
}

template <typename Real>
std::vector<double> Field(std::uint64_t seed, std::uint32_t batch, std::uint64_t step,
                          std::int64_t n_rows, std::int64_t n_columns) {
  std::vector<Real> z(static_cast<std::size_t>(n_rows * n_columns));
  simd::OpsOf<Real>().add_normals(
      {seed, batch, step, n_rows, 0, n_columns, 1.0, n_columns, false, nullptr, 0}, z.data(),
      z.data());
  return {z.begin(), z.end()};
}

TEST_CASE_TEMPLATE("the numbers are standard normal and independent of their neighbours", Real,
                   float, double) {
  constexpr std::int64_t kRows = 4000;
  constexpr std::int64_t kColumns = 250;
  constexpr double kCount = kRows * kColumns;
  const std::vector<double> z = Field<Real>(20240607, 0, 0, kRows, kColumns);
  double moments[5] = {};
  for (const double value : z) {
    for (int power = 1; power <= 4; ++power) moments[power] += std::pow(value, power) / kCount;
  }
  // Five standard errors of each moment.
  CHECK(std::abs(moments[1]) < 5 * std::sqrt(1 / kCount));
  CHECK(std::abs(moments[2] - 1) < 5 * std::sqrt(2 / kCount));
  CHECK(std::abs(moments[3]) < 5 * std::sqrt(15 / kCount));
  CHECK(std::abs(moments[4] - 3) < 5 * std::sqrt(96 / kCount));
  // Kolmogorov and Smirnov's distance; 1.95 / sqrt(n) is exceeded once in a thousand.
  std::vector<double> sorted = z;
  std::sort(sorted.begin(), sorted.end());
  double distance = 0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const double cumulative = std::erfc(-sorted[i] / std::sqrt(2.0)) / 2;
    distance = std::max(distance, std::abs(cumulative - static_cast<double>(i) / kCount));
  }
  CHECK(distance < 1.95 / std::sqrt(kCount));
  // Neighbours in time and in channel (within a block and across blocks); and the
  // squares, which a bad pairing would correlate.
  const std::int64_t offsets[] = {kColumns, 2 * kColumns, 1, 2, 3, 4, kColumns + 1};
  for (const std::int64_t offset : offsets) {
    double sum = 0;
    double sum_of_squares = 0;
    double n = 0;
    for (std::int64_t i = 0; i + offset < kRows * kColumns; ++i) {
      sum += z[i] * z[i + offset];
      sum_of_squares += (z[i] * z[i] - 1) * (z[i + offset] * z[i + offset] - 1);
      ++n;
    }
    CHECK(std::abs(sum / n) < 5 / std::sqrt(n));
    CHECK(std::abs(sum_of_squares / n) < 5 * 2 / std::sqrt(n));
  }
}

TEST_CASE_TEMPLATE("seeds, batch items and steps do not repeat each other", Real, float, double) {
  const auto first = [](std::uint64_t seed, std::uint32_t batch, std::uint64_t step) {
    return Field<Real>(seed, batch, step, 10, 10);
  };
  const std::vector<double> base = first(1, 0, 0);
  for (const std::vector<double>& other :
       {first(2, 0, 0), first(1ull << 32 | 1, 0, 0), first(1, 1, 0), first(1, 0, 10),
        first(1, 0, std::uint64_t{1} << 33)}) {
    for (const double value : base) {
      CHECK(std::find(other.begin(), other.end(), value) == other.end());
    }
  }
}

// The noisy run as the equations have it, sample by sample.
template <typename Real>
std::vector<double> DirectNoisySum(const Case& c, const Noise& noise) {
  Case noisy = c;
  const std::int64_t n_synapses = c.n_synapses();
  std::vector<double> zeta(c.input.size());
  for (std::int64_t b = 0; b < c.n_batches; ++b) {
    for (std::int64_t t = 0; t < c.n_timesteps; ++t) {
      for (std::int64_t n = 0; n < n_synapses; ++n) {
        zeta[(b * c.n_timesteps + t) * n_synapses + n] =
            noise.scale * Expected<Real>(noise.seed, static_cast<std::uint32_t>(b),
                                         static_cast<std::uint32_t>(n), noise.step + t);
      }
    }
  }
  const auto size = static_cast<std::int64_t>(zeta.size());
  for (std::int64_t i = 0; i < size; ++i) {
    const bool is_first_step = i / n_synapses % c.n_timesteps == 0;
    if (noise.placement == NoisePlacement::kInput) noisy.input[i] += zeta[i];
    if (noise.placement == NoisePlacement::kState && !is_first_step) {
      noisy.input[i] += zeta[i - n_synapses];
    }
  }
  const std::vector<long double> sum = DirectSum(noisy);
  std::vector<double> output(sum.begin(), sum.end());
  for (std::int64_t i = 0; i < size; ++i) {
    if (noise.placement != NoisePlacement::kInput) output[i] += zeta[i];
  }
  return output;
}

TEST_CASE_TEMPLATE("each placement adds its noise where it says, by either method", Real, float,
                   double) {
  constexpr double kTolerance = sizeof(Real) == sizeof(float) ? 5e-6 : 1e-12;
  for (const std::int64_t window : {std::int64_t{40}, Kernel::kUnlimited}) {
    for (const std::int64_t n_synapses : {1, 3, 10, 70}) {
      for (const std::uint64_t step : {0, 1, 12345}) {
        const Case c =
            MakeCase(2, 300, std::vector<double>(n_synapses, 0.02), window, Drive::kSpikes);
        for (const NoisePlacement placement :
             {NoisePlacement::kOutput, NoisePlacement::kState, NoisePlacement::kInput}) {
          const Noise noise{placement, 0.3, 99, step};
          const std::vector<double> expected = DirectNoisySum<Real>(c, noise);
          const std::vector<long double> exact(expected.begin(), expected.end());
          for (const Method method : {Method::kFft, Method::kRecursive}) {
            const Answer answer = Run<Real>(c, method, noise);
            CHECK(WorstError(c, answer.output, exact) < kTolerance);
            // Only noise on the output is not part of the state.
            const Answer clean = Run<Real>(c, method);
            const auto last = static_cast<std::size_t>(299 * n_synapses);
            CHECK(
                answer.next_state.isyn(0) ==
                (placement == NoisePlacement::kOutput ? clean.output[last] : answer.output[last]));
          }
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("a long run, which is cut in time, has the noise of its steps", Real, float,
                   double) {
  constexpr double kTolerance = sizeof(Real) == sizeof(float) ? 5e-6 : 1e-12;
  for (const std::int64_t n_synapses : {2, 20}) {
    const Case c = MakeCase(1, 35000, std::vector<double>(n_synapses, 0.02), 40, Drive::kSpikes);
    for (const NoisePlacement placement :
         {NoisePlacement::kOutput, NoisePlacement::kState, NoisePlacement::kInput}) {
      const Noise noise{placement, 0.3, 99, 7};
      const std::vector<double> expected = DirectNoisySum<Real>(c, noise);
      const std::vector<long double> exact(expected.begin(), expected.end());
      const Answer one = Run<Real>(c, Method::kRecursive, noise);
      CHECK(WorstError(c, one.output, exact) < kTolerance);
      const Answer three = Run<Real>(c, Method::kRecursive, noise, true, 3);
      CHECK(three.output == one.output);
      CHECK(three.next_state == one.next_state);
    }
  }
}

}  // namespace
}  // namespace expsyn::test
