{
  # The same addon by node-gyp, for tools that know no other. CMakeLists.txt is what is developed
  # with; a test compares the two lists of sources.
  "targets": [
    {
      "target_name": "expsyn",
      "sources": [
        "native/core/cost_model.cc",
        "native/core/evolve.cc",
        "native/core/fft_convolver.cc",
        "native/core/fft_plan.cc",
        "native/core/input_reader.cc",
        "native/core/noise.cc",
        "native/core/raster.cc",
        "native/core/recursion.cc",
        "native/core/window.cc",
        "native/core/worker_pool.cc",
        "native/binding/addon.cc",
        "native/binding/arguments.cc",
        "native/binding/job_queue.cc",
      ],
      "include_dirs": [
        "native/core",
        "<!(node -p \"require('node-addon-api').include_dir\")",
      ],
      "defines": [
        "NAPI_VERSION=8",
        "NAPI_CPP_EXCEPTIONS",
        "NODE_ADDON_API_CPP_EXCEPTIONS_ALL",
        "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS",
        "NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED",
      ],
      "cflags!": ["-fno-exceptions"],
      "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17", "-std=gnu++20"],
      "cflags_cc": [
        "-std=c++17",
        "-O3",
        "-fvisibility=hidden",
        "-Wno-psabi",
        "-ffp-contract=off",
        "-fno-math-errno",
        "-fno-trapping-math",
        "<!@(pkg-config --cflags fftw3 fftw3f)",
      ],
      "libraries": ["<!@(pkg-config --libs fftw3 fftw3f)"],
      "conditions": [["OS=='linux'", {"ldflags": ["-Wl,-z,nodelete"]}]],
      "xcode_settings": {
        "CLANG_CXX_LANGUAGE_STANDARD": "c++17",
        "GCC_ENABLE_CPP_EXCEPTIONS": "YES",
        "GCC_ENABLE_CPP_RTTI": "YES",
        "GCC_OPTIMIZATION_LEVEL": "3",
        "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
        "MACOSX_DEPLOYMENT_TARGET": "11.0",
        "OTHER_CPLUSPLUSFLAGS": [
          "-ffp-contract=off",
          "-fno-math-errno",
          "-fno-trapping-math",
          "<!@(pkg-config --cflags fftw3 fftw3f)",
        ],
      },
    },
  ],
}
