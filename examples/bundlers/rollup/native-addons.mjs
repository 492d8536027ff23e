/** Copies native addons into the output and loads each from there when it is required. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

export const nativeAddons = {
  name: 'native-addons',
  load(id) {
    if (!id.endsWith('.node')) return null;
    const asset = { type: 'asset', name: basename(id), source: readFileSync(id) };
    return `
      const { fileURLToPath } = require('node:url');
      process.dlopen(module, fileURLToPath(import.meta.ROLLUP_FILE_URL_${this.emitFile(asset)}));
    `;
  },
};
