#include "job_queue.h"

#include <exception>
#include <new>
#include <stdexcept>
#include <utility>

#include "arguments.h"

namespace expsyn::binding {

JobQueue::JobQueue(Napi::Env env) : pool_(WorkerPool::Shared()) {
  env.AddCleanupHook(&JobQueue::Close, this);
}

Napi::Promise JobQueue::Start(Napi::Env env, Job job) {
  const std::uint64_t id = job.id;
  if (pending_.count(id) != 0) {
    throw ArgumentError(env, "Expected a number that no other call has.");
  }
  Wake(env);
  const auto task = std::make_shared<Task>();
  task->id = id;
  task->work = std::move(job.work);
  Pending pending{Napi::Promise::Deferred::New(env), std::move(job.held), std::move(job.result),
                  task};
  const Napi::Promise promise = pending.deferred.Promise();
  pending_.emplace(id, std::move(pending));
  try {
    pool_->Submit([shared = shared_, task] { RunOnPool(shared, *task); }, job.kind);
  } catch (const std::exception&) {
    Settle(env, {id, 0, std::current_exception()});
  }
  // The event loop stays up while a promise is pending, and only then.
  if (pending_.size() == 1) napi_ref_threadsafe_function(env, shared_->wake);
  return promise;
}

void JobQueue::Cancel(Napi::Env env, std::uint64_t id, bool abandoned) {
  const auto entry = pending_.find(id);
  if (entry == pending_.end()) return;
  Task& task = *entry->second.task;
  {
    const std::lock_guard<std::mutex> guard(shared_->lock);
    task.cancelled.store(true);
    if (abandoned && task.running.has_value()) task.running->Abandon();
    if (task.has_begun) return;
    // The pool keeps the task until its turn comes, but not what it holds on to.
    task.work = nullptr;
  }
  Settle(env, {id, kCancelled, nullptr});
}

// Makes the function by which the pool's threads reach the event loop, at first use.
void JobQueue::Wake(Napi::Env env) {
  if (shared_->wake != nullptr) return;
  const napi_status status = napi_create_threadsafe_function(
      env, nullptr, nullptr, Napi::String::New(env, "expsyn"), 0, 1, nullptr, nullptr, this,
      &JobQueue::SettleOnLoop, &shared_->wake);
  if (status != napi_ok) {
    throw WithCode(Napi::Error::New(env, "Could not reach the event loop."), "ERR_EXPSYN_INTERNAL");
  }
  napi_unref_threadsafe_function(env, shared_->wake);
}

void JobQueue::RunOnPool(const std::shared_ptr<Shared>& shared, Task& task) {
  {
    const std::lock_guard<std::mutex> guard(shared->lock);
    if (shared->is_closed || task.cancelled.load()) return;
    task.has_begun = true;
    task.running.emplace();
    shared->running.insert(&task);
  }
  auto outcome = std::unique_ptr<Outcome>();
  try {
    outcome = std::make_unique<Outcome>();
    outcome->id = task.id;
    outcome->value = task.work(task.cancelled);
  } catch (...) {
    if (outcome != nullptr) outcome->error = std::current_exception();
  }
  task.work = nullptr;
  const std::lock_guard<std::mutex> guard(shared->lock);
  task.running.reset();
  // Under the lock, because Close() releases the function.
  if (!shared->is_closed && outcome != nullptr) {
    if (napi_call_threadsafe_function(shared->wake, outcome.get(), napi_tsfn_nonblocking) ==
        napi_ok) {
      static_cast<void>(outcome.release());
    }
  }
  shared->running.erase(&task);
  shared->is_idle.notify_all();
}

void JobQueue::SettleOnLoop(napi_env env, napi_value, void* context, void* data) {
  const std::unique_ptr<Outcome> outcome(static_cast<Outcome*>(data));
  // Without an environment, it is being torn down, and the queue may be gone.
  if (env == nullptr) return;
  const Napi::HandleScope scope(env);
  try {
    static_cast<JobQueue*>(context)->Settle(env, *outcome);
  } catch (const Napi::Error&) {
    // A worker that is terminating can run no JavaScript any more: nobody waits for the promise.
  }
}

void JobQueue::Settle(Napi::Env env, const Outcome& outcome) {
  const auto entry = pending_.find(outcome.id);
  if (entry == pending_.end()) return;
  const Pending pending = std::move(entry->second);
  pending_.erase(entry);
  if (pending_.empty()) napi_unref_threadsafe_function(env, shared_->wake);
  if (outcome.error != nullptr) {
    pending.deferred.Reject(ErrorFor(env, outcome.error).Value());
  } else {
    pending.deferred.Resolve(pending.result(env, outcome.value));
  }
}

void JobQueue::Close(JobQueue* queue) {
  Shared& shared = *queue->shared_;
  {
    std::unique_lock<std::mutex> guard(shared.lock);
    shared.is_closed = true;
    for (Task* task : shared.running) task->cancelled.store(true);
    shared.is_idle.wait(guard, [&] { return shared.running.empty(); });
    if (shared.wake != nullptr) napi_release_threadsafe_function(shared.wake, napi_tsfn_abort);
    shared.wake = nullptr;
  }
  queue->pending_.clear();
  queue->pool_.reset();
}

Napi::Error ErrorFor(Napi::Env env, const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::bad_alloc&) {
    return WithCode(
        Napi::RangeError::New(
            env,
            "Expected enough memory for the call's scratch space but the system has none left; "
            "use a shorter window or close other programs."),
        "ERR_EXPSYN_OUT_OF_MEMORY");
  } catch (const std::length_error&) {
    auto too_long = WithCode(
        Napi::RangeError::New(
            env,
            "Expected a window of at most 2^29 steps for method 'fft' but it is longer; use "
            "method 'recursive'."),
        "ERR_EXPSYN_ARGUMENT_VALUE");
    too_long.Set("argument", "method");
    return too_long;
  } catch (const std::exception& other) {
    return WithCode(
        Napi::Error::New(env, std::string("The native core failed: ") + other.what() + "."),
        "ERR_EXPSYN_INTERNAL");
  }
}

}  // namespace expsyn::binding
