// @ts-check
/**
 * Serves the page's files as app://window/..., so that the page has an origin and a content security policy
 * of its own. A page from file:// could read any file.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const PAGE_SCHEME = 'app';
export const PAGE_HOST = 'window';
export const PAGE_ADDRESS = `${PAGE_SCHEME}://${PAGE_HOST}/index.html`;
export const SCHEME_PRIVILEGES = { standard: true, secure: true, supportFetchAPI: true };

const APP = fileURLToPath(new URL('..', import.meta.url));
/** The files that the page shares with the example server: beside the app in a clone, within it when packaged. */
const PACKAGED = join(APP, 'page');
const SHARED = existsSync(PACKAGED) ? PACKAGED : join(APP, '..', 'page');
const FOLDERS = [join(APP, 'window'), SHARED];

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
};

const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
};

/** Every file is read once, so that no request can name another file. */
const FILES = new Map(FOLDERS.flatMap((folder) => [...readFiles(folder, '')]));

/** Pairs of a name, such as /drawing/plot.js, and what is served. */
function* readFiles(folder, prefix) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    const name = `${prefix}/${entry.name}`;
    const type = TYPES[extname(entry.name)];
    if (entry.isDirectory()) yield* readFiles(path, name);
    else if (type !== undefined) yield [name, { content: readFileSync(path), type }];
  }
}

/**
 * @param {Request} request
 * @returns {Response}
 */
export function answerPageRequest(request) {
  const { host, pathname } = new URL(request.url);
  const file = host === PAGE_HOST && request.method === 'GET' ? FILES.get(pathname) : undefined;
  if (file === undefined) return new Response('Not found', { status: 404, headers: HEADERS });
  return new Response(file.content, { headers: { ...HEADERS, 'content-type': file.type } });
}
