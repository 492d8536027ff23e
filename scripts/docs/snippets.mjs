/** Runs the snippets of all pages in a folder in which the package is installed. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { codeBlocks, isGenerated, requireSame, root } from './pages.mjs';

/** What a snippet is run as. */
const RUNNERS = {
  mjs: [],
  cjs: [],
  mts: ['--import', import.meta.resolve('tsx')],
};

function extensionOf({ language, code }) {
  if (language === 'ts') return 'mts';
  return /\brequire\(/.test(code) ? 'cjs' : 'mjs';
}

export function checkSnippets(pages) {
  const folder = mkdtempSync(join(tmpdir(), 'expsyn-docs-'));
  try {
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(root, join(folder, 'node_modules', 'expsyn'));
    for (const page of pages) {
      const snippets = codeBlocks(page.text, isGenerated(page) ? ['js'] : ['js', 'ts']);
      for (const [index, snippet] of snippets.entries()) {
        const extension = extensionOf(snippet);
        const file = join(folder, `snippet.${extension}`);
        writeFileSync(file, snippet.code);
        const printed = execFileSync(process.execPath, [...RUNNERS[extension], file], {
          cwd: folder,
          encoding: 'utf8',
        });
        const place = `snippet ${index + 1} of ${page.name}`;
        requireSame(printed, snippet.expected, place);
        console.log(`${place}: as documented`);
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
