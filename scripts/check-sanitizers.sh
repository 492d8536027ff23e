#!/usr/bin/env bash
# Builds and runs under sanitizers: the core's tests under thread, and under address+undefined
# together with the package's tests of hazards on an addon built so. Needs what `npm test` needs, and
# the compiler's sanitizer runtimes, which come with GCC.
set -euo pipefail
cd "$(dirname "$0")/.."

under_thread() {
  echo "The core under thread:"
  cmake -S . -B build/core-tsan -DEXPSYN_ADDON=OFF -DEXPSYN_CORE_TESTS=ON \
    -DEXPSYN_SANITIZE=thread >build/core-tsan.log
  cmake --build build/core-tsan --parallel 2 >>build/core-tsan.log 2>&1 ||
    { tail -n 40 build/core-tsan.log; return 1; }
  build/core-tsan/expsyn_core_tests
}

# The addon is loaded from build/Release of the folder it belongs to, so a copy gets the other one.
under_address() {
  local copy
  copy=$(mktemp -d)
  trap 'rm -rf "${copy}"' RETURN
  cp -r lib native test dist package.json CMakeLists.txt tsconfig.json .mocharc.json "${copy}"
  ln -s "${PWD}/node_modules" "${copy}/node_modules"
  (
    cd "${copy}"
    # Both from the same objects of the core, which take long to compile.
    node node_modules/cmake-js/bin/cmake-js compile --CDEXPSYN_SANITIZE=address,undefined \
      --CDEXPSYN_CORE_TESTS=ON --parallel 2 >build.log 2>&1 || { tail -n 40 build.log; exit 1; }
    echo "The core under address,undefined:"
    build/expsyn_core_tests
    cmake --build build --target expsyn_faults --parallel 2 >>build.log 2>&1 ||
      { tail -n 40 build.log; exit 1; }
  )
  (
    cd "${copy}"
    echo "The addon under address,undefined:"
    # V8 keeps memory at exit on purpose; leaks of the core are the business of its own tests.
    # Preloading works for node itself only, so mocha runs without a launcher in between.
    LD_PRELOAD="$(gcc -print-file-name=libasan.so)" ASAN_OPTIONS=detect_leaks=0 \
      node --import=tsx node_modules/mocha/bin/mocha.js --no-config --timeout 300000 \
      test/model/bad-input.test.ts test/model/hostile.test.ts test/model/lifetime.test.ts test/model/load.test.ts \
      test/model/noise.test.ts test/model/order.test.ts test/addon/out-of-memory.test.ts test/model/parity.test.ts \
      test/model/session.test.ts \
      test/model/state.test.ts test/streams/streams.test.ts test/model/workers.test.ts
  )
}

under_thread
under_address
