/** The file of the addon that the package loads in this folder. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { systemName } from '../../lib/native/target';
import { ROOT } from './processes';

/** The clone's own build or, where the tests run with a binary of a release, that one. */
export function addonFile(): string {
  const own = join(ROOT, 'build', 'Release', 'expsyn.node');
  return existsSync(own) ? own : join(ROOT, 'prebuilds', systemName(), 'expsyn.node');
}
