# Windows on x86-64, by mingw-w64's GCC.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR AMD64)
set(CMAKE_CXX_COMPILER x86_64-w64-mingw32-g++-posix)
# GCC aligns the stack to 16 bytes, as Windows does, and yet keeps wider vectors there by instructions
# that fault if the address is not a multiple of their width. The assembler writes the instructions that
# take any address in their place, which are as fast where the address is aligned. Debian's GCC is changed
# to do so by itself; a check of the binary tells whether it is so.
set(CMAKE_CXX_FLAGS_INIT -Wa,-muse-unaligned-vector-move)
# The compiler's libraries become a part of the binary. No symbols for debuggers, and no time: the same
# sources give the same bytes. Functions that nothing calls are left out, as zig's linker does.
set(CMAKE_SHARED_LINKER_FLAGS_INIT "-static -s -Wl,--no-insert-timestamp,--gc-sections")
# Nothing of this machine's own.
set(CMAKE_FIND_ROOT_PATH /usr/x86_64-w64-mingw32)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
