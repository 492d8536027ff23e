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

// A state as it lies in a Float64Array: plane after plane of `size` numbers.
NextState StateAt(const ArrayView& view, std::size_t size) {
  return {static_cast<double*>(view.data), static_cast<std::ptrdiff_t>(size)};
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
    : handle_(KernelsHandle::From(info, kKernels)), kernel_(handle_.kernel(info.Env())) {
  const Arguments arguments(info);
  settings_.method = arguments.Size(kMethod) == 0 ? Method::kFft : Method::kRecursive;
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
  settings_.throw_non_finite = arguments.Boolean(kThrowNonFinite);
  settings_.noise =
      static_cast<NoisePlacement>(std::min<std::int64_t>(arguments.Size(kNoisePlacement), 3));
  settings_.noise_scale = arguments.Number(kNoiseScale);
  settings_.is_state_noisy = arguments.Boolean(kIsStateNoisy);
  // Asking the system takes longer than a short call.
  static const unsigned n_processors = std::max(1u, std::thread::hardware_concurrency());
  settings_.n_threads =
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

template <typename Real>
EvolveResult Call::EvolveItems(const std::vector<Item>& items, std::int64_t first_synapse,
                               FailurePolicy policy, const std::atomic<bool>& cancelled) const {
  expsyn::Call<Real> call;
  call.input = raster_;
  call.output = static_cast<Real*>(output_data_);
  call.items = items.data();
  call.first_synapse = first_synapse;
  call.policy = policy;
  return Evolve(*kernel_, settings_, call, cancelled);
}

BatchCall::BatchCall(const Napi::CallbackInfo& info) : Call(info) {
  const Arguments arguments(info);
  const auto n_planes = static_cast<std::size_t>(kernel_->state_size());
  const std::size_t next_size = Product(raster_.n_batches, n_synapses());
  const bool is_state_shared = arguments.Boolean(kIsStateShared);
  const std::size_t size = is_state_shared ? static_cast<std::size_t>(n_synapses()) : next_size;
  const NextState state =
      StateAt(arguments.Array(kState, ElementType::kFloat64, CheckedProduct(n_planes, size)), size);
  const NextState next_state = StateAt(
      arguments.Array(kNextState, ElementType::kFloat64, CheckedProduct(n_planes, next_size)),
      next_size);
  const auto seed = static_cast<std::uint64_t>(arguments.Size(kSeed));
  const auto step = static_cast<std::uint64_t>(arguments.Size(kStep));
  const std::int64_t first_batch = arguments.Size(kFirstBatch);
  first_synapse_ = arguments.Size(kFirstSynapse);
  items_.reserve(static_cast<std::size_t>(raster_.n_batches));
  for (std::int64_t b = 0; b < raster_.n_batches; ++b) {
    items_.push_back({state.view().From(is_state_shared ? 0 : b * n_synapses()),
                      next_state.From(b * n_synapses()), seed, step, first_batch + b});
  }
}

template <typename Real>
double BatchCall::RunAs(const std::atomic<bool>& cancelled) const {
  const EvolveResult result =
      EvolveItems<Real>(items_, first_synapse_, FailurePolicy::kCall, cancelled);
  if (result.status == EvolveResult::Status::kCancelled) return JobQueue::kCancelled;
  return result.failures.empty() ? -1 : static_cast<double>(result.failures[0].index);
}

double BatchCall::Run(const std::atomic<bool>& cancelled) const {
  return dtype_ == ElementType::kFloat32 ? RunAs<float>(cancelled) : RunAs<double>(cancelled);
}

Napi::Value BatchCall::RunHere(Napi::Env env) {
  if (IsInputWrittenOver()) {
    if (settings_.throw_non_finite) {
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
  if (table_->n_synapses() != n_synapses() || table_->state_size() != kernel_->state_size()) {
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
  const std::size_t state_size =
      CheckedProduct(static_cast<std::size_t>(table_->state_size()), size);
  next_states_ =
      is_async
          ? StateAt(Arguments(info).Array(kNextStates, ElementType::kFloat64, state_size), size)
          : NextState{table_->Scratch(state_size), static_cast<std::ptrdiff_t>(size)};
  items_.reserve(sessions_.size());
  for (const Session* session : sessions_) {
    const NextState next =
        next_states_.From(static_cast<std::int64_t>(items_.size()) * n_synapses());
    State state = session->state.view();
    // An async call starts from copies, in the place of the next states: the sessions themselves
    // are read and written on JavaScript's thread only.
    if (is_async) {
      table_->Copy(state, next);
      state = next.view();
    }
    items_.push_back({state, next, session->seed, session->step, 0});
  }
}

template <typename Real>
double GatheredCall::RunAs(const std::atomic<bool>& cancelled) {
  const bool is_none_left = static_cast<std::int64_t>(out_of_steps_.size()) == raster_.n_batches;
  if (!is_none_left) {
    EvolveResult result = EvolveItems<Real>(items_, 0, FailurePolicy::kItem, cancelled);
    if (result.status == EvolveResult::Status::kCancelled) return JobQueue::kCancelled;
    failures_ = std::move(result.failures);
  }
  FailOutOfSteps();
  // A session that failed can be given its input again.
  const std::int64_t item_size = raster_.n_timesteps * n_synapses();
  for (const ItemFailure& failure : failures_) {
    const Real* output = static_cast<const Real*>(output_data_) + failure.item * item_size;
    RestoreInput(reinterpret_cast<const char*>(output),
                 reinterpret_cast<const char*>(output + item_size));
  }
  return failures_.empty() ? -1 : static_cast<double>(failures_.size());
}

void GatheredCall::FailOutOfSteps() {
  if (out_of_steps_.empty()) return;
  std::vector<ItemFailure> all;
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
    table_->Advance(*sessions_[static_cast<std::size_t>(item)],
                    next_states_.view().From(item * n_synapses()), raster_.n_timesteps);
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
  for (const ItemFailure& failure : failures_) {
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
  const std::size_t state_size = CheckedProduct(static_cast<std::size_t>(table.state_size()), size);
  const State next_states =
      StateAt(arguments.Array(2, ElementType::kFloat64, state_size), size).view();
  for (std::int64_t i = 0; i < numbers.count(); ++i) {
    Session* session = table.Find(numbers[i]);
    if (session == nullptr) continue;
    table.Advance(*session, next_states.From(i * table.n_synapses()), n_timesteps);
  }
}

}  // namespace expsyn::binding
