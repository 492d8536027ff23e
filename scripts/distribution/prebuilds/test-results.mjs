/** Compares the results of tests on another system with the exceptions that docs/platforms.md lists. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { root } from '../../setup/run.mjs';

const PAGE = join('docs', 'platforms.md');

/**
 * The exceptions of a target: the rows, about test files, of the table below the heading with its name. The
 * first cell has the name of a file, and then the beginnings of the titles of tests; without a title, the
 * row is about all tests of the file.
 */
export function readExceptions(target, page = readFileSync(join(root, PAGE), 'utf8')) {
  const section = page.split(/^#+ /m).find((text) => text.split('\n')[0].includes(`\`${target}\``));
  return [...(section ?? '').matchAll(/^\| (`test\/.+?) \| (.+?) \|$/gm)].map(
    ([, cell, reason]) => {
      const [file, ...titles] = [...cell.matchAll(/`([^`]+)`/g)].map(([, text]) => text);
      return { file, titles, reason: reason.trim() };
    },
  );
}

/** The tests of one file from what mocha's JSON reporter wrote: { file, title, state, message }. */
export function readReport(file, text) {
  const { passes, failures, pending } = JSON.parse(text);
  const of = (state) => (test) => ({
    ...{ file, title: test.fullTitle, state },
    message: (test.err?.message ?? '').split('\n')[0],
  });
  return [
    ...passes.map(of('passed')),
    ...failures.map(of('failed')),
    ...pending.map(of('skipped')),
  ];
}

/**
 * Prints which tests failed or were skipped though the page does not list them, and which rows of the page
 * are about none that did. Returns whether there is nothing of either.
 */
export function compareWithExceptions(target, tests, exceptions = readExceptions(target)) {
  const rows = exceptions.flatMap(({ file, titles }) =>
    titles.length === 0 ? { file, title: '' } : titles.map((title) => ({ file, title })),
  );
  const isAbout = ({ file, title }, test) => file === test.file && test.title.startsWith(title);
  const others = tests.filter(({ state }) => state !== 'passed');
  const unexpected = others.filter((test) => !rows.some((row) => isAbout(row, test)));
  for (const { file, title, state, message } of unexpected) {
    console.error(`${target}: ${state}: ${file}: ${title}${message && `: ${message}`}`);
  }
  const ran = new Set(tests.map(({ file }) => file));
  const idle = rows.filter(
    (row) => ran.has(row.file) && !others.some((test) => isAbout(row, test)),
  );
  for (const { file, title } of idle) {
    console.error(`${target}: ${PAGE} lists ${file}: ${title || 'all'}, which passed`);
  }
  const count = (list, state) => list.filter((test) => test.state === state).length;
  console.log(
    `${target}: ${count(tests, 'passed')} tests passed, ${count(others, 'failed')} failed and ` +
      `${count(others, 'skipped')} were skipped; ${unexpected.length} of these are not in ${PAGE}`,
  );
  return unexpected.length === 0 && idle.length === 0;
}
