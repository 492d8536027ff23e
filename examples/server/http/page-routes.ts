import { readdirSync, readFileSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';

import type { FastifyInstance } from 'fastify';

import { pagePolicy } from './browser-rules';

/** The page, and the files that it shares with the desktop application. */
const FOLDERS = [join(__dirname, '..', 'public'), join(__dirname, '..', '..', 'page')];
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
} as const;

/** Every file of the page is read once, so that no request can name another file. */
const FILES = FOLDERS.flatMap((folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && extname(entry.name) in TYPES)
    .map(({ parentPath, name }) => join(parentPath, name))
    .map((path) => ({ path, name: relative(folder, path).replaceAll(sep, '/') })),
);

export function addPageRoutes(app: FastifyInstance): void {
  for (const { path, name } of FILES) {
    const content = readFileSync(path);
    const type = TYPES[extname(name) as keyof typeof TYPES];
    app.get(name === 'index.html' ? '/' : `/${name}`, async (request, reply) =>
      reply
        .header('content-security-policy', pagePolicy(request.headers.host ?? ''))
        .type(type)
        .send(content),
    );
  }
}
