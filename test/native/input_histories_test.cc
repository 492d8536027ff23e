// Sessions of kernels without a recursion: their inputs are kept in a ring, and they are computed
// by partitioned convolution.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "input_history.h"
#include "kernel_subjects.h"
#include "method/partitions.h"

namespace expsyn::test {
namespace {

// A session: its history, and the step that it has come to.
template <typename Real>
class OneSession {
 public:
  explicit OneSession(const Subject& subject)
      : subject_(subject),
        history_(subject.kernel->n_synapses(), subject.kernel->state_size(), kElementTypeOf<Real>,
                 memory_) {}

  // Computes the next n_steps steps of the input. The session moves on unless the call fails.
  EvolveResult Run(const std::vector<double>& input, std::int64_t n_steps, Options options,
                   std::vector<Real>& output,
                   const std::atomic<bool>& cancelled = std::atomic<bool>{false}) {
    const std::int64_t n_synapses = subject_.kernel->n_synapses();
    const std::int64_t n_planes = std::min(n_steps, subject_.kernel->state_size());
    OwnState next(subject_.n_synapses(), 0, static_cast<std::size_t>(n_planes));
    Item item;
    item.next_state = next.next();
    item.seed = options.noise.seed;
    item.step = static_cast<std::uint64_t>(step_);
    item.history = &history_;
    Settings settings;
    settings.method = options.method;
    settings.noise = options.noise.placement;
    settings.noise_scale = options.noise.scale;
    settings.throw_non_finite = options.throw_non_finite;
    Call<Real> call;
    call.input = RasterOf(subject_, input, step_, n_steps);
    const std::size_t begin = output.size();
    output.resize(begin + static_cast<std::size_t>(n_steps * n_synapses));
    call.output = output.data() + begin;
    call.items = &item;
    call.policy = FailurePolicy::kItem;
    EvolveResult result = Evolve(*subject_.kernel, settings, call, cancelled);
    const bool is_done = result.status == EvolveResult::Status::kDone && result.failures.empty();
    if (is_done) {
      history_.Append(next.view(), n_steps);
      step_ += n_steps;
    } else {
      output.resize(begin);
    }
    return result;
  }

  // The inputs, the newest first.
  OwnState Inputs() const {
    OwnState inputs(subject_.n_synapses(), 0, subject_.n_planes());
    history_.Read(inputs.next());
    return inputs;
  }

  // A session that goes on from the state of this one.
  void GoOnFrom(const OneSession& other) {
    const OwnState inputs = other.Inputs();
    history_.Write(inputs.view());
    step_ = other.step_;
  }

  InputHistory& history() { return history_; }
  std::size_t memory() const { return *memory_; }

 private:
  const Subject& subject_;
  std::shared_ptr<std::atomic<std::size_t>> memory_ = std::make_shared<std::atomic<std::size_t>>(0);
  InputHistory history_;
  std::int64_t step_ = 0;
};

std::int64_t StepsOf(const Subject& subject, const std::vector<double>& input) {
  return static_cast<std::int64_t>(input.size() / subject.n_synapses());
}

TEST_CASE("the partitions of a window are all of its samples, once") {
  for (const std::int64_t length : {1, 2, 127, 128, 129, 200, 256, 257, 511, 512, 513, 4095, 4096,
                                    4097, 65535, 65536, 65537, 1000003}) {
    for (const bool has_transforms : {false, true}) {
      const PartitionPlan plan = PartitionPlan::For(length, has_transforms);
      CAPTURE(length);
      std::int64_t covered = plan.n_direct;
      double kept = 0;
      for (const PartitionLevel& level : plan.levels) {
        CHECK(level.block == covered);
        CHECK(level.samples_per_part() % level.block == 0);
        covered += level.n_parts * level.samples_per_part();
        kept += static_cast<double>(level.block);
        if (level.n_parts > 1) kept += static_cast<double>(level.n_parts * level.spectrum_size());
      }
      CHECK(covered >= length);
      if (!has_transforms) CHECK(covered == length);
      if (length > 1000) CHECK(kept < 0.95 * static_cast<double>(length));
    }
  }
}

TEST_CASE_TEMPLATE("sessions of kernels without a recursion give the sum, in calls of any length",
                   Real, float, double) {
  for (const std::int64_t length : {1, 2, 64, 65, 129, 200, 700, 2053}) {
    for (const std::int64_t n_synapses : {1, 3, 8, 9, 17}) {
      if (length > 700 && n_synapses > 3) continue;
      const Subject subject = Fir(n_synapses, length);
      const std::vector<double> input =
          RandomInput(static_cast<std::size_t>((3 * length + 900) * n_synapses), 21);
      const std::vector<long double> expected = ObviousSum(subject, input);
      for (const Method method : subject.methods) {
        std::mt19937 random(3);
        OneSession<Real> session(subject);
        std::vector<Real> output;
        for (std::int64_t left = StepsOf(subject, input); left > 0;) {
          const std::int64_t most[] = {1, 1, 3, 64, 200, length, 3 * length};
          const std::int64_t n_steps = std::min<std::int64_t>(
              left, 1 + static_cast<std::int64_t>(random()) % most[random() % 7]);
          session.Run(input, n_steps, {method, {}, true, 1}, output);
          left -= n_steps;
        }
        CAPTURE(length);
        CAPTURE(n_synapses);
        CAPTURE(std::string(NameOf(method)));
        CHECK(WorstError(subject, output, expected) < kTolerance<Real>);
        const OwnState inputs = session.Inputs();
        for (std::size_t p = 0; p < subject.n_planes(); ++p) {
          for (std::size_t n = 0; n < subject.n_synapses(); ++n) {
            const std::size_t i = input.size() - (p + 1) * subject.n_synapses() + n;
            REQUIRE(inputs.values[p * subject.n_synapses() + n] ==
                    static_cast<double>(static_cast<Real>(input[i])));
          }
        }
      }
    }
  }
}

TEST_CASE("a session that goes on from another's inputs gives its numbers, to rounding") {
  const Subject subject = Fir(5, 1500);
  const std::vector<double> input = RandomInput(5 * 6000, 4);
  const std::vector<long double> expected = ObviousSum(subject, input);
  OneSession<double> session(subject);
  std::vector<double> output;
  session.Run(input, 2500, {Method::kFft, {}, true, 1}, output);
  for (int restart = 0; restart < 7; ++restart) {
    OneSession<double> other(subject);
    other.GoOnFrom(session);
    session.GoOnFrom(other);
    session.Run(input, 500, {Method::kFft, {}, true, 1}, output);
  }
  CHECK(WorstError(subject, output, expected) < 1e-12);
}

TEST_CASE(
    "what a session computes does not depend on the calls that it was cut into, where they end") {
  // Calls that end where a block ends: each block is computed from the same inputs.
  const Subject subject = Fir(3, 3000);
  const std::vector<double> input = RandomInput(3 * 8192, 8);
  std::vector<std::vector<double>> outputs;
  for (const std::int64_t n_steps : {1, 64, 2048}) {
    OneSession<double> session(subject);
    std::vector<double> output;
    for (std::int64_t step = 0; step < 8192; step += n_steps) {
      session.Run(input, n_steps, {Method::kFft, {}, true, 1}, output);
    }
    outputs.push_back(output);
  }
  CHECK(outputs[0] == outputs[1]);
  CHECK(outputs[0] == outputs[2]);
}

TEST_CASE_TEMPLATE("a call of a session that fails or is cancelled leaves it as it was", Real,
                   float, double) {
  const Subject subject = Fir(4, 900);
  const std::vector<double> input = RandomInput(4 * 4000, 15);
  const std::vector<long double> expected = ObviousSum(subject, input);
  std::vector<double> bad = input;
  for (std::size_t i = 0; i < bad.size(); i += 4 * 100 + 2) bad[i] = NAN;
  OneSession<Real> session(subject);
  std::vector<Real> output;
  std::mt19937 random(1);
  const std::atomic<bool> cancelled{true};
  for (std::int64_t left = 4000; left > 0;) {
    const std::int64_t n_steps = std::min<std::int64_t>(left, 120 + random() % 100);
    const Options options{Method::kFft, {}, true, 1};
    const OwnState before = session.Inputs();
    // The last calls are shorter than the distance of two NaNs.
    if (left <= 120) {
      session.Run(input, n_steps, options, output);
      left -= n_steps;
      continue;
    }
    const EvolveResult failed = session.Run(bad, n_steps, options, output);
    REQUIRE(failed.failures.size() == 1);
    CHECK(std::isnan(bad[static_cast<std::size_t>(failed.failures[0].index + (4000 - left) * 4)]));
    CHECK(session.Run(input, n_steps, options, output, cancelled).status ==
          EvolveResult::Status::kCancelled);
    CHECK(session.Inputs() == before);
    session.Run(input, n_steps, options, output);
    left -= n_steps;
  }
  CHECK(WorstError(subject, output, expected) < kTolerance<Real>);
}

TEST_CASE("a NaN goes through a session forwards, in its channel and its window") {
  const Subject subject = Fir(3, 300);
  std::vector<double> input = RandomInput(3 * 2000, 2);
  const std::vector<long double> clean = ObviousSum(subject, input);
  input[3 * 700 + 1] = NAN;
  for (const Method method : subject.methods) {
    OneSession<double> session(subject);
    std::vector<double> output;
    for (std::int64_t step = 0; step < 2000; step += 50) {
      session.Run(input, 50, {method, {}, false, 1}, output);
    }
    std::size_t n_wrong = 0;
    for (std::size_t t = 0; t < 2000; ++t) {
      for (std::size_t n = 0; n < 3; ++n) {
        const std::size_t i = 3 * t + n;
        const bool is_held = n == 1 && t >= 700 && t < 1000;
        const bool is_right = is_held ? std::isnan(output[i])
                                      : std::abs(output[i] - static_cast<double>(clean[i])) < 1e-10;
        n_wrong += is_right ? 0 : 1;
      }
    }
    CHECK(n_wrong == 0);
  }
}

TEST_CASE_TEMPLATE("a session is exactly 0 before its first input and after its window", Real,
                   float, double) {
  const Subject subject = Fir(2, 1000, true);
  std::vector<double> input(2 * 4000);
  for (std::size_t t = 1000; t < 1010; ++t) input[2 * t] = 1 + static_cast<double>(t);
  OneSession<Real> session(subject);
  std::vector<Real> output;
  for (std::int64_t step = 0; step < 4000; step += 40) {
    session.Run(input, 40, {Method::kFft, {}, true, 1}, output);
  }
  std::size_t n_wrong = 0;
  for (std::size_t t = 0; t < 4000; ++t) {
    const bool is_silent = t < 1000 || t >= 1009 + 1000;
    n_wrong += (output[2 * t] == 0) != is_silent;
    n_wrong += output[2 * t + 1] != 0;
  }
  CHECK(n_wrong == 0);
}

TEST_CASE_TEMPLATE("very small and very large inputs of a session keep their digits", Real, float,
                   double) {
  const bool is_single = sizeof(Real) == sizeof(float);
  for (const double scale : {is_single ? 1e-33 : 1e-290, 1e-20, 1e12, is_single ? 1e33 : 1e295}) {
    const Subject subject = Fir(2, 700);
    std::vector<double> input = RandomInput(2 * 3000, 6);
    for (std::size_t i = 0; i < input.size(); i += 2) input[i] *= scale;
    const std::vector<long double> expected = ObviousSum(subject, input);
    OneSession<Real> session(subject);
    std::vector<Real> output;
    for (std::int64_t step = 0; step < 3000; step += 100) {
      session.Run(input, 100, {Method::kFft, {}, true, 1}, output);
    }
    CAPTURE(scale);
    CHECK(WorstError(subject, output, expected) < kTolerance<Real>);
  }
}

TEST_CASE("noise of a session is that of one call") {
  const Subject subject = Fir(5, 400);
  const std::vector<double> input = RandomInput(5 * 1500, 9);
  for (const NoisePlacement placement : {NoisePlacement::kOutput, NoisePlacement::kInput}) {
    const Options options{Method::kFft, {placement, 0.4, 77, 0}, true, 1};
    const auto whole = RunWhole<double>(subject, input, options);
    OneSession<double> session(subject);
    std::vector<double> output;
    for (std::int64_t step = 0; step < 1500; step += 30) session.Run(input, 30, options, output);
    double worst = 0;
    for (std::size_t i = 0; i < output.size(); ++i) {
      worst = std::max(worst, std::abs(output[i] - whole.output[i]));
    }
    CHECK(worst < 1e-11);
    CHECK(session.Inputs() == whole.state);
  }
}

TEST_CASE("a session holds at most twice its inputs") {
  for (const std::int64_t length : {1200, 4096, 10000}) {
    const Subject subject = Fir(16, length, true);
    const std::vector<double> input(static_cast<std::size_t>(16 * 300), 1);
    OneSession<double> session(subject);
    std::vector<double> output;
    session.Run(input, 300, {Method::kFft, {}, true, 1}, output);
    const double inputs = static_cast<double>(length - 1) * 16 * sizeof(double);
    CHECK(static_cast<double>(session.memory()) > inputs);
    CHECK(static_cast<double>(session.memory()) < 2.05 * inputs);
  }
}

TEST_CASE("a session goes on with another kernel of the same length") {
  const Subject first = Fir(3, 500);
  Subject second = Fir(3, 500, true);
  const std::vector<double> input = RandomInput(3 * 2000, 31);
  OneSession<double> session(first);
  std::vector<double> output;
  session.Run(input, 1000, {Method::kFft, {}, true, 1}, output);
  OneSession<double> other(second);
  other.GoOnFrom(session);
  std::vector<double> rest;
  for (int call = 0; call < 10; ++call) other.Run(input, 100, {Method::kFft, {}, true, 1}, rest);
  const std::vector<long double> expected = ObviousSum(second, input);
  double worst = 0;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    worst = std::max(worst, std::abs(rest[i] - static_cast<double>(expected[3000 + i])));
  }
  CHECK(worst < 1e-10);
}

}  // namespace
}  // namespace expsyn::test
