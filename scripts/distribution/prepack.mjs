/**
 * npm's script `prepack`: builds what the tarball holds and git does not, the compiled TypeScript and the
 * release binaries, and leaves in the scripts and in package.json what is published. `postpack` restores
 * package.json. It prints to the standard error, because `npm pack --json` prints its result to the standard
 * output.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import { root } from '../setup/run.mjs';
import { removeComments } from './comments.mjs';
import { removeUnreachableDeclarations } from './declarations.mjs';
import { strip } from './manifest.mjs';

for (const script of ['setup.mjs', join('distribution', 'prebuilds.mjs')]) {
  const { status } = spawnSync(process.execPath, [join(root, 'scripts', script)], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) process.exit(status ?? 1);
}
const dist = join(root, 'dist');
await removeComments(dist);
await removeUnreachableDeclarations(dist, ['index', 'streams', 'files']);
strip();
