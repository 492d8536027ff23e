export default {
  output: 'standalone',
  serverExternalPackages: ['expsyn'],
};
