/** Loads native addons from the assets of the executable. A file is needed for that, for a moment. */
export const nativeAddons = {
  name: 'native-addons',
  setup(build) {
    build.onLoad({ filter: /\.node$/ }, () => ({
      contents: `
        const { mkdtempSync, rmSync, writeFileSync } = require('node:fs');
        const { tmpdir } = require('node:os');
        const { join } = require('node:path');
        const { getRawAsset } = require('node:sea');

        const folder = mkdtempSync(join(tmpdir(), 'addon-'));
        const file = join(folder, 'expsyn.node');
        writeFileSync(file, new Uint8Array(getRawAsset('expsyn.node')));
        process.dlopen(module, file);
        // Windows does not remove the file of a loaded addon.
        if (process.platform !== 'win32') rmSync(folder, { recursive: true });
      `,
    }));
  },
};
