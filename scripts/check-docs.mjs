/**
 * Checks the documentation against the package:
 *
 * - every JavaScript and TypeScript snippet runs and prints what the page says;
 * - every command of the studies runs, in order, and prints what the page says;
 * - every file that a page shows is as shown;
 * - every link leads to a file and a heading that exist;
 * - every option that a page names exists in the command line's help;
 * - docs/api is what typedoc makes of the sources, and no public name lacks documentation.
 */
import { checkApiPages } from './docs/api-pages.mjs';
import { checkFiles } from './docs/files.mjs';
import { checkLinks } from './docs/links.mjs';
import { checkOptions } from './docs/options.mjs';
import { readPages } from './docs/pages.mjs';
import { checkSnippets } from './docs/snippets.mjs';
import { checkStudies } from './docs/study.mjs';

const pages = readPages();
checkFiles(pages);
checkLinks(pages);
checkOptions(pages);
checkApiPages();
checkSnippets(pages);
checkStudies(pages);
