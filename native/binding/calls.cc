#include "calls.h"

#include <algorithm>
#include <cstring>
#include <thread>
#include <utility>

namespace expsyn::binding {

namespace {

const std::atomic<bool> kNeverCancelled{false};

std::size_t Product(std::int64_t a, std::int64_t b) {
  return CheckedProduct(static_cast<std::size_t>(a), static_cast<std::size_t>(b));
}

bool Overlap(const ArrayView& a, const ArrayView& b) {
  const auto* a_begin = static_cast<const char*>(a.data);
  const auto* b_begin = static_cast<const char*>(b.data);
  return a_begin < b_begin + b.size_in_bytes() && b_begin < a_begin + a.size_in_bytes();
}

// Numbers of sessions: one as a number, any as an Int32Array.
class Numbers {
 public:
  Numbers(const Napi::CallbackInfo& info, std::size_t position) {
    const Arguments arguments(info);
    if (info[position].IsNumber()) {
      single_ = arguments.Size(position);
      return;
    }
    view_ = arguments.Array(position);
    arguments.Require(view_, position, ElementType::kInt32, view_.length);
    count_ = static_cast<std::int64_t>(view_.length);
  }

  std::int64_t count() const { return count_; }
  std::int64_t operator[](std::int64_t i) const {
    return view_.data == nullptr ? single_ : static_cast<const std::int32_t*>(view_.data)[i];
  }

 private:
  std::int64_t count_ = 1;
  std::int64_t single_ = 0;
  ArrayView view_{};
};

// A state of `size` currents as it lies in a Float64Array: the currents, then their corrections.
State StateAt(const ArrayView& view, std::size_t size) {
  const auto* isyn = static_cast<const double*>(view.data);
  return {isyn, isyn + size};
}
NextState NextStateAt(const ArrayView& view, std::size_t size) {
  auto* isyn = static_cast<double*>(view.data);
  return {isyn, isyn + size};
}

// The session of that number, which must be open.
Session* FindOpen(Napi::Env env, SessionTable& table, std::int64_t number) {
  Session* session = table.Find(number);
  if (session == nullptr) throw ArgumentError(env, "Expected an open session.");
  return session;
}

// Whether a session stays below step 2^53 after so many more steps.
bool CanAdvance(std::uint64_t step, std::int64_t n_timesteps) {
  constexpr std::int64_t kMaxSafeInteger = (std::int64_t{1} << 53) - 1;
  return n_timesteps <= kMaxSafeInteger - static_cast<std::int64_t>(step);
}

}  // namespace

Call::Call(const Napi::CallbackInfo& info)
    : handle_(KernelsHandle::From(info, kKernels)), kernels_(handle_.kernels(info.Env())) {
  const Arguments arguments(info);
  method_ = arguments.Size(kMethod) == 0 ? Method::kFft : Method::kRecursive;
  raster_.n_batches = arguments.Size(kBatches);
  raster_.n_timesteps = arguments.Size(kTimesteps);
  raster_.n_columns = arguments.Boolean(kIsInputPerSynapse) ? n_synapses() : 1;
  const std::size_t n_rows = Product(raster_.n_batches, raster_.n_timesteps);
  input_ = arguments.Array(kInput);
  arguments.Require(input_, kInput, input_.type,
                    CheckedProduct(n_rows, static_cast<std::size_t>(raster_.n_columns)));
  raster_.data = input_.data;
  raster_.type = input_.type;
  output_ = arguments.Array(kOutput);
  dtype_ = output_.type == ElementType::kFloat32 ? ElementType::kFloat32 : ElementType::kFloat64;
  arguments.Require(output_, kOutput, dtype_,
                    CheckedProduct(n_rows, static_cast<std::size_t>(n_synapses())));
  output_data_ = output_.data;
  throw_non_finite_ = arguments.Boolean(kThrowNonFinite);
  noise_placement_ =
      static_cast<NoisePlacement>(std::min<std::int64_t>(arguments.Size(kNoisePlacement), 3));
  noise_scale_ = arguments.Number(kNoiseScale);
  is_state_noisy_ = arguments.Boolean(kIsStateNoisy);
  // Asking the system takes longer than a short call.
  static const unsigned n_processors = std::max(1u, std::thread::hardware_concurrency());
  n_threads_ =
      static_cast<unsigned>(std::min<std::int64_t>(arguments.Size(kThreads), n_processors));
}

bool Call::IsInputWrittenOver() const { return Overlap(input_, output_); }

void Call::CopyInput() {
  input_copy_ = AlignedBuffer<char>(input_.size_in_bytes());
  if (input_copy_.size() > 0) std::memcpy(input_copy_.data(), input_.data, input_copy_.size());
  raster_.data = input_copy_.data();
}

void Call::RestoreInput(const char* begin, const char* end) {
  auto* const input = static_cast<char*>(input_.data);
  begin = std::max<const char*>(begin, input);
  end = std::min<const char*>(end, input + input_copy_.size());
  if (begin < end) {
    std::memcpy(input + (begin - input), input_copy_.data() + (begin - input),
                static_cast<std::size_t>(end - begin));
  }
}

BatchCall::BatchCall(const Napi::CallbackInfo& info) : Call(info) {
  const Arguments arguments(info);
  const std::size_t next_size = Product(raster_.n_batches, n_synapses());
  is_state_shared_ = arguments.Boolean(kIsStateShared);
  const std::size_t size = is_state_shared_ ? static_cast<std::size_t>(n_synapses()) : next_size;
  state_ = StateAt(arguments.Array(kState, ElementType::kFloat64, CheckedProduct(2, size)), size);
  next_state_ = NextStateAt(
      arguments.Array(kNextState, ElementType::kFloat64, CheckedProduct(2, next_size)), next_size);
  seed_ = static_cast<std::uint64_t>(arguments.Size(kSeed));
  step_ = static_cast<std::uint64_t>(arguments.Size(kStep));
  first_batch_ = arguments.Size(kFirstBatch);
  first_synapse_ = arguments.Size(kFirstSynapse);
}

template <typename Real>
double BatchCall::RunAs(const std::atomic<bool>& cancelled) const {
  EvolveCall<Real> call;
  call.method = method_;
  call.input = raster_;
  call.noise = {noise_placement_, noise_scale_, seed_, step_, first_batch_, first_synapse_};
  call.throw_non_finite = throw_non_finite_;
  call.state = state_;
  call.is_state_shared = is_state_shared_;
  call.output = static_cast<Real*>(output_data_);
  call.next_state = next_state_;
  call.n_threads = n_threads_;
  call.is_state_noisy = is_state_noisy_;
  const EvolveResult result = Evolve(*kernels_, call, cancelled);
  if (result.status == EvolveResult::Status::kCancelled) return JobQueue::kCancelled;
  return static_cast<double>(result.non_finite_index);
}

double BatchCall::Run(const std::atomic<bool>& cancelled) const {
  return dtype_ == ElementType::kFloat32 ? RunAs<float>(cancelled) : RunAs<double>(cancelled);
}

Napi::Value BatchCall::RunHere(Napi::Env env) {
  if (IsInputWrittenOver()) {
    if (throw_non_finite_) {
      const std::int64_t index = FirstNonFinite(raster_);
      if (index >= 0) return Result(env, static_cast<double>(index));
    }
    CopyInput();
  }
  return Result(env, Run(kNeverCancelled));
}

Napi::Value BatchCall::Result(Napi::Env env, double value) const {
  return Napi::Number::New(env, value);
}

GatheredCall::GatheredCall(const Napi::CallbackInfo& info, bool is_async)
    : Call(info),
      table_handle_(SessionTableHandle::From(info, kTable)),
      table_(table_handle_.table()) {
  if (table_->n_synapses() != n_synapses()) {
    throw ArgumentError(info.Env(), "Expected a session table of the kernels' size.");
  }
  const Numbers numbers(info, kNumbers);
  if (numbers.count() != raster_.n_batches) {
    throw ArgumentError(info.Env(), "Expected a session for each item of the input.");
  }
  sessions_.reserve(static_cast<std::size_t>(numbers.count()));
  for (std::int64_t i = 0; i < numbers.count(); ++i) {
    Session* session = FindOpen(info.Env(), *table_, numbers[i]);
    if (!CanAdvance(session->step, raster_.n_timesteps)) out_of_steps_.push_back(i);
    sessions_.push_back(session);
  }
  const std::size_t size = Product(raster_.n_batches, n_synapses());
  if (!is_async) {
    double* next_states = table_->Scratch(CheckedProduct(2, size));
    next_states_ = {next_states, next_states + size};
    return;
  }
  // The call starts from copies, in the place of the next states: the sessions themselves are read
  // and written on JavaScript's thread only.
  next_states_ = NextStateAt(
      Arguments(info).Array(kNextStates, ElementType::kFloat64, CheckedProduct(2, size)), size);
  copies_.reserve(sessions_.size());
  for (Session*& session : sessions_) {
    const NextState state =
        next_states_.From(static_cast<std::int64_t>(copies_.size()) * n_synapses());
    std::copy_n(session->state.isyn, n_synapses(), state.isyn);
    std::copy_n(session->state.correction, n_synapses(), state.correction);
    copies_.push_back(*session);
    copies_.back().state = state;
    session = &copies_.back();
  }
}

template <typename Real>
double GatheredCall::RunAs(const std::atomic<bool>& cancelled) {
  SessionsCall<Real> call;
  call.method = method_;
  call.input = raster_;
  call.sessions = sessions_.data();
  call.noise_placement = noise_placement_;
  call.noise_scale = noise_scale_;
  call.throw_non_finite = throw_non_finite_;
  call.is_state_noisy = is_state_noisy_;
  call.output = static_cast<Real*>(output_data_);
  call.next_states = next_states_;
  call.n_threads = n_threads_;
  const bool is_none_left = static_cast<std::int64_t>(out_of_steps_.size()) == raster_.n_batches;
  if (!is_none_left && !EvolveSessions(*kernels_, call, cancelled, &failures_)) {
    return JobQueue::kCancelled;
  }
  FailOutOfSteps();
  // A session that failed can be given its input again.
  const std::int64_t item_size = raster_.n_timesteps * n_synapses();
  for (const SessionFailure& failure : failures_) {
    const Real* output = call.output + failure.item * item_size;
    RestoreInput(reinterpret_cast<const char*>(output),
                 reinterpret_cast<const char*>(output + item_size));
  }
  return failures_.empty() ? -1 : static_cast<double>(failures_.size());
}

void GatheredCall::FailOutOfSteps() {
  if (out_of_steps_.empty()) return;
  std::vector<SessionFailure> all;
  auto other = failures_.begin();
  for (const std::int64_t item : out_of_steps_) {
    for (; other != failures_.end() && other->item < item; ++other) all.push_back(*other);
    if (other != failures_.end() && other->item == item) ++other;
    all.push_back({item, kOutOfSteps});
  }
  all.insert(all.end(), other, failures_.end());
  failures_ = std::move(all);
}

void GatheredCall::Advance() const {
  auto failure = failures_.begin();
  for (std::int64_t item = 0; item < raster_.n_batches; ++item) {
    if (failure != failures_.end() && failure->item == item) {
      ++failure;
      continue;
    }
    const NextState next = next_states_.From(item * n_synapses());
    table_->Advance(*sessions_[static_cast<std::size_t>(item)], {next.isyn, next.correction},
                    raster_.n_timesteps);
  }
}

double GatheredCall::Run(const std::atomic<bool>& cancelled) {
  return dtype_ == ElementType::kFloat32 ? RunAs<float>(cancelled) : RunAs<double>(cancelled);
}

Napi::Value GatheredCall::RunHere(Napi::Env env) {
  if (IsInputWrittenOver()) CopyInput();
  const double value = Run(kNeverCancelled);
  Advance();
  return Result(env, value);
}

Napi::Value GatheredCall::Result(Napi::Env env, double value) const {
  if (value < 0) return Napi::Number::New(env, value);
  Napi::Array found = Napi::Array::New(env, failures_.size() * 2);
  std::uint32_t next = 0;
  for (const SessionFailure& failure : failures_) {
    found[next++] = Napi::Number::New(env, static_cast<double>(failure.item));
    found[next++] = Napi::Number::New(env, static_cast<double>(failure.index));
  }
  return found;
}

void CommitSessions(const Napi::CallbackInfo& info) {
  const Arguments arguments(info);
  const Numbers numbers(info, 1);
  const std::int64_t n_timesteps = arguments.Size(3);
  SessionTable& table = *SessionTableHandle::From(info, 0).table();
  const std::size_t size = Product(numbers.count(), table.n_synapses());
  const State next_states =
      StateAt(arguments.Array(2, ElementType::kFloat64, CheckedProduct(2, size)), size);
  for (std::int64_t i = 0; i < numbers.count(); ++i) {
    Session* session = table.Find(numbers[i]);
    if (session == nullptr) continue;
    table.Advance(*session, next_states.From(i * table.n_synapses()), n_timesteps);
  }
}

}  // namespace expsyn::binding
