// Loads the native addon. This file is CommonJS because only require() loads addons.
import path = require('node:path');

/** The addon's file, built by cmake-js or node-gyp. */
const file = path.join(__dirname, '..', '..', 'build', 'Release', 'expsyn.node');

function load(): unknown {
  try {
    return require(file);
  } catch (cause) {
    if (!isNotLoaded(cause)) throw cause;
    const error = new Error(
      `Expected the native addon at ${file} but it could not be loaded; run 'npm run setup' in ` +
        `${path.join(__dirname, '..', '..')} to build it.`,
      { cause },
    );
    throw Object.assign(error, { code: 'ERR_EXPSYN_ADDON' });
  }
}

/** Whether the file is missing or is not an addon. Otherwise the addon itself threw the error. */
function isNotLoaded(cause: unknown): boolean {
  const code: unknown = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return code === 'MODULE_NOT_FOUND' || code === 'ERR_DLOPEN_FAILED';
}

export = load();
