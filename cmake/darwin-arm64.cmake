# macOS 11 or newer on Apple silicon.
set(CMAKE_SYSTEM_NAME Darwin)
set(CMAKE_SYSTEM_PROCESSOR arm64)
set(EXPSYN_ZIG_TARGET aarch64-macos.11.0)
# CMake looks for this tool of Apple's, which no step of the build uses.
set(CMAKE_INSTALL_NAME_TOOL /bin/false)
include(${CMAKE_CURRENT_LIST_DIR}/zig.cmake)
# Node-API's functions are those of the program that loads the addon.
set(CMAKE_SHARED_LINKER_FLAGS_INIT "${CMAKE_SHARED_LINKER_FLAGS_INIT} -Wl,-undefined,dynamic_lookup")
# The binary's own name, which is otherwise the path where it was built.
set(CMAKE_BUILD_WITH_INSTALL_NAME_DIR ON)
set(CMAKE_INSTALL_NAME_DIR @rpath)
