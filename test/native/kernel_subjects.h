// Kernels other than the exponential, and calls with them. Two exist for tests only: oscillation,
// which has two numbers of state and nothing but the defaults of Kernel, and triangle, which has no
// recursion, so that its state is its last inputs.
#ifndef EXPSYN_TEST_NATIVE_KERNEL_SUBJECTS_H_
#define EXPSYN_TEST_NATIVE_KERNEL_SUBJECTS_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "kernel/registry.h"
#include "oracle.h"

namespace expsyn::test {

template <typename Real>
constexpr double kTolerance = sizeof(Real) == sizeof(float) ? 5e-6 : 1e-12;
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A kernel with its samples in extended precision and the methods that it has.
struct Subject {
  std::string name;
  std::shared_ptr<const Kernel> kernel;
  std::function<long double(std::int64_t n, std::int64_t k)> sample;
  std::vector<Method> methods;

  std::size_t n_synapses() const { return static_cast<std::size_t>(kernel->n_synapses()); }
  std::size_t n_planes() const { return static_cast<std::size_t>(kernel->state_size()); }
};

inline Subject Oscillation(std::int64_t n_synapses, double window_taus) {
  std::vector<double> tau, frequency;
  for (std::int64_t n = 0; n < n_synapses; ++n) {
    tau.push_back(0.02 + 0.01 * static_cast<double>(n % 3));
    frequency.push_back(10 + 5 * static_cast<double>(n % 4));
  }
  const KernelArguments arguments{n_synapses, {tau, frequency}, 1e-3, window_taus, 1e6};
  const auto sample = [=](std::int64_t n, std::int64_t k) {
    const long double t = 1e-3L * static_cast<long double>(k + 1);
    const auto place = static_cast<std::size_t>(n);
    return std::exp(-t / tau[place]) *
           std::cos(2 * 3.14159265358979323846264338327950288L * frequency[place] * t);
  };
  return {"oscillation",
          MakeKernel("oscillation", arguments),
          sample,
          {Method::kFft, Method::kRecursive, Method::kAuto}};
}

inline Subject Triangle(std::int64_t n_synapses, double width) {
  std::vector<double> widths;
  for (std::int64_t n = 0; n < n_synapses; ++n) {
    widths.push_back(std::max(1.0, width - static_cast<double>(n % 3)));
  }
  const auto sample = [=](std::int64_t n, std::int64_t k) {
    const long double rest = 1 - k / static_cast<long double>(widths[static_cast<std::size_t>(n)]);
    return std::max(0.0L, rest);
  };
  return {"triangle",
          MakeKernel("triangle", {n_synapses, {widths}, 1e-3, 10, 1e6}),
          sample,
          {Method::kFft, Method::kDirect, Method::kAuto}};
}

// The double exponential with rise times of `ratio` times the decay times, or for a ratio of 1 the
// alpha function. Its samples are those of the formula with the peak found by its derivative.
inline Subject Biexponential(std::int64_t n_synapses, double ratio, double window_taus,
                             double scale = 1, Normalisation normalisation = Normalisation::kPeak) {
  std::vector<double> rise, decay;
  for (std::int64_t n = 0; n < n_synapses; ++n) {
    decay.push_back(scale * (0.02 + 0.013 * static_cast<double>(n % 3)));
    rise.push_back(ratio * decay.back());
  }
  std::vector<std::vector<double>> parameters{rise, decay};
  if (ratio == 1) parameters = {decay};
  const std::string name = ratio == 1 ? "alpha" : "double-exp";
  const auto kernel =
      MakeKernel(name, {n_synapses, parameters, 1e-3, window_taus, 1e6, normalisation});
  const auto peak_sample = [=](std::int64_t n, long double m) {
    const auto i = static_cast<std::size_t>(n);
    const long double t = m * 1e-3L;
    if (ratio == 1) return t / decay[i] * std::exp(1 - t / decay[i]);
    const long double r = static_cast<long double>(rise[i]) / decay[i];
    const long double rate =
        1 / static_cast<long double>(rise[i]) - 1 / static_cast<long double>(decay[i]);
    const long double at_peak = -std::log(r) / rate;
    const auto at = [&](long double time) {
      return -std::exp(-time / decay[i]) * std::expm1(-time * rate);
    };
    return at(t) / at(at_peak);
  };
  std::vector<long double> gain(decay.size(), 1);
  for (std::size_t n = 0; n < gain.size() && normalisation == Normalisation::kArea; ++n) {
    const std::int64_t most = std::min<std::int64_t>(
        kernel->window_length(), static_cast<std::int64_t>(60e3 * decay[n]) + 100);
    long double sum = 0;
    for (std::int64_t m = most; m > 0; --m) {
      sum += peak_sample(static_cast<std::int64_t>(n), static_cast<long double>(m));
    }
    gain[n] = 1 / (sum * 1e-3L);
  }
  const auto sample = [=](std::int64_t n, std::int64_t k) {
    return gain[static_cast<std::size_t>(n)] * peak_sample(n, static_cast<long double>(k + 1));
  };
  return {name, kernel, sample, {Method::kFft, Method::kRecursive, Method::kAuto}};
}

// Samples of random signs and sizes; in every third synapse the same, and in all of them if
// `is_shared`.
inline Subject Fir(std::int64_t n_synapses, std::int64_t length, bool is_shared = false) {
  std::mt19937 random(static_cast<std::uint32_t>(length));
  std::normal_distribution<double> normal;
  const std::int64_t n_columns = is_shared ? 1 : n_synapses;
  std::vector<double> samples(static_cast<std::size_t>(length * n_columns));
  for (std::int64_t i = 0; i < length * n_columns; ++i) {
    const std::int64_t n = i % n_columns;
    const bool is_repeated = n >= 3 && n % 3 == 0;
    samples[static_cast<std::size_t>(i)] =
        is_repeated ? samples[static_cast<std::size_t>(i - n)] : normal(random);
  }
  KernelArguments arguments{n_synapses, {}, 1e-3, kInfinity, kInfinity};
  arguments.samples = {samples.data(), length, n_columns};
  const auto sample = [=](std::int64_t n, std::int64_t k) -> long double {
    return samples[static_cast<std::size_t>(k * n_columns + n % n_columns)];
  };
  return {
      "fir", MakeKernel("fir", arguments), sample, {Method::kFft, Method::kDirect, Method::kAuto}};
}

// The definition: sum_{k < W} w_n[k] input[t - k], from a state of 0.
inline std::vector<long double> ObviousSum(const Subject& subject,
                                           const std::vector<double>& input) {
  const auto n_synapses = static_cast<std::int64_t>(subject.n_synapses());
  const std::int64_t n_timesteps = static_cast<std::int64_t>(input.size()) / n_synapses;
  std::vector<long double> output(input.size());
  for (std::int64_t n = 0; n < n_synapses; ++n) {
    const std::int64_t n_samples = std::min(subject.kernel->window_length(), n_timesteps);
    std::vector<long double> w;
    for (std::int64_t k = 0; k < n_samples; ++k) w.push_back(subject.sample(n, k));
    for (std::int64_t t = 0; t < n_timesteps; ++t) {
      long double sum = 0;
      for (std::int64_t k = 0; k < std::min(n_samples, t + 1); ++k) {
        sum += w[static_cast<std::size_t>(k)] *
               input[static_cast<std::size_t>((t - k) * n_synapses + n)];
      }
      output[static_cast<std::size_t>(t * n_synapses + n)] = sum;
    }
  }
  return output;
}

inline std::vector<double> RandomInput(std::size_t size, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::vector<double> input(size);
  for (double& value : input) value = normal(random);
  return input;
}

// The input, or a later chunk of it.
inline Raster RasterOf(const Subject& subject, const std::vector<double>& input,
                       std::int64_t step = 0, std::int64_t n_steps = -1) {
  const auto n_synapses = static_cast<std::int64_t>(subject.n_synapses());
  if (n_steps < 0) n_steps = static_cast<std::int64_t>(input.size()) / n_synapses - step;
  return {input.data() + step * n_synapses, ElementType::kFloat64, 1, n_steps, n_synapses};
}

template <typename Real>
struct Outcome {
  std::vector<Real> output;
  OwnState state;
};

// One call, from `state` or a state of 0.
template <typename Real>
Outcome<Real> RunWhole(const Subject& subject, const std::vector<double>& input,
                       const Options& options, const OwnState* state = nullptr) {
  Outcome<Real> outcome{std::vector<Real>(input.size()),
                        OwnState(subject.n_synapses(), 0, subject.n_planes())};
  if (state != nullptr) outcome.state = *state;
  const EvolveResult result =
      EvolveBatch(*subject.kernel, options, RasterOf(subject, input), outcome.state.view(),
                  outcome.output.data(), outcome.state.next());
  REQUIRE(result.status == EvolveResult::Status::kDone);
  return outcome;
}

// The same in calls of random lengths, each with the next of `methods`.
template <typename Real>
Outcome<Real> RunInChunks(const Subject& subject, const std::vector<double>& input, Options options,
                          const std::vector<Method>& methods, std::uint32_t seed) {
  std::mt19937 random(seed);
  Outcome<Real> outcome{std::vector<Real>(input.size()),
                        OwnState(subject.n_synapses(), 0, subject.n_planes())};
  const auto n_timesteps = static_cast<std::int64_t>(input.size() / subject.n_synapses());
  std::size_t n_calls = 0;
  std::int64_t n_steps = 0;
  for (std::int64_t step = 0; step < n_timesteps; step += n_steps) {
    const std::int64_t most = std::int64_t{1} << random() % 9;
    n_steps = std::min<std::int64_t>(1 + random() % most, n_timesteps - step);
    options.method = methods[n_calls++ % methods.size()];
    Options later = options;
    later.noise.step += static_cast<std::uint64_t>(step);
    const EvolveResult result = EvolveBatch(
        *subject.kernel, later, RasterOf(subject, input, step, n_steps), outcome.state.view(),
        outcome.output.data() + step * static_cast<std::int64_t>(subject.n_synapses()),
        outcome.state.next());
    REQUIRE(result.status == EvolveResult::Status::kDone);
  }
  return outcome;
}

// The largest error of a channel relative to that channel's own peak.
template <typename Real>
double WorstError(const Subject& subject, const std::vector<Real>& output,
                  const std::vector<long double>& expected) {
  Case shape;
  shape.n_timesteps = static_cast<std::int64_t>(output.size() / subject.n_synapses());
  shape.tau.resize(subject.n_synapses());
  return WorstError(shape, std::vector<double>(output.begin(), output.end()), expected);
}

// Kernels whose state rolls over exactly, and with `has_cut` also kernels with a cut window.
inline std::vector<Subject> Subjects(std::int64_t n_synapses, bool has_cut = false) {
  std::vector<Subject> subjects{Oscillation(n_synapses, kInfinity),
                                Triangle(n_synapses, 1),
                                Triangle(n_synapses, 2),
                                Triangle(n_synapses, 33.5),
                                Triangle(n_synapses, 700),
                                Biexponential(n_synapses, 1, kInfinity),
                                Biexponential(n_synapses, 0.2, kInfinity),
                                Biexponential(n_synapses, 1e-6, kInfinity),
                                Biexponential(n_synapses, 1 - 1e-9, kInfinity),
                                Biexponential(n_synapses, 0.5, kInfinity, 1, Normalisation::kArea),
                                Biexponential(n_synapses, 1, kInfinity, 40),
                                Fir(n_synapses, 1, true),
                                Fir(n_synapses, 2),
                                Fir(n_synapses, 61, true),
                                Fir(n_synapses, 509)};
  if (has_cut) {
    subjects.push_back(Biexponential(n_synapses, 1, 2));
    subjects.push_back(Biexponential(n_synapses, 0.3, 0.7));
    subjects.push_back(Biexponential(n_synapses, 0.9, 1.5, 1, Normalisation::kArea));
    subjects.push_back(Oscillation(n_synapses, 0.9));
    subjects.push_back(Oscillation(n_synapses, 3));
  }
  return subjects;
}

}  // namespace expsyn::test

#endif  // EXPSYN_TEST_NATIVE_KERNEL_SUBJECTS_H_
