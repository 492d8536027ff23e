import { readdirSync, readFileSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';

import type { FastifyInstance } from 'fastify';

import { pagePolicy } from './browser-rules';

const FOLDER = join(__dirname, '..', 'public');
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
} as const;

/** Every file of the page is read once, so that no request can name another file. */
const FILES = readdirSync(FOLDER, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && extname(entry.name) in TYPES)
  .map(({ parentPath, name }) => relative(FOLDER, join(parentPath, name)));

export function addPageRoutes(app: FastifyInstance): void {
  for (const file of FILES) {
    const content = readFileSync(join(FOLDER, file));
    const type = TYPES[extname(file) as keyof typeof TYPES];
    app.get(file === 'index.html' ? '/' : `/${file.replaceAll(sep, '/')}`, async (request, reply) =>
      reply
        .header('content-security-policy', pagePolicy(request.headers.host ?? ''))
        .type(type)
        .send(content),
    );
  }
}
