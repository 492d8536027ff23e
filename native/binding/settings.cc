#include "settings.h"

#include <algorithm>
#include <string>

#include "arguments.h"
#include "input_reader.h"
#include "kernel/kernel.h"
#include "properties.h"
#include "worker_pool.h"

namespace expsyn::binding {

namespace {

// A word of a setting and its value.
template <typename Value>
struct Word {
  const char* name;
  Value value;
};

constexpr Word<ElementType> kDtypes[] = {{"float64", ElementType::kFloat64},
                                         {"float32", ElementType::kFloat32}};
constexpr Word<NoisePlacement> kNoisePlacements[] = {{"output", NoisePlacement::kOutput},
                                                     {"state", NoisePlacement::kState},
                                                     {"input", NoisePlacement::kInput}};
constexpr Word<bool> kNonFinitePolicies[] = {{"throw", true}, {"propagate", false}};

template <typename Value, std::size_t count>
Value WordOf(const Properties& settings, const char* name, const Word<Value> (&words)[count]) {
  std::string given;
  if (ReadWord(settings.env(), settings.Get(name), &given)) {
    for (const Word<Value>& word : words) {
      if (given == word.name) return word.value;
    }
  }
  std::string expected = words[0].name;
  for (std::size_t i = 1; i < count; ++i) expected += std::string(" or ") + words[i].name;
  settings.Refuse(expected, name);
}

Method MethodOf(const Properties& settings, const char* name, const Kernel& kernel) {
  std::string given;
  if (ReadWord(settings.env(), settings.Get(name), &given)) {
    for (const Method method : kMethods) {
      if (given == NameOf(method) && HasMethod(kernel, method)) return method;
    }
  }
  settings.Refuse("a method of the kernel", name);
}

double NumberOf(const Properties& settings, const char* name, double least) {
  const std::string expected = "a number of at least " + std::to_string(static_cast<int>(least));
  const double value = settings.NumberOf(name, expected);
  if (!(value >= least)) settings.Refuse(expected, name);
  return value;
}

}  // namespace

ParsedSettings ReadSettings(napi_env env, napi_value object, const Kernel& kernel) {
  napi_valuetype type = napi_undefined;
  Require(env, napi_typeof(env, object, &type));
  if (type != napi_object) throw ArgumentError(env, "Expected an object of native settings.");
  const Properties given(env, object, "setting");
  // Asked once: that takes longer than everything else here.
  static const double n_processors = std::max(1u, AvailableProcessors());
  ParsedSettings parsed;
  parsed.dtype = WordOf(given, "dtype", kDtypes);
  Settings& settings = parsed.settings;
  settings.method = MethodOf(given, "method", kernel);
  settings.noise = WordOf(given, "noise", kNoisePlacements);
  settings.noise_scale = NumberOf(given, "noiseScale", 0);
  settings.throw_non_finite = WordOf(given, "nonFinite", kNonFinitePolicies);
  settings.is_state_noisy = given.FlagOf("isStateNoisy");
  settings.n_threads = static_cast<unsigned>(std::min(NumberOf(given, "threads", 1), n_processors));
  if (settings.noise_scale == 0) settings.noise = NoisePlacement::kNone;
  if (settings.noise == NoisePlacement::kState && kernel.noise_memory() == NoiseMemory::kNone) {
    throw ArgumentError(env, "Expected noise that the kernel can remember.");
  }
  return parsed;
}

}  // namespace expsyn::binding
