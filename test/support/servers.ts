/** Example servers for tests, and connections to them that need not behave. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import { WebSocket } from 'ws';

import { createServer, type Server } from '../../examples/server/server';
import { DEFAULTS, type Settings } from '../../examples/server/settings';

export const TOKEN = 'token-of-the-tests';

/** The servers that run, each with its own folder if it has one. */
const running = new Map<Server, string | undefined>();

/** Starts a server, by default with a folder of its own. */
export async function startServer(
  settings: Partial<Settings> = {},
): Promise<{ server: Server; port: number }> {
  const own =
    settings.folder === undefined ? mkdtempSync(join(tmpdir(), 'expsyn-server-')) : undefined;
  const server = await createServer({
    ...DEFAULTS,
    ...{ token: TOKEN, folder: own ?? '', port: 0, logLevel: 'silent', drainSeconds: 1 },
    ...settings,
  });
  await server.app.listen({ host: settings.host ?? '127.0.0.1', port: 0 });
  running.set(server, own);
  return { server, port: (server.app.server.address() as AddressInfo).port };
}

/** Shuts a server down, and removes its own folder. Rejects as its shutDown() does. */
export async function endServer(server: Server): Promise<void> {
  const folder = running.get(server);
  running.delete(server);
  try {
    await server.shutDown();
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
}

export async function stopServers(): Promise<void> {
  await Promise.all([...running.keys()].map(endServer));
}

/** Waits until a condition holds. */
export async function eventually(holds: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    if (await holds()) return;
    await wait(10);
  }
  assert.fail('the condition does not come to hold');
}

/** One of the server's numbers, read without a connection. */
export async function metricOf(server: Server, name: string): Promise<number> {
  const { payload } = await server.app.inject({ url: '/metrics' });
  const found = new RegExp(`^expsyn_server_${name} (\\S+)$`, 'm').exec(payload);
  return Number(found?.[1]);
}

/** A WebSocket with a session, which has been welcomed. */
export async function openSocket(port: number, query = ''): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/stream?token=${TOKEN}${query}`);
  socket.on('error', () => undefined);
  const [data] = (await once(socket, 'message')) as [Buffer];
  assert.match(data.toString(), /"welcome"/);
  return socket;
}

/** A connection that has sent some text. */
export async function rawSocket(
  port: number,
  text: string,
  localAddress = '127.0.0.1',
): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  if (text !== '') socket.write(text);
  return socket;
}

/** Waits until a connection is closed by the other side. */
export async function closed(socket: Socket): Promise<void> {
  socket.resume();
  if (socket.closed) return;
  // With an error or without one.
  await new Promise((resolve) => socket.once('close', resolve));
}

/** Reads until what has come matches, and returns it. */
export async function untilText(socket: Socket, pattern: RegExp): Promise<string> {
  let text = '';
  const read = (data: Buffer) => (text += data.toString('latin1'));
  socket.on('data', read);
  for (let i = 0; i < 1000 && !pattern.test(text) && !socket.closed; i++) await wait(10);
  socket.off('data', read);
  socket.resume();
  assert.match(text, pattern);
  return text;
}

/** The head of a handshake, with headers that replace or add to the right ones. */
export function handshakeOf(
  path: string,
  headers: Record<string, string | undefined> = {},
): string {
  const all: Record<string, string | undefined> = {
    Host: '127.0.0.1',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}\r\n`],
  );
  return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}
