# For toolchain files that build with zig, which contains Clang, a linker, and the C and C++ libraries of
# every system. The file that includes this one has set EXPSYN_ZIG_TARGET. EXPSYN_ZIG is zig's path.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES EXPSYN_ZIG)
set(CMAKE_CXX_COMPILER ${EXPSYN_ZIG} c++ -target ${EXPSYN_ZIG_TARGET})
# No symbols for debuggers.
set(CMAKE_SHARED_LINKER_FLAGS_INIT -s)
# Nothing of this machine's own.
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
