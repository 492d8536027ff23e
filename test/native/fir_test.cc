// The kernel that is given by its samples.
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "evolve.h"
#include "kernel/registry.h"
#include "kernel_subjects.h"
#include "oracle.h"

namespace expsyn::test {

namespace {

std::shared_ptr<const Kernel> MakeFir(const std::vector<double>& samples, std::int64_t n_columns,
                                      std::int64_t n_synapses,
                                      Normalisation normalisation = Normalisation::kPeak,
                                      double dt = 1e-3) {
  KernelArguments arguments{n_synapses, {}, dt, 10, 1e6, normalisation};
  const auto length = static_cast<std::int64_t>(samples.size()) / n_columns;
  arguments.samples = {samples.data(), length, n_columns};
  return MakeKernel("fir", arguments);
}

std::vector<double> SamplesOf(const Kernel& kernel, std::int64_t n) {
  std::vector<double> samples;
  for (std::int64_t k = 0; k < kernel.window_length(); ++k) samples.push_back(kernel.Sample(n, k));
  return samples;
}

std::string RefusalOf(const std::vector<double>& samples, std::int64_t n_columns, double dt) {
  try {
    MakeFir(samples, n_columns, n_columns, Normalisation::kArea, dt);
  } catch (const RefusedKernel& refused) {
    return refused.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("fir kernel: has the samples that it was given, whatever the window options") {
  for (const std::int64_t length : {1, 2, 63, 64, 65, 1000}) {
    for (const std::int64_t n_columns : {1, 2, 5}) {
      CAPTURE(length);
      CAPTURE(n_columns);
      const std::vector<double> samples =
          RandomInput(static_cast<std::size_t>(length * n_columns), 7);
      const auto kernel = MakeFir(samples, n_columns, n_columns == 1 ? 5 : n_columns);
      CHECK(kernel->window_length() == length);
      CHECK(kernel->state_size() == length - 1);
      bool is_right = true;
      for (std::int64_t n = 0; n < kernel->n_synapses(); ++n) {
        for (std::int64_t k = 0; k < length; ++k) {
          const std::int64_t column = n_columns == 1 ? 0 : n;
          is_right = is_right && kernel->Sample(n, k) ==
                                     samples[static_cast<std::size_t>(k * n_columns + column)];
        }
      }
      CHECK(is_right);
    }
  }
}

TEST_CASE("fir kernel: equal columns are kept once") {
  // Columns 0, 2 and 5 are equal, and so are 1 and 4. Column 3 differs from 0 in its last sample
  // only.
  const std::int64_t length = 300;
  std::vector<double> samples;
  for (std::int64_t k = 0; k < length; ++k) {
    const double a = static_cast<double>(k * k % 17) - 8;
    const double b = static_cast<double>(k % 5);
    samples.insert(samples.end(), {a, b, a, k == length - 1 ? a + 1 : a, b, a});
  }
  const auto kernel = MakeFir(samples, 6, 6);
  CHECK(kernel->FirstEqual() == std::vector<std::int64_t>{0, 1, 0, 3, 1, 0});
  CHECK(SamplesOf(*kernel, 5) == SamplesOf(*kernel, 0));
  CHECK(SamplesOf(*kernel, 4) == SamplesOf(*kernel, 1));
  CHECK(kernel->Sample(3, length - 1) == kernel->Sample(0, length - 1) + 1);
  CHECK(kernel->size_in_bytes() >= 3 * length * sizeof(double));
  CHECK(kernel->size_in_bytes() < 4 * length * sizeof(double));
}

TEST_CASE("fir kernel: one column is that of every synapse, and so is its spectrum") {
  const std::vector<double> column = RandomInput(40, 1);
  std::vector<double> repeated;
  for (const double sample : column) repeated.insert(repeated.end(), 1000, sample);
  std::size_t sizes[2];
  std::size_t next = 0;
  for (const auto& kernel : {MakeFir(column, 1, 1000), MakeFir(repeated, 1000, 1000)}) {
    CHECK(kernel->FirstEqual() == std::vector<std::int64_t>(1000));
    const Subject subject{"fir", kernel, {}, {}};
    Options options;
    options.method = Method::kFft;
    RunWhole<double>(subject, RandomInput(100 * 1000, 2), options);
    sizes[next++] = kernel->size_in_bytes();
  }
  CHECK(sizes[0] == sizes[1]);
  CHECK(sizes[0] < 1000 * (2 * sizeof(std::int64_t)) + 16384);
}

TEST_CASE("fir kernel: an area is 1 s, also where nearly everything cancels") {
  const std::vector<std::vector<double>> all = {{1},
                                                {-3},
                                                {0, 0, 2},
                                                {1, 2, 3},
                                                {0.1, 0.2, -0.25},
                                                {1e16, 1, -1e16},
                                                {1e-310, 1e-310},
                                                {1e308, 1e308, 1e308},
                                                {-1.7e308, 1.7e308, 1e300},
                                                {1e200, 1e-200}};
  for (const std::vector<double>& samples : all) {
    for (const double dt : {1e-4, 1e-3, 1.0, 10.0}) {
      CAPTURE(samples[0]);
      CAPTURE(dt);
      const auto kernel = MakeFir(samples, 1, 1, Normalisation::kArea, dt);
      long double sum = 0;
      for (const double sample : samples) sum += sample;
      for (std::size_t k = 0; k < samples.size(); ++k) {
        const long double expected = samples[k] / sum / dt;
        const double actual = kernel->Sample(0, static_cast<std::int64_t>(k));
        CHECK(std::abs(static_cast<long double>(actual) - expected) <=
              4e-16L * std::abs(expected) + 1e-320L);
      }
    }
  }
}

TEST_CASE("fir kernel: an area of each synapse is its own") {
  const auto kernel = MakeFir({1, 2, -1, 3, 2, -1}, 3, 3, Normalisation::kArea, 0.5);
  CHECK(SamplesOf(*kernel, 0) == std::vector<double>{0.5, 1.5});
  CHECK(SamplesOf(*kernel, 1) == std::vector<double>{1, 1});
  CHECK(SamplesOf(*kernel, 2) == std::vector<double>{1, 1});
}

TEST_CASE("fir kernel: samples that have no area are refused in a sentence") {
  const std::string zero =
      "Expected samples that can be scaled to an area of 1 s for kernel but received a sum of 0 "
      "for "
      "synapse 1; give others, or set normalise to 'peak'.";
  CHECK(RefusalOf({1, 1, 1, -1}, 2, 1e-3) == zero);
  CHECK(RefusalOf({1, 0}, 2, 1e-3) == zero);
  CHECK(RefusalOf({0}, 1, 1e-3).find("a sum of 0 for synapse 0") != std::string::npos);
  CHECK(RefusalOf({1e300, -1e300, 1e-100}, 1, 1e-3).find("too close to 0") != std::string::npos);
  CHECK(RefusalOf({1}, 1, 1e-320).find("too close to 0") != std::string::npos);
  CHECK(RefusalOf({1}, 1, 1e-3) == "none");
}

TEST_CASE("fir kernel: arguments that are no samples are refused") {
  const std::vector<double> samples(12);
  CHECK_THROWS_AS(MakeFir(samples, 2, 3), std::invalid_argument);
  CHECK_THROWS_AS(MakeFir({}, 1, 3), std::invalid_argument);
  KernelArguments with_parameter{1, {{1}}, 1e-3, 10, 1e6};
  with_parameter.samples = {samples.data(), 12, 1};
  CHECK_THROWS_AS(MakeKernel("fir", with_parameter), std::invalid_argument);
}

TEST_CASE("fir kernel: has no noise in its state") {
  const auto kernel = MakeFir({1, 2}, 1, 1);
  CHECK(kernel->noise_memory() == NoiseMemory::kNone);
  CHECK_FALSE(kernel->has_recursion());
  CHECK_FALSE(kernel->is_positive());
}

}  // namespace expsyn::test
