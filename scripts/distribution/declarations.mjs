/** Removes the declarations that no public one refers to, which nobody can import. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Keeps, of the declarations in a folder, those that `entries` lead to, names without an ending. */
export async function removeUnreachableDeclarations(folder, entries) {
  // Not before npm's packages are installed.
  const { default: ts } = await import('typescript');
  const program = ts.createProgram(
    entries.map((name) => join(folder, `${name}.d.ts`)),
    { module: ts.ModuleKind.NodeNext, types: [] },
  );
  const reached = new Set(program.getSourceFiles().map(({ fileName }) => join(fileName)));
  for (const name of readdirSync(folder, { recursive: true })) {
    const path = join(folder, name);
    if (name.endsWith('.d.ts') && !reached.has(path)) rmSync(path);
  }
}
