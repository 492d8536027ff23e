// Direct sums and transforms of kernels without a recursion: every path through them gives the sum
// of the definition, and its bits depend on nothing that they need not depend on.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "kernel_subjects.h"
#include "method/fft_plan.h"

namespace expsyn::test {
namespace {

constexpr Method kBoth[] = {Method::kDirect, Method::kFft};

std::size_t SizeOf(const Subject& subject, std::int64_t n_timesteps) {
  return static_cast<std::size_t>(n_timesteps) * subject.n_synapses();
}

// By every method and instruction set. Errors of transforms are relative to what a block could
// give: single steps, whose products may happen to cancel, are tested by direct sums only.
template <typename Real>
void CheckSum(const Subject& subject, const std::vector<double>& input) {
  const std::vector<long double> expected = ObviousSum(subject, input);
  const bool is_short = input.size() < 15 * subject.n_synapses();
  for (const Method method : kBoth) {
    if (is_short && method == Method::kFft) continue;
    CAPTURE(std::string(NameOf(method)));
    std::vector<Real> first;
    ForEachInstructionSet([&] {
      const std::vector<Real> output = RunWhole<Real>(subject, input, {method, {}, true, 1}).output;
      if (first.empty()) {
        first = output;
        CHECK(WorstError(subject, output, expected) < kTolerance<Real>);
      }
      CHECK(output == first);
    });
  }
}

TEST_CASE_TEMPLATE("fir methods: the sum of the definition for every number of synapses", Real,
                   float, double) {
  for (const std::int64_t n_synapses :
       {1, 2, 3, 7, 8, 9, 15, 16, 17, 24, 33, 64, 65, 127, 128, 129, 140}) {
    for (const bool is_shared : {false, true}) {
      for (const std::int64_t length : {1, 5, 40}) {
        CAPTURE(n_synapses);
        CAPTURE(is_shared);
        CAPTURE(length);
        const Subject subject = Fir(n_synapses, length, is_shared);
        CheckSum<Real>(subject, RandomInput(SizeOf(subject, 300), 5));
      }
    }
  }
}

TEST_CASE_TEMPLATE("fir methods: the sum of the definition for awkward lengths", Real, float,
                   double) {
  for (const std::int64_t length : {1, 2, 15, 16, 17, 63, 64, 65, 127, 257, 509}) {
    std::vector<std::int64_t> all{1, 2, 31, 32, 97, 255, 256, 257, 513, 1021};
    all.insert(all.end(), {length, length + 1, 2 * length});
    if (length > 1) all.push_back(length - 1);
    for (const std::int64_t n_timesteps : all) {
      CAPTURE(length);
      CAPTURE(n_timesteps);
      const Subject subject = Fir(17, length);
      CheckSum<Real>(subject, RandomInput(SizeOf(subject, n_timesteps), 3));
    }
  }
}

TEST_CASE_TEMPLATE("fir methods: the sum of the definition at the edges of blocks", Real, float,
                   double) {
  for (const std::int64_t length : {40, 300}) {
    const Subject subject = Fir(3, length);
    const BlockPlan blocks = ChooseBlocks(*subject.kernel, 20000, kElementTypeOf<Real>);
    CHECK(IsTransformedInPairs(blocks.fft_length, kElementTypeOf<Real>));
    for (const std::int64_t n_blocks : {1, 2, 3, 4}) {
      for (const std::int64_t more : {-1, 0, 1}) {
        CAPTURE(n_blocks);
        CAPTURE(more);
        const std::int64_t n_timesteps = n_blocks * blocks.hop + more;
        const std::vector<double> input = RandomInput(SizeOf(subject, n_timesteps), 9);
        const std::vector<long double> expected = ObviousSum(subject, input);
        const auto output = RunWhole<Real>(subject, input, {Method::kFft, {}, true, 1}).output;
        CHECK(WorstError(subject, output, expected) < kTolerance<Real>);
      }
    }
  }
}

TEST_CASE_TEMPLATE("fir methods: long kernels, whose transforms are of one signal", Real, float,
                   double) {
  const Subject subject = Fir(2, 4001);
  const BlockPlan blocks = ChooseBlocks(*subject.kernel, 9000, kElementTypeOf<Real>);
  CHECK_FALSE(IsTransformedInPairs(blocks.fft_length, kElementTypeOf<Real>));
  CheckSum<Real>(subject, RandomInput(SizeOf(subject, 9000), 2));
}

TEST_CASE_TEMPLATE("fir methods: a direct sum of thousands of products keeps its digits", Real,
                   float, double) {
  for (const double offset : {0.0, 3.0}) {
    const Subject subject = Fir(9, 5003, true);
    std::vector<double> input = RandomInput(SizeOf(subject, 5500), 4);
    for (double& x : input) x = static_cast<double>(static_cast<float>(x + offset));
    const auto output = RunWhole<Real>(subject, input, {Method::kDirect, {}, true, 1}).output;
    CHECK(WorstError(subject, output, ObviousSum(subject, input)) < kTolerance<Real> / 4);
  }
}

TEST_CASE_TEMPLATE("fir methods: the bits of a direct sum depend on its inputs only", Real, float,
                   double) {
  for (const std::int64_t length : {1, 7, 61, 300}) {
    CAPTURE(length);
    const Subject subject = Fir(37, length, true);
    const std::vector<double> input = RandomInput(SizeOf(subject, 1500), 8);
    const auto whole = RunWhole<Real>(subject, input, {Method::kDirect, {}, true, 1});
    // Not on the calls.
    for (std::uint32_t seed = 0; seed < 3; ++seed) {
      const auto chunks = RunInChunks<Real>(subject, input, {}, {Method::kDirect}, seed);
      CHECK(chunks.output == whole.output);
      CHECK(chunks.state == whole.state);
    }
    // Not on the threads.
    CHECK(RunWhole<Real>(subject, input, {Method::kDirect, {}, true, 3}).output == whole.output);
    // Not on the other synapses.
    for (const std::size_t n : {0, 15, 36}) {
      const Subject alone = Fir(1, length, true);
      std::vector<double> column;
      for (std::size_t i = n; i < input.size(); i += 37) column.push_back(input[i]);
      const auto output = RunWhole<Real>(alone, column, {Method::kDirect, {}, true, 1}).output;
      std::size_t n_different = 0;
      for (std::size_t t = 0; t < output.size(); ++t) {
        n_different += output[t] != whole.output[t * 37 + n];
      }
      CHECK(n_different == 0);
    }
  }
}

TEST_CASE_TEMPLATE("fir methods: no bit depends on the values of other synapses", Real, float,
                   double) {
  const Subject subject = Fir(9, 61);
  const std::vector<double> input = RandomInput(SizeOf(subject, 3000), 6);
  for (const double factor : {0.0, 1e12, 1e30, std::numeric_limits<double>::infinity()}) {
    std::vector<double> changed = input;
    for (std::size_t i = 4; i < changed.size(); i += 9) changed[i] *= factor;
    for (const Method method : kBoth) {
      CAPTURE(factor);
      CAPTURE(std::string(NameOf(method)));
      const Options options{method, {}, false, 1};
      const auto before = RunWhole<Real>(subject, input, options).output;
      const auto after = RunWhole<Real>(subject, changed, options).output;
      std::size_t n_different = 0;
      for (std::size_t i = 0; i < before.size(); ++i) {
        n_different += i % 9 != 4 && before[i] != after[i];
      }
      CHECK(n_different == 0);
    }
  }
}

TEST_CASE_TEMPLATE("fir methods: before an input that grows, errors are those of what was small",
                   Real, float, double) {
  const Subject subject = Fir(2, 61);
  const std::int64_t hop = ChooseBlocks(*subject.kernel, 4000, kElementTypeOf<Real>).hop;
  for (const double factor : {0.0, 1e-12, 30.0, 1e6, 1e15}) {
    // Within a block, from the first of a pair to the second, and from a pair to the next.
    for (const std::int64_t step : {hop / 2, hop, hop + 1, 2 * hop, 3 * hop}) {
      CAPTURE(factor);
      CAPTURE(step);
      std::vector<double> input = RandomInput(SizeOf(subject, 4 * hop), 12);
      for (auto i = static_cast<std::size_t>(2 * step); i < input.size(); ++i) input[i] *= factor;
      const std::vector<long double> expected = ObviousSum(subject, input);
      for (const Method method : kBoth) {
        const auto output = RunWhole<Real>(subject, input, {method, {}, true, 1}).output;
        // Those before the step are relative to the peak before it.
        const auto before = static_cast<std::size_t>(2 * step);
        const std::vector<Real> first(output.begin(), output.begin() + before);
        CHECK(WorstError(subject, first, expected) < kTolerance<Real>);
        CHECK(WorstError(subject, output, expected) < kTolerance<Real>);
        // A window that holds no input.
        if (factor == 0) {
          const auto silent = output.begin() + 2 * (step + 61);
          CHECK(std::all_of(silent, output.end(), [](Real value) { return value == 0; }));
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("fir methods: a value that is not finite counts as 0 in the transforms", Real,
                   float, double) {
  for (const std::int64_t n_synapses : {1, 17}) {
    const Subject subject = Fir(n_synapses, 40);
    const std::int64_t hop = ChooseBlocks(*subject.kernel, 3000, kElementTypeOf<Real>).hop;
    for (const std::int64_t step : {std::int64_t{0}, hop - 1, hop, hop + 7, 2 * hop, 3 * hop - 1}) {
      for (const Method method : kBoth) {
        CAPTURE(n_synapses);
        CAPTURE(step);
        CAPTURE(std::string(NameOf(method)));
        const auto place = static_cast<std::size_t>(step * n_synapses + n_synapses / 2);
        std::vector<double> zero = RandomInput(SizeOf(subject, 3 * hop), 12);
        zero[place] = 0;
        std::vector<double> input = zero;
        input[place] = std::numeric_limits<double>::quiet_NaN();
        const Options options{method, {}, false, 1};
        const auto expected = RunWhole<Real>(subject, zero, options).output;
        const auto actual = RunWhole<Real>(subject, input, options).output;
        std::int64_t n_different = 0;
        std::int64_t n_non_finite = 0;
        for (std::size_t i = 0; i < actual.size(); ++i) {
          n_different += std::isfinite(actual[i]) && actual[i] != expected[i];
          n_non_finite += !std::isfinite(actual[i]);
        }
        CHECK(n_different == 0);
        CHECK(n_non_finite == std::min<std::int64_t>(40, 3 * hop - step));
      }
    }
  }
}

// Outputs of 6 MiB and more are written past the caches, whatever their alignment.
TEST_CASE_TEMPLATE("fir methods: large outputs at any address", Real, float, double) {
  constexpr std::int64_t kTimesteps = 60000;
  const std::size_t size = static_cast<std::size_t>(kTimesteps) * 32;
  for (const std::int64_t n_synapses : {31, 32}) {
    const Subject subject = Fir(n_synapses, 9, true);
    const std::vector<double> input = RandomInput(SizeOf(subject, kTimesteps), 1);
    for (const Method method : kBoth) {
      const auto run = [&](std::size_t offset) {
        AlignedBuffer<Real> output(size + 64);
        OwnState state(subject.n_synapses(), 0, subject.n_planes());
        EvolveBatch(*subject.kernel, {method, {}, true, 1}, RasterOf(subject, input), state.view(),
                    output.data() + offset, state.next());
        const std::size_t n_written = SizeOf(subject, kTimesteps);
        CHECK(output[offset + n_written] == 0);
        return std::vector<Real>(output.data() + offset, output.data() + offset + n_written);
      };
      const std::vector<Real> aligned = run(0);
      CHECK(WorstError(subject, aligned, ObviousSum(subject, input)) < kTolerance<Real>);
      CHECK(run(1) == aligned);
      CHECK(run(4) == aligned);
    }
  }
}

TEST_CASE("fir methods: 'auto' sums short kernels directly and transforms long ones") {
  for (const ElementType dtype : {ElementType::kFloat32, ElementType::kFloat64}) {
    for (const std::int64_t n_timesteps : {1, 100, 100000}) {
      for (const std::int64_t length : {4, 8, 16, 32}) {
        const Subject subject = Fir(64, length, true);
        CHECK(ChooseMethod(*subject.kernel, Method::kAuto, n_timesteps, dtype) == Method::kDirect);
      }
    }
    const Subject subject = Fir(64, 2000, true);
    CHECK(ChooseMethod(*subject.kernel, Method::kAuto, 100000, dtype) == Method::kFft);
  }
}

}  // namespace
}  // namespace expsyn::test
