# Windows on x86-64, by mingw-w64's GCC on another system.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR AMD64)
set(CMAKE_CXX_COMPILER x86_64-w64-mingw32-g++-posix)

# GCC aligns the stack of Windows to 16 bytes only, and yet stores wider vectors there by instructions
# that fault on addresses that are not multiples of their width. The assembler takes the ones that
# accept any address instead, which are as fast where the address is aligned.
set(CMAKE_CXX_FLAGS_INIT -Wa,-muse-unaligned-vector-move)

# The runtime libraries of the compiler are a part of the addon. Without a time stamp, the same sources
# give the same bytes.
set(CMAKE_SHARED_LINKER_FLAGS_INIT "-static -s -Wl,--no-insert-timestamp")

set(CMAKE_FIND_ROOT_PATH /usr/x86_64-w64-mingw32)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
