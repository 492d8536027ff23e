import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { FastifyInstance } from 'fastify';

import { pagePolicy } from './browser-rules';

const FOLDER = join(__dirname, '..', 'public');
const TYPES = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
} as const;

/** The files of the page, by the paths at which browsers ask for them. */
const FILES = {
  '/': 'index.html',
  '/page.css': 'page.css',
  '/page.js': 'page.js',
  '/client.js': 'client.js',
  '/history.js': 'history.js',
  '/pictures.js': 'pictures.js',
} as const;

export function addPageRoutes(app: FastifyInstance): void {
  for (const [path, file] of Object.entries(FILES)) {
    const content = readFileSync(join(FOLDER, file));
    const type = TYPES[file.split('.').at(-1) as keyof typeof TYPES];
    app.get(path, async (request, reply) =>
      reply
        .header('content-security-policy', pagePolicy(request.headers.host ?? ''))
        .type(type)
        .send(content),
    );
  }
}
