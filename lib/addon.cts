// Loads the native addon. CommonJS whatever the rest becomes, because only require() loads it.
import path = require('node:path');

/** The addon's file, built by cmake-js or node-gyp. */
const file = path.join(__dirname, '..', 'build', 'Release', 'expsyn.node');

function load(): unknown {
  try {
    return require(file);
  } catch (cause) {
    const error = new Error(
      `Expected the native addon at ${file} but it could not be loaded; run 'npm run setup' in ` +
        `${path.join(__dirname, '..')} to build it.`,
      { cause },
    );
    throw Object.assign(error, { code: 'ERR_EXPSYN_ADDON' });
  }
}

export = load();
