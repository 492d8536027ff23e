#!/usr/bin/env bash
# Builds and runs under sanitizers: the core's tests under address+undefined and under thread, and
# the package's tests of hazards on an addon built with address+undefined. Needs what `npm test` needs,
# and the compiler's sanitizer runtimes, which come with GCC.
set -euo pipefail
cd "$(dirname "$0")/.."

core() {
  local name=$1 sanitizers=$2
  echo "The core under ${sanitizers}:"
  cmake -S . -B "build/core-${name}" -DEXPSYN_ADDON=OFF -DEXPSYN_CORE_TESTS=ON \
    -DEXPSYN_SANITIZE="${sanitizers}" >"build/core-${name}.log"
  cmake --build "build/core-${name}" --parallel 2 >>"build/core-${name}.log" 2>&1 ||
    { tail -n 40 "build/core-${name}.log"; return 1; }
  "build/core-${name}/expsyn_core_tests"
}

# The addon is loaded from build/Release of the folder it belongs to, so a copy gets the other one.
addon() {
  local copy
  copy=$(mktemp -d)
  trap 'rm -rf "${copy}"' RETURN
  echo "The addon under address,undefined:"
  cp -r lib native test dist package.json CMakeLists.txt tsconfig.json .mocharc.json "${copy}"
  ln -s "${PWD}/node_modules" "${copy}/node_modules"
  (
    cd "${copy}"
    node node_modules/cmake-js/bin/cmake-js compile --CDEXPSYN_SANITIZE=address,undefined \
      >build.log 2>&1 || { tail -n 40 build.log; exit 1; }
    # V8 keeps memory at exit on purpose; leaks of the core are the business of its own tests.
    # Preloading works for node itself only, so mocha runs without a launcher in between.
    LD_PRELOAD="$(gcc -print-file-name=libasan.so)" ASAN_OPTIONS=detect_leaks=0 \
      node --import=tsx node_modules/mocha/bin/mocha.js --no-config --timeout 300000 \
      test/bad-input.test.ts test/hostile.test.ts test/lifetime.test.ts test/noise.test.ts \
      test/order.test.ts test/parity.test.ts test/state.test.ts test/workers.test.ts
  )
}

core asan address,undefined
core tsan thread
addon
