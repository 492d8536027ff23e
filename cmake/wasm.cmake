# Toolchain file for WebAssembly: Emscripten of the system, which must be in PATH.
if(NOT EMSCRIPTEN_ROOT_PATH)
  find_program(EXPSYN_EMXX em++ REQUIRED)
  get_filename_component(EXPSYN_EMXX ${EXPSYN_EMXX} REALPATH)
  get_filename_component(EMSCRIPTEN_ROOT_PATH ${EXPSYN_EMXX} DIRECTORY)
endif()
# Exceptions and vectors of 16 bytes, which browsers have since 2021 to 2023.
set(CMAKE_C_FLAGS_INIT "-fwasm-exceptions -msimd128")
set(CMAKE_CXX_FLAGS_INIT "-fwasm-exceptions -msimd128")
include(${EMSCRIPTEN_ROOT_PATH}/cmake/Modules/Platform/Emscripten.cmake)
