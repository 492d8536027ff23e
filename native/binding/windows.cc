// What the addon needs on Windows alone.

// In this order: the second header needs the types of the first.
// clang-format off
#include <windows.h>
#include <delayimp.h>
// clang-format on

namespace {

// The functions of Node-API belong to the program, whatever its file is called: an application of
// Electron has no node.exe. So the addon imports node.exe when it calls the first of them, and this
// says that node.exe is the program.
FARPROC WINAPI ChooseHost(unsigned notification, PDelayLoadInfo information) {
  const bool is_host =
      notification == dliNotePreLoadLibrary && lstrcmpiA(information->szDll, "node.exe") == 0;
  return is_host ? reinterpret_cast<FARPROC>(GetModuleHandleW(nullptr)) : nullptr;
}

}  // namespace

// The toolchain's library calls it; the header declares it.
PfnDliHook __pfnDliNotifyHook2 = ChooseHost;

// The addon stays when the last worker that loaded it ends: it has threads, and what is counted for
// the process must go on.
BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, LPVOID) {
  if (reason != DLL_PROCESS_ATTACH) return TRUE;
  HMODULE pinned = nullptr;
  return GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                            reinterpret_cast<LPCWSTR>(module), &pinned);
}
