/** The example application in an archive, as packagers make it. */
import assert from 'node:assert/strict';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import { pathToFileURL } from 'node:url';

import { createPackageWithOptions, extractFile, listPackage, statFile } from '@electron/asar';

import { systemName } from '../../lib/native/target';
import { headerOf, npyOf } from '../support/npy-bytes';
import { ROOT, runProgram } from '../support/processes';

const STAND_IN = join(__dirname, 'stand-in', 'archive.cjs');
const TARGET = systemName();
const ADDON = `node_modules/expsyn/prebuilds/${TARGET}/expsyn.node`;

describe('the application in an archive', () => {
  const folder = mkdtempSync(join(tmpdir(), 'expsyn-asar-'));
  const archive = join(folder, 'made', 'app.asar');
  /** Where the archive is laid out as files, as Electron's file system shows it. */
  const shown = join(folder, 'shown', 'app.asar');

  /** Paths of all files below a folder. */
  const filesIn = (root: string) =>
    readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => relative(root, join(parentPath, name)).split(sep).join('/'));

  before(async function () {
    this.timeout(120_000);
    const app = join(folder, 'app');
    cpSync(join(ROOT, 'examples', 'electron'), app, { recursive: true });
    cpSync(join(ROOT, 'examples', 'page'), join(app, 'page'), { recursive: true });
    // The package as its tarball has it.
    const expsyn = join(app, 'node_modules', 'expsyn');
    mkdirSync(dirname(join(app, ADDON)), { recursive: true });
    cpSync(join(ROOT, 'dist'), join(expsyn, 'dist'), { recursive: true });
    copyFileSync(join(ROOT, 'package.json'), join(expsyn, 'package.json'));
    copyFileSync(join(ROOT, 'build', 'Release', 'expsyn.node'), join(app, ADDON));
    await createPackageWithOptions(app, archive, { unpack: '**/*.node' });
  });

  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('has the binary outside of it, and nothing else', () => {
    assert.deepEqual(filesIn(`${archive}.unpacked`), [ADDON]);
    const unpacked = listPackage(archive, { isPack: false })
      .map((name) => name.slice(1))
      .filter((name) => {
        const entry = statFile(archive, name);
        return 'unpacked' in entry && entry.unpacked && !('files' in entry);
      });
    assert.deepEqual(unpacked, [ADDON]);
    assert.ok(
      readFileSync(join(`${archive}.unpacked`, ADDON)).equals(
        readFileSync(join(ROOT, 'build', 'Release', 'expsyn.node')),
      ),
    );
  });

  it('computes, live and from files, with the binary that is beside the archive', async function () {
    this.timeout(120_000);
    for (const name of listPackage(archive, { isPack: false }).map((path) => path.slice(1))) {
      if ('files' in statFile(archive, name)) continue;
      mkdirSync(dirname(join(shown, name)), { recursive: true });
      writeFileSync(join(shown, name), name === ADDON ? '' : extractFile(archive, name));
    }
    cpSync(`${archive}.unpacked`, `${shown}.unpacked`, { recursive: true });
    // The other packages are found here; they have no binaries that have to be unpacked.
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    const raster = join(folder, 'raster.npy');
    writeFileSync(raster, npyOf(headerOf('|u1', '(50, 4)'), new Uint8Array(200).fill(1)));
    const script = join(folder, 'script.mjs');
    const importFrom = (name: string) =>
      JSON.stringify(pathToFileURL(join(shown, 'engine', name)).href);
    writeFileSync(
      script,
      `import { LiveSimulation } from ${importFrom('live-simulation.js')};
      import { FileRuns } from ${importFrom('file-runs.js')};
      const { currents } = new LiveSimulation().compute({ steps: 2, tau: 0.02, dt: 0.001, rate: 1000 });
      const end = await new Promise((resolve) => {
        const runs = new FileRuns(${JSON.stringify(join(folder, 'runs'))}, (event) => {
          if (/finished|failed/.test(event.type)) resolve(event);
        });
        runs.start({ path: ${JSON.stringify(raster)}, name: 'raster.npy', tau: 0.02, dt: 0.001 });
      });
      const { sharedObjects } = process.report.getReport();
      const addons = sharedObjects.filter((path) => path.endsWith('expsyn.node'));
      console.log(JSON.stringify({ current: currents[48], type: end.type, message: end.message, addons }));`,
    );
    const { code, output } = await runProgram(process.execPath, ['--require', STAND_IN, script]);
    assert.equal(code, 0, output);
    const result = JSON.parse(output) as {
      current: number;
      type: string;
      message?: string;
      addons: string[];
    };
    const decay = Math.exp(-0.05);
    assert.ok(Math.abs(result.current - (1 + decay) * decay) < 1e-6);
    assert.equal(result.type, 'run-finished', result.message);
    assert.deepEqual(result.addons, [join(`${shown}.unpacked`, ADDON)]);
  });
});
