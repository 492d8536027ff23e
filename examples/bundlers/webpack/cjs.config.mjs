import path from 'node:path';

export default {
  mode: 'production',
  target: 'node',
  entry: './main.mjs',
  output: { path: path.resolve('output/webpack-cjs'), filename: 'main.cjs' },
  module: { rules: [{ test: /\.node$/, loader: 'node-loader' }] },
};
