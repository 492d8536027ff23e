import commonjs from '@rollup/plugin-commonjs';
import { nodeResolve } from '@rollup/plugin-node-resolve';

import { nativeAddons } from './native-addons.mjs';

export default {
  input: 'main.mjs',
  plugins: [nodeResolve(), nativeAddons, commonjs({ extensions: ['.js', '.node'] })],
  output: [
    { dir: 'output/rollup-esm', format: 'es', entryFileNames: '[name].mjs' },
    { dir: 'output/rollup-cjs', format: 'cjs', entryFileNames: '[name].cjs' },
  ],
};
