/** The pages of the documentation. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Folders whose Markdown files are documentation, and whether their subfolders are too. */
const FOLDERS = [
  { folder: '.', recursive: false },
  { folder: 'docs', recursive: true },
  { folder: 'examples', recursive: true },
];

/** Every page as { name, text }; `name` is its path from the root of the project. */
export function readPages() {
  return FOLDERS.flatMap(({ folder, recursive }) =>
    readdirSync(join(root, folder), { withFileTypes: true, recursive })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.md'))
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => ({ name: relative(root, path), text: readFileSync(path, 'utf8') })),
  );
}

/** Whether typedoc makes the page. Its `ts` blocks are signatures, which cannot be run. */
export function isGenerated(page) {
  return page.name.startsWith(join('docs', 'api'));
}

/**
 * The code blocks of a page in these languages, as { code, expected }: `expected` is the text block
 * that follows after the word "prints", if there is one.
 */
export function codeBlocks(text, languages) {
  const fence = new RegExp(
    `^\`\`\`(${languages.join('|')})\\n([^]*?)^\`\`\`$(?:\\s*prints\\s*^\`\`\`text\\n([^]*?)^\`\`\`$)?`,
    'gm',
  );
  return [...text.matchAll(fence)].map(([, language, code, expected]) => ({
    language,
    code,
    expected,
  }));
}

/** Throws unless a program printed what the page says. */
export function requireSame(printed, expected, place) {
  if (expected === undefined || printed.trim() === expected.trim()) return;
  throw new Error(`Expected ${place} to print\n${expected}\nbut it printed\n${printed}`);
}
