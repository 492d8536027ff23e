/**
 * Named changes, each of which a test must notice: they went unnoticed once, or resemble one that did.
 * `from` occurs exactly once in the file.
 */

const at = (file) => (name, from, to) => ({ name, file: `native/${file}`, from, to });
const pool = at('core/worker_pool.cc');
const sessions = at('core/sessions.cc');
const evolve = at('core/evolve.cc');
const recursion = at('core/kernel/exponential_recursion.cc');
const transforms = at('core/method/overlap_save.cc');
const spectra = at('core/method/spectra.cc');
const direct = at('core/method/direct_sum.cc');
const convolver = at('core/method/convolver.cc');
const products = at('core/simd/spectra-inl.h');
const precise = at('core/method/precise.cc');
const shortCalls = at('core/simd/first_order/short_calls-inl.h');
const rows = at('core/simd/recursion_rows-inl.h');
const instructionSets = at('core/simd/instruction_set.cc');
const events = at('core/events.cc');
const eventReader = at('core/event_reader.cc');
const eventSteps = at('core/simd/event_lists-inl.h');
const eventRows = at('core/event_rows.cc');
const clock = at('core/event_clock.cc');
const reductions = at('core/simd/reductions-inl.h');
const jobs = at('binding/job_queue.cc');

const CANCELLED = 'if (tile_.cancelled.load(std::memory_order_relaxed)) return;';

export const NAMED = [
  events(
    'many events of wide rows lie in any order',
    '  if (n_columns_ > kWideColumns) {\n    sort_by',
    '  if (false) {\n    sort_by',
  ),
  eventReader('an event of no item is one of the first', 'EventFault::kNoItem, index', '0, index'),
  eventReader('events have places after the end of their item', '|| given_.lengths != nullptr', ''),
  eventReader(
    'events that are kept have the places of others',
    '  Convert(channels_, n_columns_, columns_);\n  if (has_batches_)',
    '  if (has_batches_)',
  ),
  eventRows('rows keep the events of others', 'rows_[set_[i]] = 0;', 'rows_[set_[i]] += 0;'),
  eventRows('rows keep many events of others', 'if (n_set_ > kFew)', 'if (false)'),
  eventSteps(
    'no event comes before its step',
    'step + 1 - position > own.margin + magnitude * own.growth;',
    'step + 1 - position > -1;',
  ),
  clock('the lower half of large times is lost', " + static_cast<double>(bits & 0xffff'ffff)", ''),
  reductions('a peak goes on after NaN', 'return peak == peak ? larger : peak;', 'return larger;'),
  reductions('the last of several peaks', 'size <= peak_size ? peak', 'size < peak_size ? peak'),
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
  sessions(
    'a session opened again keeps the correction of its state',
    'std::fill_n(session.state.values, session_size(), 0)',
    'std::fill_n(session.state.values, session_size() / 2, 0)',
  ),
  evolve('items go on after a cancellation', '        if (IsStopped()) return;\n', ''),
  evolve('failures in no order', 'return a.item < b.item;', 'return a.item > b.item;'),

  recursion('cancellation ignored in the recursion', CANCELLED, ''),
  direct(
    'cancellation ignored in the direct sum',
    '      if (tile_.cancelled.load(std::memory_order_relaxed)) return false;\n',
    '',
  ),
  precise(
    'cancellation ignored in the precise recursion',
    '    if (tile.cancelled.load(std::memory_order_relaxed)) return true;\n',
    '',
  ),
  precise(
    'cancellation ignored in the precise sum',
    '    if (tile.cancelled.load(std::memory_order_relaxed)) return;\n',
    '',
  ),
  recursion('a warm-up writes output', '      if (IsWarmUp(s)) {', '      if (false) {'),
  recursion('a warm-up in chunks writes output', '    if (IsWarmUp(step)) return;\n', ''),
  recursion(
    'the noise before a warm-up is dropped',
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
  convolver(
    'transforms are never scaled',
    'if (peak > kSafeMagnitude || peak < 1 / kSafeMagnitude) {',
    'if (false) {',
  ),
  transforms(
    'blocks are a pair however much an input grows',
    'block.peak != 0 && FirstGrowth(block, channel.peak) < 0',
    'block.peak != 0',
  ),
  products(
    'the mirrored half of a spectrum is not conjugated',
    'imaginary + half + i, x, -y);',
    'imaginary + half + i, x, y);',
  ),
  direct(
    'inputs of the block before are lost in a direct sum',
    'std::copy_n(inputs_.data() + n_rows * pitch_, n_carried_ * pitch_, inputs_.data());',
    '',
  ),
  shortCalls(
    'faults of full vectors dropped in a short call',
    '    faults += AdvanceShortColumns<kN, kInput>(call, column, next_isyn, next_correction);',
    '    AdvanceShortColumns<kN, kInput>(call, column, next_isyn, next_correction);',
  ),
  rows(
    'the stride ignored in streamed stores',
    'ModeOf(rows.is_streamed, rows.output, rows.output_stride)',
    'ModeOf(rows.is_streamed, rows.output, 0)',
  ),
  instructionSets(
    'a set that the processor lacks is used',
    '  while (!is_supported(*set)) --set;\n',
    '',
  ),
  instructionSets(
    'an unknown set is no error',
    'if (set == std::end(kInstructionSets)) ThrowUnknown(given);',
    'if (set == std::end(kInstructionSets)) --set;',
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
