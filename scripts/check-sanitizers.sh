#!/usr/bin/env bash
# Builds and runs under sanitizers: the core's tests with `thread`, and with `address,undefined` both the core's
# tests and the package's tests of memory and threads. Needs what `npm test` needs, and the compiler's sanitizer
# runtimes, which come with GCC.
set -euo pipefail
cd "$(dirname "$0")/.."

# The addon is loaded from build/Release of its own folder, so the other one is built in a copy.
copy=$(mktemp -d)
trap 'rm -rf "${copy}"' EXIT

# build LOG COMMAND...: shows the end of the log if the command fails.
build() {
  local log=$1
  shift
  "$@" >>"${log}" 2>&1 || { tail -n 40 "${log}"; return 1; }
}

build_with_thread() {
  build build/core-tsan.log cmake -S . -B build/core-tsan -DEXPSYN_ADDON=OFF \
    -DEXPSYN_CORE_TESTS=ON -DEXPSYN_SANITIZE=thread
  build build/core-tsan.log cmake --build build/core-tsan --parallel 2
}

build_with_address() {
  cp -r lib native test dist package.json CMakeLists.txt tsconfig.json .mocharc.json "${copy}"
  ln -s "${PWD}/node_modules" "${copy}/node_modules"
  cd "${copy}"
  # The core's tests and the addon are linked from the same objects.
  build build.log node node_modules/cmake-js/bin/cmake-js compile \
    --CDEXPSYN_SANITIZE=address,undefined --CDEXPSYN_CORE_TESTS=ON --parallel 2
  build build.log cmake --build build --target expsyn_faults --parallel 2
}

test_addon_with_address() {
  cd "${copy}"
  # V8 keeps memory until the process ends, so leaks are searched for in the core's tests only. Preloading works
  # for node itself only, so mocha runs without a launcher in between.
  LD_PRELOAD="$(gcc -print-file-name=libasan.so)" ASAN_OPTIONS=detect_leaks=0 EXPSYN_FAULT_STEP=4 \
    node --import=tsx node_modules/mocha/bin/mocha.js --no-config --timeout 300000 \
    test/addon/out-of-memory.test.ts \
    test/model/{bad-calls,bad-options,evolve-sessions,hostile,in-place,lifetime,load,noise,order}.test.ts \
    test/model/{parity,session,shared-memory,state,transfer,workers}.test.ts \
    test/streams/{backpressure,stream-ends,streams,web-streams}.test.ts
}

# The tests of the core that run on several threads.
threaded='*cancellation_test.cc,*concurrency_test.cc,*fftw_library_test.cc,*long_runs_test.cc'
threaded+=',*sessions_test.cc,*kernels_state_test.cc,*worker_pool*'

mkdir -p build
: >build/core-tsan.log
echo "Building with thread, then with address,undefined"
(build_with_thread)
(build_with_address)

# The core's programs use few threads, so they run beside the addon's tests.
# Of the tests that run on one thread, the sanitizer of threads has nothing to say.
build/core-tsan/expsyn_core_tests --source-file="${threaded}" >"${copy}/thread.log" 2>&1 &
thread=$!
"${copy}/build/expsyn_core_tests" >"${copy}/address.log" 2>&1 &
address=$!
failed=''
echo "The addon under address,undefined:"
(test_addon_with_address) || failed+=' addon'
wait "${thread}" || failed+=' thread'
echo "The core under thread:" && tail -n 200 "${copy}/thread.log"
wait "${address}" || failed+=' address,undefined'
echo "The core under address,undefined:" && tail -n 200 "${copy}/address.log"
[ -z "${failed}" ] || { echo "Failed under sanitizers:${failed}"; exit 1; }
