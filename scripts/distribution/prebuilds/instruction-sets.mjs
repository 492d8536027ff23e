/** The instruction sets that the core is compiled for: one file each. */
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';

import { root } from '../../setup/run.mjs';

export const INSTRUCTION_SETS = readdirSync(join(root, 'native', 'core', 'simd', 'sets')).map(
  (file) => basename(file, '.cc'),
);
