/** Runs what the bundlers have made, and checks the currents that it prints. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { CommandError, run } from '../cases.mjs';

const MOST_MILLISECONDS = 60_000;
const POLL_MILLISECONDS = 200;

/** The environment of a machine that has the program and nothing else. */
const environment = { PATH: '' };

/** The currents of examples/bundlers/currents.mjs, by the definition of the synapse. */
function expectedCurrents() {
  const decays = [0.01, 0.02].map((tau) => Math.exp(-0.001 / tau));
  const currents = [0, 0];
  return [
    [1, 0],
    [0, 2],
    [0, 0],
  ].flatMap((spikes) =>
    spikes.map((spike, n) => (currents[n] = (currents[n] + spike) * decays[n])),
  );
}

function requireCurrents(received, name) {
  const isRight =
    Array.isArray(received) &&
    received.length === expectedCurrents().length &&
    expectedCurrents().every((current, index) => Math.abs(current - received[index]) <= 1e-12);
  if (!isRight) throw new Error(`Expected currents (${name}) but received ${String(received)}.`);
}

/** Throws unless a program prints the right currents, by each kind of call. */
export async function checkProgram([command, ...commandArguments], cwd) {
  const output = await run(command, commandArguments, { cwd, env: environment });
  const currents = JSON.parse(output);
  for (const name of ['sync', 'async', 'stream', 'worker']) requireCurrents(currents[name], name);
}

/** Throws unless a program says that it cannot load the addon, in words that match. */
export async function checkRefusal([command, ...commandArguments], cwd, message) {
  let printed = 'nothing';
  try {
    await run(command, commandArguments, { cwd, env: environment });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (message.test(error.message) && error.message.includes("code: 'ERR_EXPSYN_ADDON'")) return;
    printed = error.message;
  }
  throw new Error(`Expected the program to end with ${message} but received ${printed}.`);
}

/** Throws unless a server answers a request with the right currents. */
export async function checkServer([command, ...commandArguments], cwd, path) {
  const port = await freePort();
  const address = `http://127.0.0.1:${port}${path}`;
  const server = spawn(command, commandArguments, {
    cwd,
    env: { ...environment, HOSTNAME: '127.0.0.1', PORT: String(port) },
  });
  let log = '';
  for (const stream of [server.stdout, server.stderr]) stream.on('data', (text) => (log += text));
  const ended = once(server, 'close');
  try {
    const response = await firstResponse(address, server);
    if (!response?.ok) throw new Error(`Expected ${address} to answer but it printed\n${log}`);
    requireCurrents(await response.json(), address);
  } finally {
    server.kill('SIGKILL');
    await ended;
  }
}

/** The first response of a server; undefined if it ends or takes too long. */
async function firstResponse(address, server) {
  const end = Date.now() + MOST_MILLISECONDS;
  while (server.exitCode === null && Date.now() < end) {
    try {
      return await fetch(address);
    } catch {
      await sleep(POLL_MILLISECONDS);
    }
  }
  return undefined;
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
