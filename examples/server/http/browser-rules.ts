/**
 * Rules against requests that a browser sends for another site's page. Such a page could use the server with
 * the rights of the browser's user: by requests to this server (checked by Origin), or by a host name that
 * its owner points at this machine (checked by Host).
 */
import type { IncomingMessage } from 'node:http';
import { isIPv4, isIPv6 } from 'node:net';

import type { Settings } from '../settings';

/** Headers of every answer. */
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

/** A name or an address, with or without a port. */
const HOST = /^[\w.:[\]-]+$/;

/** The content security policy of the page. For WebSockets, some browsers do not accept 'self'. */
export function pagePolicy(host: string): string {
  const sockets = HOST.test(host) ? ` ws://${host} wss://${host}` : '';
  return (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
    `connect-src 'self'${sockets}; ` +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
  );
}

export class BrowserRules {
  readonly #isAnyHost: boolean;
  readonly #hosts: ReadonlySet<string>;
  readonly #origins: ReadonlySet<string>;

  constructor({ host, allowedHosts, allowedOrigins }: Settings) {
    // A server that listens at every address is known by the address that the client has reached.
    const own = ['0.0.0.0', '::'].includes(host) ? [] : [host];
    const names = ['localhost', '::1', ...own, ...listOf(allowedHosts)];
    this.#isAnyHost = names.includes('*');
    // A name with a port in the setting allows that port; a name without allows every port.
    this.#hosts = new Set(names.flatMap((name) => hostUrl('http:', literal(name))?.host ?? []));
    this.#origins = new Set(listOf(allowedOrigins));
  }

  /** Why a request is refused; undefined if it is allowed. */
  whyRefused(request: IncomingMessage): string | undefined {
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

  /** Whether a host is this machine, the address that was reached, or one of the settings. */
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
    // Requests for images, scripts and the like have no origin, but browsers send these headers.
    const site = headers['sec-fetch-site'] ?? 'none';
    if (site === 'none' || site === 'same-origin') return true;
    const isLink =
      headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
    return isLink && method === 'GET';
  }
}

/** Whether an origin is the host that a request is for, by http or https. */
function isSameOrigin(origin: string, host: string): boolean {
  const [, protocol, from = ''] = /^(https?:)\/\/(.*)$/.exec(origin) ?? [];
  if (protocol === undefined) return false;
  const [given, own] = [hostUrl(protocol, from), hostUrl(protocol, host)];
  return given !== undefined && given.host === own?.host;
}

/** The URL of a host; undefined if it is anything but a name with or without a port. */
function hostUrl(protocol: string, host: string): URL | undefined {
  if (!HOST.test(host)) return undefined;
  try {
    return new URL(`${protocol}//${host}`);
  } catch {
    return undefined;
  }
}

/** A name or an address as it is written in a URL. */
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
