/** The settings of the server, which environment variables set, and their defaults. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';

export interface Settings {
  host: string;
  port: number;
  /** The token that clients send; by default a new one for each start. */
  token: string;
  /** The folder in which sessions are saved. */
  folder: string;
  /** WebSockets in all, and of one address. */
  maxConnections: number;
  maxConnectionsPerAddress: number;
  /** Connections that are not WebSockets with a session. */
  maxHttpConnections: number;
  /** Sources of one connection. */
  maxSources: number;
  /** Channels of all sources of one connection together. */
  maxChannels: number;
  /** Bytes of a binary message with its header, and of the body of a POST. */
  maxFrameBytes: number;
  /** Bytes of the frames of one connection that wait, and of its answers that are unread. */
  maxQueuedBytes: number;
  /** Bytes of the frames, bodies and answers of all clients together. */
  maxTotalBytes: number;
  /** Time for the head of a request, from when the connection was opened or last answered. */
  headerSeconds: number;
  /** Time for a whole request. */
  bodySeconds: number;
  /** Time for a client to read an answer. */
  answerSeconds: number;
  /** A connection without a message for this time is closed; earlier if it does not answer pings. */
  idleSeconds: number;
  /** Time between two saves of an open session. */
  saveSeconds: number;
  /** How long a saved session is kept for its client. */
  keepSeconds: number;
  /** Saved sessions, and the bytes of their files. If there are more, the oldest are removed. */
  maxSavedSessions: number;
  maxSavedBytes: number;
  /** How long a shutdown waits for clients to read. */
  drainSeconds: number;
  /** Further hosts that requests may be for, and origins that may send them; lists separated by commas. */
  allowedHosts: string;
  allowedOrigins: string;
  engine: 'expsyn' | 'loop';
  logLevel: string;
}

export const DEFAULTS: Omit<Settings, 'token'> = {
  host: '127.0.0.1',
  port: 8080,
  folder: join('output', 'sessions'),
  maxConnections: 4096,
  maxConnectionsPerAddress: 2048,
  maxHttpConnections: 1024,
  maxSources: 1024,
  maxChannels: 65_536,
  maxFrameBytes: 1 << 20,
  maxQueuedBytes: 1 << 20,
  maxTotalBytes: 1 << 27,
  headerSeconds: 5,
  bodySeconds: 30,
  answerSeconds: 30,
  idleSeconds: 60,
  saveSeconds: 30,
  keepSeconds: 24 * 3600,
  maxSavedSessions: 65_536,
  maxSavedBytes: 1 << 30,
  drainSeconds: 5,
  allowedHosts: '',
  allowedOrigins: '',
  engine: 'expsyn',
  logLevel: 'info',
};

/** The range of each number. A timer takes at most 24 days. */
const RANGES: Partial<Record<keyof Settings, [least: number, most: number]>> = {
  port: [0, 65535],
  maxConnections: [1, 1e6],
  maxConnectionsPerAddress: [1, 1e6],
  maxHttpConnections: [1, 1e6],
  maxSources: [1, 65_536],
  maxChannels: [1, 2 ** 24],
  maxFrameBytes: [17, 2 ** 30],
  maxQueuedBytes: [1, 2 ** 40],
  maxTotalBytes: [1, 2 ** 50],
  headerSeconds: [0.01, 2e6],
  bodySeconds: [0.01, 2e6],
  answerSeconds: [0.01, 2e6],
  idleSeconds: [0.01, 2e6],
  saveSeconds: [0.01, 2e6],
  keepSeconds: [0, Number.MAX_SAFE_INTEGER],
  maxSavedSessions: [1, 1e9],
  maxSavedBytes: [1, 2 ** 50],
  drainSeconds: [0, 2e6],
};

const WORDS: Partial<Record<keyof Settings, readonly string[]>> = {
  engine: ['expsyn', 'loop'],
  logLevel: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
};

/** Reads variables such as EXPSYN_SERVER_PORT: EXPSYN_SERVER_ and the name of a setting in capitals. */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  const settings: Record<string, string | number> = {
    ...DEFAULTS,
    token: randomBytes(16).toString('hex'),
  };
  for (const key of Object.keys(settings) as (keyof Settings)[]) {
    const name = `EXPSYN_SERVER_${key.replace(/[A-Z]/g, '_$&').toUpperCase()}`;
    const given = environment[name];
    if (given !== undefined) settings[key] = readSetting(key, name, given);
  }
  return settings as unknown as Settings;
}

function readSetting(key: keyof Settings, name: string, given: string): string | number {
  const refuse = (what: string): never => {
    throw new RangeError(`Expected ${what} for ${name} but received '${given}'.`);
  };
  const range = RANGES[key];
  if (range === undefined) {
    const words = WORDS[key];
    if (given === '' && DEFAULTS[key as keyof typeof DEFAULTS] !== '') return refuse('some text');
    return words === undefined || words.includes(given) ? given : refuse(words.join(', '));
  }
  const [least, most] = range;
  const value = given.trim() === '' ? NaN : Number(given);
  const isWhole = key === 'port' || key.startsWith('max');
  const isAllowed = value >= least && value <= most && (!isWhole || Number.isInteger(value));
  return isAllowed ? value : refuse(`a${isWhole ? ' whole' : ''} number from ${least} to ${most}`);
}
