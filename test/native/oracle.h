#ifndef EXPSYN_TEST_NATIVE_ORACLE_H_
#define EXPSYN_TEST_NATIVE_ORACLE_H_

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <type_traits>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "evolve.h"
#include "kernel/exponential.h"
#include "simd/instruction_set.h"

namespace expsyn::test {

// Calls `check` with every instruction set that this processor has.
template <typename Check>
void ForEachInstructionSet(Check&& check) {
  const simd::InstructionSet& before = simd::ActiveInstructionSet();
  for (const simd::InstructionSet& set : simd::kInstructionSets) {
    if (!simd::IsSupported(set)) continue;
    simd::SetInstructionSet(set);
    CAPTURE(set.name);
    check();
  }
  simd::SetInstructionSet(before);
}

// The arguments of one call.
struct Case {
  std::int64_t n_batches = 1;
  std::int64_t n_timesteps = 1;
  std::vector<double> tau;
  double dt = 1e-3;
  std::int64_t window_length = 100;
  std::vector<double> input;  // (B, T, N)
  std::vector<double> state;  // (N)

  std::int64_t n_synapses() const { return static_cast<std::int64_t>(tau.size()); }
};

// The output by the definition, O(T W), in extended precision.
inline std::vector<long double> DirectSum(const Case& c) {
  const std::int64_t n_synapses = c.n_synapses();
  std::vector<long double> output(c.input.size());
  for (std::int64_t b = 0; b < c.n_batches; ++b) {
    for (std::int64_t n = 0; n < n_synapses; ++n) {
      const long double rate = static_cast<long double>(c.dt) / c.tau[n];
      std::vector<long double> w(std::min(c.window_length, c.n_timesteps));
      for (std::size_t k = 0; k < w.size(); ++k) {
        w[k] = std::exp(-rate * static_cast<long double>(k + 1));
      }
      for (std::int64_t t = 0; t < c.n_timesteps; ++t) {
        const std::int64_t n_terms = std::min<std::int64_t>(t + 1, w.size());
        long double sum = 0;
        for (std::int64_t k = 0; k < n_terms; ++k) {
          sum += w[k] * c.input[(b * c.n_timesteps + t - k) * n_synapses + n];
        }
        if (t < static_cast<std::int64_t>(w.size())) sum += c.state[n] * w[t];
        output[(b * c.n_timesteps + t) * n_synapses + n] = sum;
      }
    }
  }
  return output;
}

// A state that owns its memory; of two planes by default.
struct OwnState {
  explicit OwnState(std::size_t n_synapses, double value = 0, std::size_t n_planes = 2)
      : values(n_synapses * n_planes, value), stride(static_cast<std::int64_t>(n_synapses)) {}
  // With the currents given and no corrections.
  explicit OwnState(const std::vector<double>& isyn) : OwnState(isyn.size()) {
    std::copy(isyn.begin(), isyn.end(), values.begin());
  }

  State view() const { return {values.data(), stride}; }
  NextState next() { return {values.data(), stride}; }
  std::size_t size() const { return static_cast<std::size_t>(stride); }
  double isyn(std::size_t n) const { return values[n]; }
  double correction(std::size_t n) const { return values[size() + n]; }
  bool operator==(const OwnState& other) const { return values == other.values; }

  std::vector<double> values;
  std::int64_t stride;
};

// The options of a call, besides its kernel, input and state.
struct Options {
  Method method = Method::kRecursive;
  Noise noise;
  bool throw_non_finite = true;
  unsigned n_threads = 1;
};

// A batch: items of one seed and step. `state` is that of all items, or one row that they share.
// Their next states follow each other.
template <typename Real>
EvolveResult EvolveBatch(const Kernel& kernel, const Options& options, const Raster& input,
                         State state, Real* output, NextState next_state,
                         const std::atomic<bool>& cancelled = std::atomic<bool>{false}) {
  const std::int64_t n_synapses = kernel.n_synapses();
  std::vector<Item> items;
  for (std::int64_t b = 0; b < input.n_batches; ++b) {
    items.push_back({state.From(state.stride == n_synapses ? 0 : b * n_synapses),
                     next_state.From(b * n_synapses), options.noise.seed, options.noise.step,
                     options.noise.batch + b});
  }
  Settings settings;
  settings.method = options.method;
  settings.noise = options.noise.placement;
  settings.noise_scale = options.noise.scale;
  settings.throw_non_finite = options.throw_non_finite;
  settings.n_threads = options.n_threads;
  Call<Real> call;
  call.input = input;
  call.output = output;
  call.items = items.data();
  call.first_synapse = options.noise.first_synapse;
  return Evolve(kernel, settings, call, cancelled);
}

template <typename T>
constexpr ElementType TypeOf() {
  if constexpr (std::is_same_v<T, float>) return ElementType::kFloat32;
  if constexpr (std::is_same_v<T, std::uint8_t>) return ElementType::kUint8;
  if constexpr (std::is_same_v<T, std::int16_t>) return ElementType::kInt16;
  return ElementType::kFloat64;
}

struct Answer {
  EvolveResult result;
  std::vector<double> output;
  OwnState next_state{0};
};

inline ExponentialKernel KernelOf(const Case& c) {
  return {c.tau.data(), c.n_synapses(), c.dt, c.window_length};
}

// Runs the core on the case, with the input as an array of In.
template <typename Real, typename In = double>
Answer Run(const Case& c, Method method, const Noise& noise = {}, bool throw_non_finite = true,
           unsigned n_threads = 1) {
  const ExponentialKernel kernel = KernelOf(c);
  const std::vector<In> input(c.input.begin(), c.input.end());
  std::vector<Real> output(c.input.size());
  Answer answer;
  const OwnState state(c.state);
  answer.next_state = OwnState(static_cast<std::size_t>(c.n_batches * c.n_synapses()));
  answer.result =
      EvolveBatch(kernel, {method, noise, throw_non_finite, n_threads},
                  {input.data(), TypeOf<In>(), c.n_batches, c.n_timesteps, c.n_synapses()},
                  state.view(), output.data(), answer.next_state.next());
  answer.output.assign(output.begin(), output.end());
  return answer;
}

// The largest error of a channel relative to that channel's own peak.
inline double WorstError(const Case& c, const std::vector<double>& output,
                         const std::vector<long double>& expected) {
  long double worst = 0;
  const std::int64_t n_synapses = c.n_synapses();
  for (std::int64_t b = 0; b < c.n_batches; ++b) {
    for (std::int64_t n = 0; n < n_synapses; ++n) {
      long double peak = 0;
      long double error = 0;
      for (std::int64_t t = 0; t < c.n_timesteps; ++t) {
        const auto i = static_cast<std::size_t>((b * c.n_timesteps + t) * n_synapses + n);
        peak = std::max(peak, std::abs(expected[i]));
        error = std::max(error, std::abs(expected[i] - static_cast<long double>(output[i])));
      }
      if (error > 0) worst = std::max(worst, peak > 0 ? error / peak : 1.0L);
    }
  }
  return static_cast<double>(worst);
}

enum class Drive { kSpikes, kSigned, kConstant, kAlternating };

inline Case MakeCase(std::int64_t n_batches, std::int64_t n_timesteps, std::vector<double> tau,
                     std::int64_t window_length, Drive drive, std::uint32_t seed = 1) {
  Case c;
  c.n_batches = n_batches;
  c.n_timesteps = n_timesteps;
  c.tau = std::move(tau);
  c.window_length = window_length;
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform;
  c.input.resize(static_cast<std::size_t>(n_batches * n_timesteps * c.n_synapses()));
  for (std::size_t i = 0; i < c.input.size(); ++i) {
    const auto t = static_cast<std::int64_t>(i) / c.n_synapses();
    switch (drive) {
      case Drive::kSpikes:
        c.input[i] = uniform(random) < 0.05 ? 1 : 0;
        break;
      case Drive::kSigned:
        c.input[i] = normal(random);
        break;
      case Drive::kConstant:
        c.input[i] = 0.1;
        break;
      case Drive::kAlternating:
        c.input[i] = t % 2 == 0 ? 0.3 : -0.3;
        break;
    }
  }
  for (std::int64_t n = 0; n < c.n_synapses(); ++n) c.state.push_back(normal(random));
  return c;
}

}  // namespace expsyn::test

#endif  // EXPSYN_TEST_NATIVE_ORACLE_H_
