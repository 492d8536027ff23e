/** Checks that the links between pages lead somewhere. */
import { existsSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

import { root } from './pages.mjs';

/** The text of a page without code, in which brackets are not links. */
function withoutCode(text) {
  return text.replace(/^```[^]*?^```$/gm, '').replace(/`[^`\n]*`/g, '');
}

/** The anchors that GitHub gives the headings of a page. */
function anchorsOf(text) {
  const anchors = new Set([...text.matchAll(/<a id="([^"]+)">/g)].map(([, id]) => id));
  const counts = new Map();
  for (const [, heading] of text.replace(/^```[^]*?^```$/gm, '').matchAll(/^#+ +(.+)$/gm)) {
    const slug = heading
      .toLowerCase()
      .replace(/[^\p{Letter}\p{Number}\s_-]/gu, '')
      .replace(/\s/g, '-');
    const count = counts.get(slug) ?? 0;
    counts.set(slug, count + 1);
    anchors.add(count === 0 ? slug : `${slug}-${count}`);
  }
  return anchors;
}

/** Paths in code, such as `lib/index.ts`, that do not exist. Capitals stand for a name of one's own. */
function missingPaths({ name, text }) {
  const path = /`((?:bench|docs|examples|lib|native|scripts|test)\/[\w./-]*)`/g;
  return [...text.matchAll(path)]
    .map(([, target]) => target)
    .filter((target) => !target.includes('NAME') && !existsSync(join(root, target)))
    .map((target) => `${name}: ${target}`);
}

export function checkLinks(pages) {
  const anchors = new Map(pages.map(({ name, text }) => [name, anchorsOf(text)]));
  const broken = pages.flatMap(missingPaths);
  let count = 0;
  for (const { name, text } of pages) {
    for (const [, target] of withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      count++;
      const [path, anchor] = target.split('#');
      const file = path === '' ? name : normalize(join(dirname(name), path));
      const exists = existsSync(join(root, file));
      const isPage = exists && statSync(join(root, file)).isFile() && file.endsWith('.md');
      const isFound = exists && (anchor === undefined || !isPage || anchors.get(file)?.has(anchor));
      if (!isFound) broken.push(`${name}: ${target}`);
    }
  }
  if (broken.length > 0) {
    throw new Error(
      `Expected every link and path to lead to a file and heading but found\n${broken.join('\n')}`,
    );
  }
  console.log(`${count} links between pages, and all paths: they lead somewhere`);
}
