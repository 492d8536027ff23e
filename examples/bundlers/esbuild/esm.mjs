import { build } from 'esbuild';

await build({
  entryPoints: ['main.mjs'],
  bundle: true,
  platform: 'node',
  format: 'esm',
  outdir: 'output/esbuild-esm',
  outExtension: { '.js': '.mjs' },
  loader: { '.node': 'copy' },
  // ES modules have no require(), which CommonJS packages call.
  banner: {
    js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
  },
});
