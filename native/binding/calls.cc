#include "calls.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "event_lists.h"
#include "values.h"

namespace expsyn::binding {

namespace {

// The arguments by position, as lib/native/native.ts declares them.
struct BatchArgument {
  enum : std::size_t {
    kInput,
    kOutput,
    kState,
    kNextState,
    kBatches,
    kSeed,
    kStep,
    kFirstBatch,
    kFirstSynapse,
    kDetails,
    kId,
  };
};
struct SessionsArgument {
  enum : std::size_t { kTable, kNumbers, kInput, kOutput, kDetails, kNextStates, kId };
};
struct CommitArgument {
  enum : std::size_t { kTable, kNumbers, kNextStates, kTimesteps };
};

const std::atomic<bool> kNeverCancelled{false};

// Stands in ItemFailure::index if the call would take the session to step 2^53 or beyond.
constexpr std::int64_t kOutOfSteps = -1;

std::size_t Product(std::int64_t a, std::int64_t b) {
  return CheckedProduct(CheckedSize(a), CheckedSize(b));
}

bool Overlap(const ArrayView& a, const ArrayView& b) {
  const auto* a_begin = static_cast<const char*>(a.data);
  const auto* b_begin = static_cast<const char*>(b.data);
  return a_begin < b_begin + b.size_in_bytes() && b_begin < a_begin + a.size_in_bytes();
}

// Numbers of sessions: a single one as a JavaScript number, any number of them as an Int32Array.
class Numbers {
 public:
  Numbers(const Arguments& arguments, std::size_t position) {
    if (!arguments.ReadArray(arguments[position], &view_)) {
      view_ = {nullptr, 1, ElementType::kInt32};
      single_ = arguments.Size(position);
    } else if (view_.type != ElementType::kInt32) {
      arguments.Refuse(position, "an Int32Array");
    }
  }

  std::int64_t count() const { return static_cast<std::int64_t>(view_.length); }
  std::int64_t operator[](std::int64_t i) const {
    return view_.data == nullptr ? single_ : static_cast<const std::int32_t*>(view_.data)[i];
  }

 private:
  std::int64_t single_ = 0;
  ArrayView view_{};
};

// A Float64Array of states: plane after plane, each of n_items rows with one value a synapse. If
// `may_be_shared`, it may also have planes of a single row, which all items share.
NextState StatesAt(const Arguments& arguments, std::size_t position, std::int64_t state_size,
                   std::int64_t n_items, std::int64_t n_synapses, Access access,
                   bool may_be_shared = false) {
  const ArrayView view = arguments.ArrayOf(position, ElementType::kFloat64, access);
  if (may_be_shared && view.length == Product(state_size, n_synapses)) n_items = 1;
  const std::size_t plane = Product(n_items, n_synapses);
  if (view.length != CheckedProduct(static_cast<std::size_t>(state_size), plane)) {
    arguments.Refuse(position, "the states of the items");
  }
  return {static_cast<double*>(view.data), static_cast<std::int64_t>(plane)};
}

// Whether a call has at most n_samples samples. Their number may overflow.
bool HasAtMost(std::int64_t n_samples, const Raster& input, std::int64_t n_synapses) {
  return input.n_batches == 0 || input.n_timesteps == 0 ||
         n_synapses <= n_samples / input.n_batches / input.n_timesteps;
}

// Puts failures in the place of those of the same items, and beside the others. Both are ascending.
void Merge(const std::vector<ItemFailure>& stronger, std::vector<ItemFailure>& failures) {
  if (stronger.empty()) return;
  std::vector<ItemFailure> all;
  auto other = failures.begin();
  for (const ItemFailure& failure : stronger) {
    for (; other != failures.end() && other->item < failure.item; ++other) all.push_back(*other);
    if (other != failures.end() && other->item == failure.item) ++other;
    all.push_back(failure);
  }
  all.insert(all.end(), other, failures.end());
  failures = std::move(all);
}

// Whether a session is still below step 2^53 after n_timesteps more.
bool CanAdvance(const Session& session, std::int64_t n_timesteps) {
  constexpr std::int64_t kMaxSafeInteger = (std::int64_t{1} << 53) - 1;
  return n_timesteps <= kMaxSafeInteger - static_cast<std::int64_t>(session.step);
}

}  // namespace

SynapsesCall::SynapsesCall(const Arguments& arguments, SynapsesHandle& synapses, Kind kind,
                           CallItems& items)
    : kind_(kind),
      synapses_(synapses),
      kernel_(*synapses.kernel().Get(arguments.env())),
      items_(items) {
  if (kind == Kind::kBatch) {
    ReadBatch(arguments);
  } else {
    ReadSessions(arguments);
  }
}

void SynapsesCall::ReadArrays(const Arguments& arguments, std::size_t input_position,
                              std::size_t output_position) {
  if (details_) {
    ReadDetailedArrays(arguments, input_position, output_position);
    return;
  }
  input_ = arguments.Array(input_position);
  output_ = arguments.ArrayOf(output_position, synapses_.dtype(), Access::kWrite);
  const std::size_t row = Product(raster_.n_batches, n_synapses());
  const std::size_t n_timesteps = row == 0 ? 0 : output_.length / row;
  if (output_.length != row * n_timesteps) {
    arguments.Refuse(output_position, "an output for every batch item");
  }
  raster_.data = input_.data;
  raster_.type = input_.type;
  raster_.n_timesteps = static_cast<std::int64_t>(n_timesteps);
  raster_.n_columns = input_.length == output_.length ? n_synapses() : 1;
  if (input_.length != static_cast<std::size_t>(raster_.size())) {
    arguments.Refuse(input_position, "an input of one column, or of one for each synapse,");
  }
}

// The output is checked by CheckKept(), when the steps of the items are known.
void SynapsesCall::ReadDetailedArrays(const Arguments& arguments, std::size_t input_position,
                                      std::size_t output_position) {
  input_ = arguments.Array(input_position);
  output_ = arguments.ArrayOf(output_position, synapses_.dtype(), Access::kWrite);
  raster_.n_timesteps = details_->n_timesteps;
  raster_.n_columns = details_->n_columns;
  if (!details_->events) {
    raster_.data = input_.data;
    raster_.type = input_.type;
    const std::size_t rows = Product(raster_.n_batches, raster_.n_timesteps);
    if (input_.length != CheckedProduct(rows, CheckedSize(raster_.n_columns))) {
      arguments.Refuse(input_position, "an input of the shape that the details say");
    }
    return;
  }
  GivenEvents& events = *details_->events;
  events.times.data = input_.data;
  events.times.type = input_.type;
  events.times.n_batches = events.times.n_columns = 1;
  events.times.n_timesteps = static_cast<std::int64_t>(input_.length);
  events.throws_non_finite = settings().throw_non_finite;
  events.weighing = details_->is_exact ? &kernel_ : nullptr;
  if (!details_->segments.lengths.empty()) events.lengths = details_->segments.lengths.data();
  if (!HaveLengthOf(events)) arguments.Refuse(input_position, "as many times as channels");
}

PartialGroup SynapsesCall::PartialOf(std::int64_t item) const {
  if (!details_ || details_->partial.length == 0) return {};
  return {static_cast<double*>(details_->partial.data) + item * n_synapses(),
          details_->n_partial_steps};
}

void SynapsesCall::CheckKept(const Arguments& arguments, std::size_t output_position) const {
  if (!details_) return;
  for (const Item& item : items_.items) {
    const std::int64_t n_kept = details_->reduction.CountKept(item.step, raster_.n_timesteps);
    if (output_.length !=
        CheckedProduct(Product(raster_.n_batches, n_kept), CheckedSize(n_synapses()))) {
      arguments.Refuse(output_position, "an output for the steps that are kept");
    }
  }
}

void SynapsesCall::ReadBatch(const Arguments& arguments) {
  using At = BatchArgument;
  const std::int64_t n_items = arguments.Size(At::kBatches);
  raster_.n_batches = n_items;
  details_ = ReadDetails(arguments, At::kDetails, n_items, n_synapses());
  ReadArrays(arguments, At::kInput, At::kOutput);
  const std::int64_t state_size = kernel_.state_size();
  const State state =
      StatesAt(arguments, At::kState, state_size, n_items, n_synapses(), Access::kRead, true)
          .view();
  const NextState next_state =
      StatesAt(arguments, At::kNextState, state_size, n_items, n_synapses(), Access::kWrite);
  const auto seed = static_cast<std::uint64_t>(arguments.Size(At::kSeed));
  const auto step = static_cast<std::uint64_t>(arguments.Size(At::kStep));
  const std::int64_t first_batch =
      arguments.Has(At::kFirstBatch) ? arguments.Size(At::kFirstBatch) : 0;
  if (arguments.Has(At::kFirstSynapse)) first_synapse_ = arguments.Size(At::kFirstSynapse);
  items_.items.resize(static_cast<std::size_t>(n_items));
  const bool is_shared = state.stride == n_synapses();
  std::int64_t place = 0;
  std::int64_t batch = first_batch;
  for (Item& item : items_.items) {
    item = {is_shared ? state : state.From(place),
            next_state.From(place),
            seed,
            step,
            batch++,
            nullptr,
            {}};
    if (details_) item.partial = PartialOf(item.batch - first_batch);
    place += n_synapses();
  }
  CheckKept(arguments, At::kOutput);
}

void SynapsesCall::ReadSessions(const Arguments& arguments) {
  using At = SessionsArgument;
  table_handle_ = &HandleOf<SessionTableHandle>(arguments.env(), arguments[At::kTable]);
  table_ = table_handle_->table();
  const std::int64_t state_size = kernel_.state_size();
  if (table_->n_synapses() != n_synapses() || table_->state_size() != state_size ||
      table_->has_inputs() == kernel_.has_recursion()) {
    arguments.Refuse(At::kTable, "a session table for states of this kernel");
  }
  const Numbers numbers(arguments, At::kNumbers);
  const std::int64_t n_items = numbers.count();
  raster_.n_batches = n_items;
  details_ = ReadDetails(arguments, At::kDetails, n_items, n_synapses());
  if (details_ && !details_->segments.IsNone()) {
    arguments.Refuse(At::kDetails, "no segments for sessions");
  }
  ReadArrays(arguments, At::kInput, At::kOutput);
  const std::int64_t next_size = table_->NextStateSize(raster_.n_timesteps);
  const NextState next_states =
      kind_ == Kind::kSessionsAsync
          ? StatesAt(arguments, At::kNextStates, next_size, n_items, n_synapses(), Access::kWrite)
          : NextState{table_->Scratch(CheckedProduct(Product(n_items, n_synapses()),
                                                     static_cast<std::size_t>(next_size))),
                      n_items * n_synapses()};
  items_.items.resize(static_cast<std::size_t>(n_items));
  items_.sessions.resize(static_cast<std::size_t>(n_items));
  for (std::int64_t item = 0; item < n_items; ++item) {
    Session* const session = table_->Find(numbers[item]);
    if (session == nullptr) arguments.Refuse(At::kNumbers, "open sessions");
    if (!CanAdvance(*session, raster_.n_timesteps)) out_of_steps_.push_back(item);
    items_.sessions[static_cast<std::size_t>(item)] = session;
    const NextState next_state = next_states.From(item * n_synapses());
    State state = session->state.view();
    if (kind_ == Kind::kSessionsAsync && !table_->has_inputs()) {
      // The call starts from copies, which the next states then replace: the sessions themselves
      // are read and written on JavaScript's thread only.
      table_->Read(*session, next_state);
      state = next_state.view();
    }
    items_.items[static_cast<std::size_t>(item)] = {
        state,          next_state, session->seed, session->step, 0, session->history.get(),
        PartialOf(item)};
  }
  CheckKept(arguments, At::kOutput);
}

std::uint64_t SynapsesCall::id(const Arguments& arguments) const {
  return static_cast<std::uint64_t>(arguments.Size(kind_ == Kind::kBatch
                                                       ? std::size_t{BatchArgument::kId}
                                                       : std::size_t{SessionsArgument::kId}));
}

WorkerPool::Kind SynapsesCall::queue() const {
  // Takes less than about a millisecond.
  constexpr std::int64_t kShortSamples = 1 << 17;
  // A step of thousands of sessions counts as short too, because none of them should wait for a
  // long call. Other short calls may wait some milliseconds for it.
  constexpr std::int64_t kShortSessionsSamples = 1 << 20;
  const bool has_many_sessions = kind_ != Kind::kBatch && raster_.n_batches > 1;
  const std::int64_t limit = has_many_sessions ? kShortSessionsSamples : kShortSamples;
  return HasAtMost(limit, raster_, n_synapses()) ? WorkerPool::Kind::kShort
                                                 : WorkerPool::Kind::kLong;
}

void SynapsesCall::ProtectInput() {
  // Events are read before the output is written.
  if (details_ && details_->events) return;
  if (!Overlap(input_, output_)) return;
  input_copy_ = AlignedBuffer<char>(input_.size_in_bytes());
  std::memcpy(input_copy_.data(), input_.data, input_copy_.size());
  raster_.data = input_copy_.data();
}

template <typename Real>
bool SynapsesCall::RunAs(const std::atomic<bool>& cancelled) {
  expsyn::Call<Real> call;
  call.input = raster_;
  call.output = static_cast<Real*>(output_.data);
  call.items = items_.items.data();
  call.first_synapse = first_synapse_;
  call.policy = kind_ == Kind::kBatch ? FailurePolicy::kCall : FailurePolicy::kItem;
  if (details_) call.reduction = details_->reduction;
  const bool has_segments = details_ && !details_->segments.IsNone();
  EvolveResult result =
      has_segments ? EvolveSegments(kernel_, settings(), call, details_->segments, cancelled)
                   : Evolve(kernel_, settings(), call, cancelled);
  failures_ = std::move(result.failures);
  return result.status != EvolveResult::Status::kCancelled;
}

bool SynapsesCall::Run(const std::atomic<bool>& cancelled) {
  if (details_ && details_->events && !ListEvents()) {
    is_done_ = true;
    return true;
  }
  const bool is_single = synapses_.dtype() == ElementType::kFloat32;
  const bool is_none_left = static_cast<std::int64_t>(out_of_steps_.size()) == raster_.n_batches;
  if (!is_none_left && !(is_single ? RunAs<float>(cancelled) : RunAs<double>(cancelled))) {
    return false;
  }
  FailEvents();
  FailOutOfSteps();
  RestoreInput();
  is_done_ = true;
  return true;
}

bool SynapsesCall::ListEvents() {
  const bool is_batch = kind_ == Kind::kBatch;
  events_.emplace(*details_->events, raster_.n_batches, raster_.n_timesteps, raster_.n_columns,
                  is_batch);
  raster_.events = &*events_;
  if (is_batch) return events_->faults().empty();
  // An event of no session is a fault of the call.
  for (const EventFault& fault : events_->faults()) {
    if (refused_ == nullptr && fault.kind == EventFaultKind::kBatch) refused_ = &fault;
  }
  return refused_ == nullptr;
}

void SynapsesCall::FailEvents() {
  if (!events_) return;
  std::vector<ItemFailure> failures;
  for (const EventFault& fault : events_->faults()) failures.push_back({fault.item, fault.index});
  Merge(failures, failures_);
}

void SynapsesCall::FailOutOfSteps() {
  std::vector<ItemFailure> failures;
  for (const std::int64_t item : out_of_steps_) failures.push_back({item, kOutOfSteps});
  Merge(failures, failures_);
}

void SynapsesCall::RestoreInput() {
  if (input_copy_.size() == 0) return;
  auto* const input = static_cast<char*>(input_.data);
  auto* const output = static_cast<char*>(output_.data);
  const std::size_t item_bytes =
      output_.size_in_bytes() / static_cast<std::size_t>(raster_.n_batches);
  for (const ItemFailure& failure : failures_) {
    char* const item = output + static_cast<std::size_t>(failure.item) * item_bytes;
    char* const begin = std::max(item, input);
    char* const end = std::min(item + item_bytes, input + input_copy_.size());
    if (begin >= end) continue;
    std::memcpy(begin, input_copy_.data() + (begin - input), static_cast<std::size_t>(end - begin));
  }
}

void SynapsesCall::Advance() {
  auto failure = failures_.begin();
  for (std::int64_t item = 0; item < raster_.n_batches; ++item) {
    if (failure != failures_.end() && failure->item == item) {
      ++failure;
    } else {
      const auto i = static_cast<std::size_t>(item);
      table_->Advance(*items_.sessions[i], items_.items[i].next_state.view(), raster_.n_timesteps);
    }
  }
}

napi_value SynapsesCall::RunHere(napi_env env) {
  if (kind_ == Kind::kBatch && settings().throw_non_finite && Overlap(input_, output_)) {
    const bool is_list = details_ && details_->events;
    const std::int64_t index = is_list ? -1 : FirstNonFinite(raster_);
    if (index >= 0) {
      failures_ = {{0, index}};
      return Result(env);
    }
  }
  ProtectInput();
  Run(kNeverCancelled);
  if (kind_ == Kind::kSessions && refused_ == nullptr) Advance();
  return Result(env);
}

void SynapsesCall::WriteBack(const Arguments& arguments) const {
  if (!kArraysAreCopied || !is_done_) return;
  const bool is_batch = kind_ == Kind::kBatch;
  // Of a batch, all items fail together.
  if (is_batch && (!failures_.empty() || (events_ && !events_->faults().empty()))) return;
  const std::size_t output =
      is_batch ? std::size_t{BatchArgument::kOutput} : std::size_t{SessionsArgument::kOutput};
  const std::size_t item_bytes =
      output_.size_in_bytes() / std::max<std::size_t>(1, items_.items.size());
  std::size_t begin = 0;
  for (const ItemFailure& failure : failures_) {
    const std::size_t end = static_cast<std::size_t>(failure.item) * item_bytes;
    arguments.WriteBack(output, output_.data, begin, end - begin);
    begin = end + item_bytes;
  }
  arguments.WriteBack(output, output_.data, begin, output_.size_in_bytes() - begin);
  if (details_) {
    const std::size_t position =
        is_batch ? std::size_t{BatchArgument::kDetails} : std::size_t{SessionsArgument::kDetails};
    WriteBackPartial(arguments, position, details_->partial);
  }
  if (kind_ == Kind::kSessions || items_.items.empty()) return;
  const std::size_t next = is_batch ? std::size_t{BatchArgument::kNextState}
                                    : std::size_t{SessionsArgument::kNextStates};
  const NextState& states = items_.items[0].next_state;
  const std::int64_t n_planes =
      is_batch ? kernel_.state_size() : table_->NextStateSize(raster_.n_timesteps);
  arguments.WriteBack(
      next, states.values, 0,
      CheckedProduct(static_cast<std::size_t>(states.stride * n_planes), sizeof(double)));
}

napi_value SynapsesCall::FailureOf(napi_env env, const ItemFailure& failure) const {
  const napi_value item = ToNumber(env, static_cast<double>(failure.item));
  if (failure.index == kOutOfSteps) return ToObject(env, {{"item", item}});
  if (events_) {
    const auto& faults = events_->faults();
    const auto found = std::lower_bound(
        faults.begin(), faults.end(), failure.item,
        [](const EventFault& fault, std::int64_t sought) { return fault.item < sought; });
    if (found != faults.end() && found->item == failure.item) return ToObject(env, *found);
  }
  return ToObject(env,
                  {{"item", item}, {"index", ToNumber(env, static_cast<double>(failure.index))}});
}

napi_value SynapsesCall::Result(napi_env env) {
  // Items, spectra and scratch memory may have grown.
  synapses_.ReportMemory(env);
  if (table_handle_ != nullptr) table_handle_->ReportMemory(env);
  if (kind_ == Kind::kBatch) {
    if (events_ && !events_->faults().empty()) return ToObject(env, events_->faults()[0]);
    const std::int64_t index = failures_.empty() ? -1 : failures_[0].index;
    return ToNumber(env, static_cast<double>(index));
  }
  if (refused_ != nullptr) return ToObject(env, *refused_);
  napi_value failed = nullptr;
  Require(env, napi_create_array_with_length(env, failures_.size(), &failed));
  for (std::size_t i = 0; i < failures_.size(); ++i) {
    const napi_value one = FailureOf(env, failures_[i]);
    Require(env, napi_set_element(env, failed, static_cast<std::uint32_t>(i), one));
  }
  return failed;
}

napi_value CommitSessions(const Arguments& arguments) {
  using At = CommitArgument;
  SessionTable& table =
      *HandleOf<SessionTableHandle>(arguments.env(), arguments[At::kTable]).table();
  const Numbers numbers(arguments, At::kNumbers);
  const std::int64_t n_timesteps = arguments.Size(At::kTimesteps);
  const State next_states = StatesAt(arguments, At::kNextStates, table.NextStateSize(n_timesteps),
                                     numbers.count(), table.n_synapses(), Access::kRead)
                                .view();
  for (std::int64_t i = 0; i < numbers.count(); ++i) {
    Session* const session = table.Find(numbers[i]);
    if (session == nullptr) continue;
    table.Advance(*session, next_states.From(i * table.n_synapses()), n_timesteps);
  }
  return nullptr;
}

}  // namespace expsyn::binding
