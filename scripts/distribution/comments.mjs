/**
 * Removes the comments from the compiled scripts, which is a fifth of what they take in the package: those who
 * write code read the declarations, whose comments stay, and the sources have all of them.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export async function removeComments(folder) {
  // Not before npm's packages are installed.
  const { transform } = await import('esbuild');
  for (const name of readdirSync(folder, { recursive: true })) {
    if (!/\.c?js$/.test(name)) continue;
    const path = join(folder, name);
    const { code } = await transform(readFileSync(path, 'utf8'), {
      charset: 'utf8',
      legalComments: 'none',
    });
    writeFileSync(path, code);
  }
}
