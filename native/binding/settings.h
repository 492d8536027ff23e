#ifndef EXPSYN_BINDING_SETTINGS_H_
#define EXPSYN_BINDING_SETTINGS_H_

#include <napi.h>

#include "evolve.h"
#include "method/choice.h"
#include "raster.h"

namespace expsyn::binding {

// What all calls of a native `Synapses` object have in common: SynapsesSettings of
// lib/native/native.ts, its words parsed.
struct ParsedSettings {
  ElementType dtype;
  Settings settings;
};

// Reads them from a JavaScript object. Runs the object's getters, if it has any. Throws a
// Napi::Error for a word or value that is not known, or not for this kernel.
ParsedSettings ReadSettings(napi_env env, napi_value object, const Kernel& kernel);

}  // namespace expsyn::binding

#endif  // EXPSYN_BINDING_SETTINGS_H_
