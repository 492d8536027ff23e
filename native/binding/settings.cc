#include "settings.h"

#include <algorithm>
#include <string>

#include "arguments.h"
#include "input_reader.h"
#include "kernel/kernel.h"
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

// The settings of an object, by name.
class Reader {
 public:
  Reader(napi_env env, napi_value object) : env_(env), object_(object) {}

  template <typename Value, std::size_t count>
  Value WordOf(const char* name, const Word<Value> (&words)[count]) const {
    std::string given;
    if (ReadWord(env_, Get(name), &given)) {
      for (const Word<Value>& word : words) {
        if (given == word.name) return word.value;
      }
    }
    std::string expected = words[0].name;
    for (std::size_t i = 1; i < count; ++i) expected += std::string(" or ") + words[i].name;
    Refuse(name, expected);
  }

  Method MethodOf(const char* name, const Kernel& kernel) const {
    std::string given;
    if (ReadWord(env_, Get(name), &given)) {
      for (const Method method : kMethods) {
        if (given == NameOf(method) && HasMethod(kernel, method)) return method;
      }
    }
    Refuse(name, "a method of the kernel");
  }

  double NumberOf(const char* name, double least) const {
    double value = 0;
    const bool is_number = napi_get_value_double(env_, Get(name), &value) == napi_ok;
    if (!is_number || !(value >= least)) {
      Refuse(name, "a number of at least " + std::to_string(static_cast<int>(least)));
    }
    return value;
  }

  bool FlagOf(const char* name) const {
    bool value = false;
    if (napi_get_value_bool(env_, Get(name), &value) != napi_ok) Refuse(name, "a boolean");
    return value;
  }

 private:
  napi_value Get(const char* name) const {
    napi_value value = nullptr;
    Require(env_, napi_get_named_property(env_, object_, name, &value));
    return value;
  }

  [[noreturn]] void Refuse(const char* name, const std::string& expected) const {
    throw ArgumentError(env_, "Expected " + expected + " for the native setting " + name + ".");
  }

  napi_env env_;
  napi_value object_;
};

}  // namespace

ParsedSettings ReadSettings(napi_env env, napi_value object, const Kernel& kernel) {
  napi_valuetype type = napi_undefined;
  Require(env, napi_typeof(env, object, &type));
  if (type != napi_object) throw ArgumentError(env, "Expected an object of native settings.");
  const Reader reader(env, object);
  // Asked once: that takes longer than everything else here.
  static const double n_processors = std::max(1u, AvailableProcessors());
  ParsedSettings parsed;
  parsed.dtype = reader.WordOf("dtype", kDtypes);
  Settings& settings = parsed.settings;
  settings.method = reader.MethodOf("method", kernel);
  settings.noise = reader.WordOf("noise", kNoisePlacements);
  settings.noise_scale = reader.NumberOf("noiseScale", 0);
  settings.throw_non_finite = reader.WordOf("nonFinite", kNonFinitePolicies);
  settings.is_state_noisy = reader.FlagOf("isStateNoisy");
  settings.n_threads = static_cast<unsigned>(std::min(reader.NumberOf("threads", 1), n_processors));
  if (settings.noise_scale == 0) settings.noise = NoisePlacement::kNone;
  if (settings.noise == NoisePlacement::kState && kernel.noise_memory() == NoiseMemory::kNone) {
    throw ArgumentError(env, "Expected noise that the kernel can remember.");
  }
  return parsed;
}

}  // namespace expsyn::binding
