/** The tarball as it is published. */
import { join } from 'node:path';

import { root } from '../setup/run.mjs';
import { run } from './cases.mjs';
import { requireSmall } from './prebuilds/gates.mjs';

/** What the package may take when it is packed. */
const MOST_BYTES = 3_000_000;

/** Packs the package into a folder, which builds what is missing. Resolves to the tarball's path. */
export async function packInto(folder, label) {
  console.log(`${label}: packing the package, which first builds what is missing or old`);
  const output = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: root });
  const [{ filename, size, unpackedSize }] = JSON.parse(output);
  const megabytes = (bytes) => `${(bytes / 1e6).toFixed(2)} MB`;
  console.log(
    `${label}: ${filename}: ${megabytes(size)} packed, ${megabytes(unpackedSize)} unpacked`,
  );
  requireSmall('the package', size, MOST_BYTES);
  return join(folder, filename);
}
