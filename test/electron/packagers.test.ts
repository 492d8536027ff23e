/** Which binaries the configurations of the packagers leave in the application. */
import assert from 'node:assert/strict';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { TARGETS } from '../../lib/native/target';
import { ROOT } from '../support/processes';

const EXAMPLE = join(ROOT, 'examples', 'electron');

type Hook = (
  config: object,
  folder: string,
  version: string,
  platform: string,
  arch: string,
) => Promise<void>;

describe('the packager', () => {
  const folder = mkdtempSync(join(tmpdir(), 'expsyn-packagers-'));

  after(() => rmSync(folder, { recursive: true, force: true }));

  it('electron-builder takes the binary of the target, not of the machine on which it runs', () => {
    for (const file of [join(EXAMPLE, 'electron-builder.yml'), join(ROOT, 'docs', 'electron.md')]) {
      const text = readFileSync(file, 'utf8');
      const lines = text.split('\n').filter((line) => !line.trim().startsWith('#'));
      // This macro stands for the machine's own system.
      assert.ok(!lines.some((line) => line.includes('prebuilds/${platform}')), file);
      for (const [section, system] of [
        ['linux', 'linux'],
        ['mac', 'darwin'],
        ['win', 'win32'],
      ]) {
        const path = `node_modules/expsyn/prebuilds/${system}-\${arch}`;
        const start = lines.indexOf(`${section}:`);
        assert.deepEqual(
          lines.slice(start, start + 4).map((line) => line.trim()),
          [`${section}:`, 'files:', `- from: ${path}`, `to: ${path}`],
        );
      }
    }
  });

  it('Forge takes the binary of the target, or WebAssembly where there is none', async () => {
    const app = join(folder, 'application');
    mkdirSync(app);
    cpSync(join(EXAMPLE, 'forge.config.cjs'), join(app, 'forge.config.cjs'));
    mkdirSync(join(folder, 'page'));
    const standIns = {
      '@electron-forge/plugin-fuses': 'exports.FusesPlugin = class {};',
      '@electron/fuses': 'exports.FuseV1Options = {}; exports.FuseVersion = {};',
    };
    for (const [name, source] of Object.entries(standIns)) {
      const file = join(app, 'node_modules', name, 'index.js');
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, source);
    }
    const { hooks } = createRequire(join(app, 'x.js'))('./forge.config.cjs') as {
      hooks: { packageAfterPrune: Hook };
    };
    for (const [platform, arch, kept] of [
      ['linux', 'x64', 'linux-x64'],
      ['linux', 'arm64', 'linux-arm64'],
      ['win32', 'x64', 'win32-x64'],
      ['darwin', 'arm64', 'darwin-arm64'],
      ['mas', 'arm64', 'darwin-arm64'],
      ['darwin', 'x64', 'wasm'],
      ['mas', 'x64', 'wasm'],
      ['win32', 'arm64', 'wasm'],
    ] as const) {
      const built = mkdtempSync(join(folder, 'built-'));
      const prebuilds = join(built, 'node_modules', 'expsyn', 'prebuilds');
      for (const target of [...Object.keys(TARGETS), 'wasm']) {
        mkdirSync(join(prebuilds, target), { recursive: true });
      }
      await hooks.packageAfterPrune({}, built, '38.0.0', platform, arch);
      assert.deepEqual(readdirSync(prebuilds), [kept], `${platform} ${arch}`);
    }
  });
});
