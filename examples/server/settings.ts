/** What the server can be told by environment variables, with what it does otherwise. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';

export interface Settings {
  host: string;
  port: number;
  /** What clients show; made anew for each start when none is given. */
  token: string;
  /** Where sessions are saved. */
  folder: string;
  maxConnections: number;
  maxChannels: number;
  /** Of a binary message, header included, and of the body of a POST. */
  maxFrameBytes: number;
  /** Of the frames of one connection that wait, and of its answers that are not yet sent. */
  maxQueuedBytes: number;
  /** A connection without a frame for so long is closed; one that answers no ping sooner. */
  idleSeconds: number;
  /** How often the state of each open session is saved. */
  saveSeconds: number;
  /** How long a saved session waits for its client. */
  keepSeconds: number;
  /** How long a shutdown waits for clients to read. */
  drainSeconds: number;
  engine: 'expsyn' | 'loop';
  logLevel: string;
}

export const DEFAULTS: Omit<Settings, 'token'> = {
  host: '127.0.0.1',
  port: 8080,
  folder: join('output', 'sessions'),
  maxConnections: 4096,
  maxChannels: 4096,
  maxFrameBytes: 1 << 20,
  maxQueuedBytes: 1 << 20,
  idleSeconds: 60,
  saveSeconds: 30,
  keepSeconds: 24 * 3600,
  drainSeconds: 5,
  engine: 'expsyn',
  logLevel: 'info',
};

/** EXPSYN_SERVER_PORT=9000 and so on: the names above in capitals. */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  const settings: Record<string, string | number> = {
    ...DEFAULTS,
    token: randomBytes(16).toString('hex'),
  };
  for (const [key, value] of Object.entries(settings)) {
    const name = `EXPSYN_SERVER_${key.replace(/[A-Z]/g, '_$&').toUpperCase()}`;
    const given = environment[name];
    if (given === undefined) continue;
    const read = typeof value === 'number' ? Number(given) : given;
    if (given === '' || (typeof read === 'number' && !(read >= 0 && Number.isFinite(read)))) {
      throw new RangeError(`Expected a number of at least 0 for ${name} but received '${given}'.`);
    }
    settings[key] = read;
  }
  if (settings['engine'] !== 'expsyn' && settings['engine'] !== 'loop') {
    throw new RangeError(
      `Expected 'expsyn' or 'loop' for EXPSYN_SERVER_ENGINE but received '${settings['engine']}'.`,
    );
  }
  return settings as unknown as Settings;
}
