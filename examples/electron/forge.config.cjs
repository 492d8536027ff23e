/** Packages the application by `npx electron-forge package`. docs/electron.md explains the lines about expsyn. */
const { cp, readdir, rm } = require('node:fs/promises');
const { join } = require('node:path');

const { FusesPlugin } = require('@electron-forge/plugin-fuses');
const { FuseV1Options, FuseVersion } = require('@electron/fuses');

module.exports = {
  packagerConfig: {
    name: 'Synaptic Currents',
    // A binary cannot be loaded from within an archive.
    asar: { unpack: '**/*.node' },
    ignore: [/^\/out($|\/)/, /^\/(electron-builder\.yml|forge\.config\.cjs|tsconfig\.json)$/],
  },
  // The binary serves every version of Electron, so there is nothing to rebuild.
  rebuildConfig: { onlyModules: [] },
  hooks: {
    packageAfterPrune: async (_config, folder, _electronVersion, platform, arch) => {
      // What the page shares with the example server.
      await cp(join(__dirname, '..', 'page'), join(folder, 'page'), { recursive: true });
      // expsyn has binaries for several systems. Only that of the target is needed; where there is none,
      // WebAssembly takes its place. The Mac App Store has a platform of its own.
      const prebuilds = join(folder, 'node_modules', 'expsyn', 'prebuilds');
      const targets = await readdir(prebuilds);
      const own = `${platform === 'mas' ? 'darwin' : platform}-${arch}`;
      const needed = targets.includes(own) ? own : 'wasm';
      for (const target of targets) {
        if (target !== needed) await rm(join(prebuilds, target), { recursive: true });
      }
    },
  },
  plugins: [
    new FusesPlugin({
      version: FuseVersion.V1,
      [FuseV1Options.RunAsNode]: false,
      [FuseV1Options.EnableNodeOptionsEnvironmentVariable]: false,
      [FuseV1Options.EnableNodeCliInspectArguments]: false,
      [FuseV1Options.EnableEmbeddedAsarIntegrityValidation]: true,
      [FuseV1Options.OnlyLoadAppFromAsar]: true,
      // The page is served as app://, so file:// needs no rights beyond those of a browser.
      [FuseV1Options.GrantFileProtocolExtraPrivileges]: false,
    }),
  ],
};
