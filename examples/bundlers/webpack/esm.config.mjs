import path from 'node:path';

export default {
  mode: 'production',
  target: 'node',
  entry: './main.mjs',
  experiments: { outputModule: true },
  output: {
    path: path.resolve('output/webpack-esm'),
    filename: 'main.mjs',
    module: true,
    // node-loader joins it with the folder of the bundle. By default, it is a URL here.
    publicPath: '',
  },
  module: { rules: [{ test: /\.node$/, loader: 'node-loader' }] },
};
