/** Copies the program and the files that it needs, as hosts of serverless functions do. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';

import { nodeFileTrace } from '@vercel/nft';

const { fileList, warnings } = await nodeFileTrace(['main.mjs']);
for (const warning of warnings) console.warn(`warning: ${warning.message}`);
for (const file of fileList) cpSync(file, join('output/nft', file));
