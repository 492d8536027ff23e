#ifndef EXPSYN_BINDING_CALL_DETAILS_H_
#define EXPSYN_BINDING_CALL_DETAILS_H_

#include <napi.h>

#include <cstdint>
#include <optional>

#include "arguments.h"
#include "events.h"
#include "evolve_segments.h"
#include "reduction.h"

namespace expsyn::binding {

// What few calls have: an input of events, an output of which not all is kept, and items that end
// early or begin again. lib/native/native.ts declares the object that it is read from.
struct CallDetails {
  std::int64_t n_timesteps = 0;
  // The columns of the input.
  std::int64_t n_columns = 0;
  // Events, whose times are the input of the call.
  std::optional<GivenEvents> events;
  bool is_exact = false;
  Reduction reduction;
  ArrayView partial{};  // (B, N), or empty
  std::int64_t n_partial_steps = 0;
  Segments segments;
};

// The details at a position, or none if it is not given. `n_items` is B and `n_synapses` N.
std::optional<CallDetails> ReadDetails(const Arguments& arguments, std::size_t position,
                                       std::int64_t n_items, std::int64_t n_synapses);

// Hands the partial groups over to JavaScript, where arrays are copied.
void WriteBackPartial(const Arguments& arguments, std::size_t position, const ArrayView& partial);

}  // namespace expsyn::binding

#endif  // EXPSYN_BINDING_CALL_DETAILS_H_
