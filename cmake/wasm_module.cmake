# The addon as a WebAssembly module: the same binding, with Node-API by emnapi. The module imports only what
# lib/wasm/ provides: neither threads nor files.
enable_language(C)
foreach(package emnapi node-addon-api)
  execute_process(COMMAND node -p "path.dirname(require.resolve('${package}/package.json'))"
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE ${package}_DIR
    OUTPUT_STRIP_TRAILING_WHITESPACE)
endforeach()

# The part of Node-API that emnapi does not have in JavaScript.
add_library(expsyn_node_api OBJECT ${emnapi_DIR}/src/js_native_api.c)
target_include_directories(expsyn_node_api SYSTEM PUBLIC ${emnapi_DIR}/include/node)
target_compile_definitions(expsyn_node_api PUBLIC NAPI_VERSION=8)

add_executable(expsyn_wasm ${EXPSYN_KERNEL_REGISTRY} ${EXPSYN_BINDING_SOURCES})
set_target_properties(expsyn_wasm PROPERTIES OUTPUT_NAME expsyn SUFFIX .wasm)
target_include_directories(expsyn_wasm SYSTEM PRIVATE ${node-addon-api_DIR})
target_compile_definitions(expsyn_wasm PRIVATE ${EXPSYN_BINDING_DEFINITIONS})
target_link_libraries(expsyn_wasm PRIVATE expsyn_core expsyn_node_api)
target_link_options(expsyn_wasm PRIVATE
  -O3
  --no-entry
  -sSTANDALONE_WASM
  -sALLOW_MEMORY_GROWTH
  -sMAXIMUM_MEMORY=4GB
  -sEXPORTED_FUNCTIONS=_napi_register_wasm_v1,_node_api_module_get_api_version_v1,_malloc,_free
  # What is undefined becomes an import, and a module with other imports than those does not start.
  -sERROR_ON_UNDEFINED_SYMBOLS=0
  -sWARN_ON_UNDEFINED_SYMBOLS=0
)
