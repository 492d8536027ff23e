// The parts of the transforms: plans, products of spectra, transposition and silence.
#include <doctest/doctest.h>

#include <cmath>
#include <complex>
#include <cstdint>
#include <random>
#include <vector>

#include "aligned_buffer.h"
#include "method/fft_plan.h"
#include "method/silence.h"
#include "oracle.h"
#include "simd/ops.h"

namespace expsyn::test {
namespace {

template <typename Real>
constexpr double kEpsilon = std::numeric_limits<Real>::epsilon();

template <typename Real>
AlignedBuffer<Real> RandomBuffer(std::int64_t size, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  AlignedBuffer<Real> buffer(static_cast<std::size_t>(size));
  for (std::size_t i = 0; i < buffer.size(); ++i) buffer[i] = static_cast<Real>(normal(random));
  return buffer;
}

TEST_CASE_TEMPLATE("a pair of signals has the sum of their spectra", Real, float, double) {
  for (const std::int64_t length : {16, 32, 64, 128, 256, 1024, 4096}) {
    CAPTURE(length);
    const auto one = FftPlan<Real>::Of(length, 1);
    const auto pair = FftPlan<Real>::Of(length, 2);
    CHECK(pair == FftPlan<Real>::Of(length, 2));
    CHECK(pair->is_pair());
    CHECK_FALSE(one->is_pair());
    const std::int64_t distance = FftPlan<Real>::Distance(length);
    const AlignedBuffer<Real> signals = RandomBuffer<Real>(pair->signals_size(), 1);
    AlignedBuffer<Real> spectrum(static_cast<std::size_t>(pair->spectrum_size()));
    AlignedBuffer<Real> first(static_cast<std::size_t>(one->spectrum_size()));
    AlignedBuffer<Real> second(static_cast<std::size_t>(one->spectrum_size()));
    pair->Forward(signals.data(), spectrum.data());
    one->Forward(signals.data(), first.data());
    one->Forward(signals.data() + distance, second.data());
    const double bound = 10 * kEpsilon<Real> * std::sqrt(static_cast<double>(length));
    double worst = 0;
    for (std::int64_t k = 0; k <= length / 2; ++k) {
      const auto at = [k](const AlignedBuffer<Real>& x) {
        const auto i = static_cast<std::size_t>(2 * k);
        return std::complex<double>(x[i], x[i + 1]);
      };
      const std::complex<double> i(0, 1);
      const std::complex<double> sum = at(first) + i * at(second);
      const std::complex<double> mirrored = std::conj(at(first)) + i * std::conj(at(second));
      const auto of_pair = [&](std::int64_t place) {
        return std::complex<double>(spectrum[static_cast<std::size_t>(place)],
                                    spectrum[static_cast<std::size_t>(distance + place)]);
      };
      worst = std::max(worst, std::abs(of_pair(k) - sum));
      worst = std::max(worst, std::abs(of_pair((length - k) % length) - mirrored));
    }
    CHECK(worst < bound);
    AlignedBuffer<Real> restored(static_cast<std::size_t>(pair->signals_size()));
    pair->Inverse(spectrum.data(), restored.data());
    worst = 0;
    for (std::int64_t s = 0; s < 2; ++s) {
      for (std::int64_t i = 0; i < length; ++i) {
        const auto place = static_cast<std::size_t>(s * distance + i);
        worst = std::max(worst, std::abs(static_cast<double>(restored[place]) -
                                         static_cast<double>(length) * signals[place]));
      }
    }
    CHECK(worst < bound * static_cast<double>(length));
  }
}

TEST_CASE_TEMPLATE("the product of a pair's spectrum with that of a real kernel", Real, float,
                   double) {
  for (const std::int64_t length : {2, 4, 6, 16, 30, 32, 34, 64, 66, 96, 1024}) {
    CAPTURE(length);
    const auto size = static_cast<std::size_t>(length);
    const AlignedBuffer<Real> x = RandomBuffer<Real>(2 * length, 2);
    AlignedBuffer<Real> kernel = RandomBuffer<Real>(length + 2, 3);
    Real* const imaginary = kernel.data() + length / 2 + 1;
    imaginary[0] = imaginary[length / 2] = 0;
    ForEachInstructionSet([&] {
      std::vector<Real> y(x.data(), x.data() + 2 * size);
      simd::OpsOf<Real>().multiply_pair(y.data(), y.data() + size, kernel.data(), imaginary,
                                        length);
      for (std::int64_t k = 0; k < length; ++k) {
        const std::int64_t at = std::min(k, length - k);
        const std::complex<double> factor(kernel[static_cast<std::size_t>(at)],
                                          (k > length / 2 ? -1.0 : 1.0) * imaginary[at]);
        const auto place = static_cast<std::size_t>(k);
        const std::complex<double> expected =
            std::complex<double>(x[place], x[size + place]) * factor;
        CHECK(std::abs(std::complex<double>(y[place], y[size + place]) - expected) <
              20 * kEpsilon<Real>);
      }
    });
  }
}

TEST_CASE_TEMPLATE("every element is transposed, and nothing else is written", Real, float,
                   double) {
  for (const std::int64_t n_rows : {1, 3, 4, 7, 8, 15, 16, 17, 33, 64, 70}) {
    for (const std::int64_t n_columns : {1, 2, 3, 4, 5, 8, 15, 16, 17, 31, 32, 40}) {
      const std::int64_t source_stride = n_columns + 3;
      const std::int64_t target_stride = n_rows + 5;
      const AlignedBuffer<Real> source = RandomBuffer<Real>(n_rows * source_stride, 4);
      ForEachInstructionSet([&] {
        std::vector<Real> target(static_cast<std::size_t>(n_columns * target_stride), Real{-99});
        simd::OpsOf<Real>().transpose(source.data(), source_stride, n_rows, n_columns,
                                      target.data(), target_stride);
        std::int64_t n_wrong = 0;
        for (std::int64_t column = 0; column < n_columns; ++column) {
          for (std::int64_t row = 0; row < target_stride; ++row) {
            const Real actual = target[static_cast<std::size_t>(column * target_stride + row)];
            const Real expected =
                row < n_rows ? source[static_cast<std::size_t>(row * source_stride + column)]
                             : Real{-99};
            n_wrong += actual != expected;
          }
        }
        CAPTURE(n_rows);
        CAPTURE(n_columns);
        CHECK(n_wrong == 0);
      });
    }
  }
}

TEST_CASE_TEMPLATE("silent rows are those whose window holds no input", Real, float, double) {
  std::mt19937 random(7);
  for (const std::int64_t window_length : {1, 2, 5, 16, 40, 300}) {
    for (const std::int64_t overlap : {std::int64_t{0}, window_length - 1}) {
      for (int trial = 0; trial < 40; ++trial) {
        const std::int64_t n_rows = 1 + static_cast<std::int64_t>(random() % 200);
        const std::int64_t end = overlap + n_rows;
        AlignedBuffer<Real> signal(static_cast<std::size_t>(end));
        const auto spacing = 1 + random() % 60;
        for (std::int64_t i = 0; i < end; ++i) {
          if (random() % spacing != 0) continue;
          signal[static_cast<std::size_t>(i)] = random() % 2 == 0 ? Real{-1} : Real{2};
        }
        std::vector<bool> is_silent(static_cast<std::size_t>(n_rows));
        ForEachInstructionSet([&] {
          std::vector<Rows> found;
          FindSilence(signal.data(), overlap, end, window_length, &found);
          std::fill(is_silent.begin(), is_silent.end(), false);
          for (const auto& [first, next] : found) {
            REQUIRE(first >= 0);
            REQUIRE(next <= n_rows);
            std::fill(is_silent.begin() + first, is_silent.begin() + next, true);
          }
          std::int64_t n_wrong = 0;
          for (std::int64_t row = 0; row < n_rows; ++row) {
            bool expected = true;
            for (std::int64_t k = 0; k < window_length && overlap + row - k >= 0; ++k) {
              expected = expected && signal[static_cast<std::size_t>(overlap + row - k)] == 0;
            }
            n_wrong += is_silent[static_cast<std::size_t>(row)] != expected;
          }
          CAPTURE(window_length);
          CAPTURE(overlap);
          CHECK(n_wrong == 0);
        });
      }
    }
  }
}

}  // namespace
}  // namespace expsyn::test
