#include "kernel/kernel.h"

#include <atomic>
#include <numeric>
#include <stdexcept>

#include "aligned_buffer.h"
#include "method/precise.h"

namespace expsyn {

namespace {

template <typename Real>
void RecurseOneByOne(const Kernel& kernel, const Tile<Real>& tile) {
  for (std::int64_t c = 0; c < tile.n_synapses; ++c) {
    Tile<Real> one = tile;
    one.first_synapse += c;
    one.n_synapses = 1;
    one.state = tile.state.From(c);
    one.next_state = tile.next_state.From(c);
    one.findings += c;
    if (tile.reduced == nullptr) {
      one.output += c;
      RecursePrecisely(kernel, one, tile.first_step);
      continue;
    }
    // All steps of the synapse, because they may have to be computed twice.
    AlignedBuffer<Real> column(CheckedSize(tile.end_step));
    one.output = column.data();
    one.row_stride = 1;
    one.reduced = nullptr;
    RecursePrecisely(kernel, one, tile.first_step);
    tile.reduced->Put(tile.first_step, tile.end_step - tile.first_step, c, 1,
                      column.data() + tile.first_step, 1);
  }
}

template <typename Real>
void RollOverStepByStep(const Kernel& kernel, std::int64_t n, std::int64_t n_rows,
                        DoubleDouble* numbers, Real* rows) {
  const std::unique_ptr<Recursion> recursion = kernel.MakeRecursion(n);
  recursion->Start(numbers);
  for (std::int64_t row = 0; row < n_rows; ++row) {
    recursion->Advance();
    rows[row] = static_cast<Real>(static_cast<double>(rows[row]) + recursion->Number(0).high);
  }
  for (std::int64_t i = 0; i < kernel.n_numbers(); ++i) numbers[i] = recursion->Number(i);
}

std::uint64_t NextId() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

}  // namespace

Kernel::Kernel(std::int64_t n_synapses, std::int64_t window_length, std::int64_t n_numbers)
    : id_(NextId()),
      n_synapses_(n_synapses),
      window_length_(window_length),
      n_numbers_(n_numbers),
      spectra32_(*this),
      spectra64_(*this),
      samples32_(*this),
      samples64_(*this),
      partitions32_(*this),
      partitions64_(*this) {}

std::size_t Kernel::size_in_bytes() const {
  return array_bytes() + spectra32_.size_in_bytes() + spectra64_.size_in_bytes() +
         samples32_.size_in_bytes() + samples64_.size_in_bytes() + partitions32_.size_in_bytes() +
         partitions64_.size_in_bytes();
}

std::vector<std::int64_t> Kernel::FirstEqual() const {
  std::vector<std::int64_t> each(static_cast<std::size_t>(n_synapses_));
  std::iota(each.begin(), each.end(), 0);
  return each;
}

DoubleDouble Kernel::CurrentDecay(std::int64_t /*n*/) const {
  throw std::logic_error("the kernel has no current that decays by itself");
}

double Kernel::EventWeight(std::int64_t /*n*/, double /*fraction*/) const {
  throw std::logic_error("the kernel has no weights of events within a step");
}

std::unique_ptr<Recursion> Kernel::MakeRecursion(std::int64_t /*n*/) const {
  throw std::logic_error("the kernel has no recursion");
}

void Kernel::Recurse(const Tile<float>& tile) const { RecurseOneByOne(*this, tile); }
void Kernel::Recurse(const Tile<double>& tile) const { RecurseOneByOne(*this, tile); }

double Kernel::RecursionCost(std::int64_t /*n_timesteps*/) const {
  constexpr double kPerNumber = 20;
  return kPerNumber * static_cast<double>(n_numbers_ * n_numbers_);
}

bool Kernel::RecurseFewSteps(const Tile<float>& /*item*/) const { return false; }
bool Kernel::RecurseFewSteps(const Tile<double>& /*item*/) const { return false; }

void Kernel::RollOver(std::int64_t n, std::int64_t n_rows, DoubleDouble* numbers,
                      float* rows) const {
  RollOverStepByStep(*this, n, n_rows, numbers, rows);
}
void Kernel::RollOver(std::int64_t n, std::int64_t n_rows, DoubleDouble* numbers,
                      double* rows) const {
  RollOverStepByStep(*this, n, n_rows, numbers, rows);
}

bool Kernel::IsAlwaysPrecise(std::int64_t /*n*/, ElementType /*dtype*/) const { return false; }

}  // namespace expsyn
