import { defineConfig } from 'vite';

import { nativeAddons } from '../rollup/native-addons.mjs';

/** Vite would make addresses for browsers. */
function resolveFileUrl({ fileName, relativePath }) {
  if (!fileName.endsWith('.node')) return null;
  return `new URL(${JSON.stringify(relativePath)}, import.meta.url).href`;
}

export default defineConfig({
  plugins: [{ ...nativeAddons, enforce: 'pre', resolveFileUrl }],
  ssr: { noExternal: ['expsyn'] },
  build: {
    ssr: 'main.mjs',
    emitAssets: true,
    rolldownOptions: {
      output: [
        { dir: 'output/vite-esm', format: 'es', entryFileNames: '[name].mjs' },
        { dir: 'output/vite-cjs', format: 'cjs', entryFileNames: '[name].cjs' },
      ],
    },
  },
});
