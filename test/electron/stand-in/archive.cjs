/**
 * Does what Electron does when an addon is loaded from an archive: the path `app.asar/...` in
 * process.dlopen() becomes `app.asar.unpacked/...`. Here, `app.asar` is a folder that holds what the archive
 * holds, with an empty file in place of each one that is not in it.
 */
const { dlopen } = process;
process.dlopen = (module, path, ...flags) =>
  dlopen(module, path.replace('app.asar', 'app.asar.unpacked'), ...flags);
