/**
 * Which requests of browsers are answered. A page of another site cannot use the server through the
 * browser of somebody who may: neither by a request of its own (Origin), nor by a name of its own that
 * it points at this machine (Host).
 */
import type { IncomingMessage } from 'node:http';
import { isIPv4, isIPv6 } from 'node:net';

import type { Settings } from './settings';

/** What every answer carries. */
export const SECURITY_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const;

/** A name or an address, with a port or without. */
const HOST = /^[\w.:[\]-]+$/;

/** The policy of the page. Some browsers do not take 'self' for WebSockets, so they are named. */
export function pagePolicy(host: string): string {
  const sockets = HOST.test(host) ? ` ws://${host} wss://${host}` : '';
  return (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
    `connect-src 'self'${sockets}; ` +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
  );
}

export class Guard {
  readonly #isAnyHost: boolean;
  readonly #hosts: ReadonlySet<string>;
  readonly #origins: ReadonlySet<string>;

  constructor({ host, allowedHosts, allowedOrigins }: Settings) {
    // A server that listens at every address goes by the one that a client has reached.
    const own = ['0.0.0.0', '::'].includes(host) ? [] : [host];
    const names = ['localhost', '::1', ...own, ...listOf(allowedHosts)];
    this.#isAnyHost = names.includes('*');
    // With a port in the setting, that port alone; without, every one.
    this.#hosts = new Set(names.flatMap((name) => hostUrl('http:', literal(name))?.host ?? []));
    this.#origins = new Set(listOf(allowedOrigins));
  }

  /** Why a request is refused; undefined where it is not. */
  refuse(request: IncomingMessage): string | undefined {
    const { headers, rawHeaders } = request;
    const { host = '' } = headers;
    const nHosts = rawHeaders.filter((name, i) => i % 2 === 0 && /^host$/i.test(name)).length;
    if (nHosts > 1 || !this.#isHost(host, request.socket.localAddress)) {
      return 'Expected a Host that this server answers to; EXPSYN_SERVER_ALLOWED_HOSTS names others.';
    }
    if (!this.#isOrigin(request, host)) {
      return "Expected a request from this server's own page; EXPSYN_SERVER_ALLOWED_ORIGINS names others.";
    }
    return undefined;
  }

  /** Names of this machine, the addresses that it was reached at, and those of the settings. */
  #isHost(host: string, localAddress = ''): boolean {
    if (this.#isAnyHost) return true;
    const url = hostUrl('http:', host);
    if (url === undefined) return false;
    const { hostname } = url;
    if (isIPv4(hostname) && hostname.startsWith('127.')) return true;
    if (this.#hosts.has(hostname) || this.#hosts.has(url.host)) return true;
    const address = localAddress.replace(/^::ffff:(?=[\d.]+$)/i, '');
    return hostname === hostUrl('http:', literal(address))?.hostname;
  }

  #isOrigin({ method, headers }: IncomingMessage, host: string): boolean {
    const { origin } = headers;
    if (this.#origins.has('*')) return true;
    if (origin !== undefined) return this.#origins.has(origin) || isSameOrigin(origin, host);
    // Browsers leave the origin out of requests for pictures, scripts and the like, but say this.
    const site = headers['sec-fetch-site'] ?? 'none';
    if (site === 'none' || site === 'same-origin') return true;
    const isLink =
      headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
    return isLink && method === 'GET';
  }
}

/** Whether an origin is http or https of the host that a request is for. */
function isSameOrigin(origin: string, host: string): boolean {
  const [, protocol, from = ''] = /^(https?:)\/\/(.*)$/.exec(origin) ?? [];
  if (protocol === undefined) return false;
  const [given, own] = [hostUrl(protocol, from), hostUrl(protocol, host)];
  return given !== undefined && given.host === own?.host;
}

/** The address of a host; undefined where it is more or less than a name with or without a port. */
function hostUrl(protocol: string, host: string): URL | undefined {
  if (!HOST.test(host)) return undefined;
  try {
    return new URL(`${protocol}//${host}`);
  } catch {
    return undefined;
  }
}

/** An address as it stands in a URL. */
function literal(name: string): string {
  return isIPv6(name) ? `[${name}]` : name;
}

function listOf(text: string): string[] {
  return text
    .toLowerCase()
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}
