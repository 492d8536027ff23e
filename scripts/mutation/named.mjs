/**
 * Changes that once went unnoticed, or of their kind: each has a test that notices it. `from` stands
 * once in the file.
 */

const pool = (name, from, to) => ({ name, file: 'native/core/worker_pool.cc', from, to });
const sessions = (name, from, to) => ({ name, file: 'native/core/sessions.cc', from, to });
const evolve = (name, from, to) => ({ name, file: 'native/core/evolve.cc', from, to });
const recursion = (name, from, to) => ({
  name,
  file: 'native/core/kernel/exponential_recursion.cc',
  from,
  to,
});
const transforms = (name, from, to) => ({
  name,
  file: 'native/core/method/overlap_save.cc',
  from,
  to,
});
const spectra = (name, from, to) => ({ name, file: 'native/core/method/spectra.cc', from, to });
const precise = (name, from, to) => ({ name, file: 'native/core/method/precise.cc', from, to });
const kernels = (name, from, to) => ({ name, file: 'native/core/simd/ops-inl.h', from, to });
const jobs = (name, from, to) => ({ name, file: 'native/binding/job_queue.cc', from, to });

const CANCELLED = 'if (tile_.cancelled.load(std::memory_order_relaxed)) return;';

export const NAMED = [
  pool('a refused task stays queued', '      queue.pop_back();\n', ''),
  pool(
    'a refused task is not reported',
    '    } else if (threads_.empty()) {',
    '    } else if (false) {',
  ),
  pool(
    'a thread that has no memory to start is an exception',
    '  } catch (const std::exception&) {\n    // std::system_error',
    '  } catch (const std::system_error&) {\n    // std::system_error',
  ),
  pool(
    'more threads than the pool may have',
    'n_for_all_ < max_threads_',
    'n_for_all_ <= max_threads_',
  ),
  pool(
    'short tasks get no thread',
    'has_short_thread_ = Start(&WorkerPool::WorkOnShortTasks);',
    '',
  ),
  pool(
    'the pool ends before its tasks',
    '    if (queue == nullptr) return;\n',
    '    if (queue == nullptr || is_closing_) return;\n',
  ),
  pool(
    'a caller does not wait for helpers',
    '    is_idle_.wait(guard, [this] { return n_running_ == 0; });\n',
    '',
  ),
  pool('tasks begin after an exception', '      next_ = n_tasks_;\n', ''),
  pool(
    'a helper does not queue again',
    '    pool.Submit([&pool, tasks] { Help(pool, tasks); });\n',
    '',
  ),
  pool('helpers do not come', '      Submit([this, tasks] { Help(*this, tasks); });\n', ''),
  pool('a task is kept while the next one runs', '  run = nullptr;\n', ''),
  pool(
    'short tasks before all others',
    'short_tasks_.front().number < long_tasks_.front().number',
    'true',
  ),

  sessions('a session opened again keeps its step', '  session.step = 0;\n', ''),
  sessions(
    'a session opened again keeps its state',
    '  std::fill_n(session.state.values, session_size(), 0);\n',
    '',
  ),

  evolve('items are computed after a cancellation', '        if (IsStopped()) return;\n', ''),
  evolve(
    'failures in no order',
    '[](const ItemFailure& a, const ItemFailure& b) { return a.item < b.item; }',
    '[](const ItemFailure& a, const ItemFailure& b) { return a.item > b.item; }',
  ),
  evolve(
    'an item that failed moves on',
    '        ++failure;\n',
    '        ++failure;\n        CommitTiles(item);\n',
  ),

  recursion('cancellation ignored in the recursion', CANCELLED, ''),
  precise(
    'cancellation ignored in the precise recursion',
    '    if (tile.cancelled.load(std::memory_order_relaxed)) return true;\n',
    '',
  ),
  recursion('a run-in writes output', '      if (IsRunIn(s)) {', '      if (false) {'),
  recursion('a run-in in chunks writes output', '    if (IsRunIn(step)) return;\n', ''),
  recursion(
    'the noise before a run-in is dropped',
    'if (origin_ > 0 && reader_.noise()',
    'if (false && reader_.noise()',
  ),
  recursion(
    'an overflow in the last row is not seen',
    '    CheckSums();\n    if (tile_.is_streamed)',
    '    if (tile_.is_streamed)',
  ),
  transforms('cancellation ignored in the transforms', CANCELLED, ''),
  spectra(
    'cancellation ignored where spectra are prepared',
    '    if (cancelled.load(std::memory_order_relaxed)) return nullptr;\n',
    '',
  ),
  transforms(
    'transforms are never scaled',
    'if (peak > kSafeMagnitude || peak < 1 / kSafeMagnitude) {',
    'if (false) {',
  ),
  kernels(
    'faults of whole vectors dropped in a short call',
    '    faults += AdvanceFewColumns<kN, kDrive>(rows, column, next_isyn, next_correction);',
    '    AdvanceFewColumns<kN, kDrive>(rows, column, next_isyn, next_correction);',
  ),
  kernels(
    'the stride ignored in streamed stores',
    'StreamPart(rows.output, rows.output_stride)',
    'StreamPart(rows.output)',
  ),

  jobs(
    'the end does not wait for running calls',
    '    shared.is_idle.wait(guard, [&] { return shared.running.empty(); });\n',
    '',
  ),
  jobs(
    'the end does not stop running calls',
    'place.task->cancelled.store(true);',
    'static_cast<void>(place);',
  ),
  jobs('a refused call stays pending', '    pending_.erase(id);\n    throw;', '    throw;'),
  jobs('the second call to end wakes nobody', '    queue.shared_->is_woken = false;\n', ''),
  jobs('an exception of the work is lost', '    task.error = std::current_exception();\n', ''),
  jobs(
    'a cancelled call that has not begun runs',
    'if (shared.is_closed || task.cancelled.load()) return;',
    'if (shared.is_closed) return;',
  ),
  jobs('a call is running for ever', '  task.running.reset();\n', ''),
  jobs(
    'nothing keeps the process up',
    '  if (pending_.size() == 1) napi_ref_threadsafe_function(env, shared_->wake);\n',
    '',
  ),
];
