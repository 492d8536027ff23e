import { build } from 'esbuild';

await build({
  entryPoints: ['main.mjs'],
  bundle: true,
  platform: 'node',
  format: 'cjs',
  outdir: 'output/esbuild-cjs',
  outExtension: { '.js': '.cjs' },
  loader: { '.node': 'copy' },
});
