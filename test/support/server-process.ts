/** The example server in a process of its own, which tells its parent its port, and its memory when asked. */
import type { AddressInfo } from 'node:net';

import { createServer } from '../../examples/server/server';
import type { Settings } from '../../examples/server/settings';

async function main(): Promise<void> {
  const { app } = await createServer(JSON.parse(process.env['SETTINGS'] ?? '{}') as Settings);
  await app.listen({ host: '127.0.0.1', port: 0 });
  process.on('message', () => process.send?.(process.memoryUsage.rss()));
  process.send?.((app.server.address() as AddressInfo).port);
}

void main();
