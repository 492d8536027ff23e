#include "job_queue.h"

#include <utility>

#include "arguments.h"
#include "errors.h"

namespace expsyn::binding {

JobQueue::JobQueue(Napi::Env env) : pool_(WorkerPool::Shared()) {
  if (env.AddCleanupHook(&JobQueue::Close, this).IsEmpty()) {
    throw Napi::Error::New(env, "Could not register for the end of the environment.");
  }
}

Napi::Value JobQueue::Start(Napi::Env env, Job job) {
  const std::uint64_t id = job.id;
  if (pending_.count(id) != 0) {
    throw ArgumentError(env, "Expected a number that no other call has.");
  }
  PrepareToWake(env);
  const auto task = std::make_shared<Task>(id, std::move(job.work));
  Pending& pending =
      pending_.try_emplace(id, Pending{nullptr, std::move(job.held), std::move(job.result), task})
          .first->second;
  napi_value promise = nullptr;
  try {
    if (napi_create_promise(env, &pending.deferred, &promise) != napi_ok) {
      throw Napi::Error::New(env);
    }
    pool_->Submit([shared = shared_, task] { RunOnPool(*shared, *task); }, job.kind);
  } catch (...) {
    // Nobody has seen the promise, so it is settled only to free it: a rejection would be
    // unhandled.
    napi_value nothing = nullptr;
    napi_get_undefined(env, &nothing);
    if (pending.deferred != nullptr) napi_resolve_deferred(env, pending.deferred, nothing);
    pending_.erase(id);
    throw;
  }
  // The event loop stays up while a promise is pending, and only then.
  if (pending_.size() == 1) napi_ref_threadsafe_function(env, shared_->wake);
  return {env, promise};
}

void JobQueue::Cancel(Napi::Env env, std::uint64_t id, bool detached) {
  const auto entry = pending_.find(id);
  if (entry == pending_.end()) return;
  Task& task = *entry->second.task;
  {
    const std::lock_guard<std::mutex> guard(shared_->lock);
    task.cancelled.store(true);
    if (detached && task.running.has_value()) task.running->Detach();
    if (task.has_begun) return;
    // The pool keeps the task until its turn comes, but not what it holds on to.
    task.work = nullptr;
  }
  Settle(env, id);
}

// Makes the function by which the pool's threads reach the event loop, at first use.
void JobQueue::PrepareToWake(Napi::Env env) {
  if (shared_->wake != nullptr) return;
  const napi_status status = napi_create_threadsafe_function(
      env, nullptr, nullptr, Napi::String::New(env, "expsyn"), 0, 1, nullptr, nullptr, this,
      &JobQueue::SettleOnLoop, &shared_->wake);
  if (status != napi_ok) {
    throw WithCode(Napi::Error::New(env, "Could not reach the event loop."), "ERR_EXPSYN_INTERNAL");
  }
  napi_unref_threadsafe_function(env, shared_->wake);
}

void JobQueue::RunOnPool(Shared& shared, Task& task) noexcept {
  const Places::const_iterator place = task.place.begin();
  {
    const std::lock_guard<std::mutex> guard(shared.lock);
    if (shared.is_closed || task.cancelled.load()) return;
    task.has_begun = true;
    task.running.emplace();
    shared.running.splice(shared.running.end(), task.place);
  }
  try {
    task.is_done = task.work(task.cancelled);
  } catch (...) {
    task.error = std::current_exception();
  }
  task.work = nullptr;
  const std::lock_guard<std::mutex> guard(shared.lock);
  task.running.reset();
  shared.done.splice(shared.done.end(), shared.running, place);
  // Under the lock, because Close() releases the function. A call fails only when the environment
  // is being torn down, and then nobody waits for a promise.
  if (!shared.is_closed && !shared.is_woken) {
    shared.is_woken =
        napi_call_threadsafe_function(shared.wake, nullptr, napi_tsfn_nonblocking) == napi_ok;
  }
  shared.is_idle.notify_all();
}

void JobQueue::SettleOnLoop(napi_env env, napi_value, void* context, void*) noexcept {
  // Without an environment, it is being torn down, and the queue may be gone.
  if (env == nullptr) return;
  auto& queue = *static_cast<JobQueue*>(context);
  Places done;
  {
    const std::lock_guard<std::mutex> guard(queue.shared_->lock);
    done.swap(queue.shared_->done);
    queue.shared_->is_woken = false;
  }
  // By number: settling a promise can run code of the caller's, which may end the environment.
  for (const Place& place : done) queue.Settle(env, place.id);
}

void JobQueue::Settle(napi_env env, std::uint64_t id) noexcept {
  const auto entry = pending_.find(id);
  if (entry == pending_.end()) return;
  const Pending pending = std::move(entry->second);
  pending_.erase(entry);
  if (pending_.empty()) napi_unref_threadsafe_function(env, shared_->wake);
  std::exception_ptr error = pending.task->error;
  napi_handle_scope scope = nullptr;
  napi_open_handle_scope(env, &scope);
  if (error == nullptr) {
    try {
      napi_value value = nullptr;
      if (pending.task->is_done) {
        value = pending.result(env);
      } else {
        napi_get_undefined(env, &value);
      }
      napi_resolve_deferred(env, pending.deferred, value);
    } catch (...) {
      error = std::current_exception();
    }
  }
  // Where this fails, in a worker that is terminating, nobody waits for the promise.
  if (error != nullptr) napi_reject_deferred(env, pending.deferred, ErrorFor(env, error));
  if (scope != nullptr) napi_close_handle_scope(env, scope);
}

void JobQueue::Close(JobQueue* queue) noexcept {
  Shared& shared = *queue->shared_;
  {
    std::unique_lock<std::mutex> guard(shared.lock);
    shared.is_closed = true;
    for (const Place& place : shared.running) place.task->cancelled.store(true);
    shared.is_idle.wait(guard, [&] { return shared.running.empty(); });
    shared.done.clear();
    // The pool keeps queued tasks until their turn comes, but not what they hold on to.
    for (const auto& [id, pending] : queue->pending_) pending.task->work = nullptr;
    if (shared.wake != nullptr) napi_release_threadsafe_function(shared.wake, napi_tsfn_abort);
    shared.wake = nullptr;
  }
  queue->pending_.clear();
  queue->pool_.reset();
}

}  // namespace expsyn::binding
