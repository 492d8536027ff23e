/**
 * The connection to the server. It returns to its session whenever that is possible, and stops when trying
 * again is useless: if the token is wrong, or if the session continues in another tab.
 */

/** Codes with which the server closes a connection. */
const IDLE = 4000;
const REPLACED = 4001;

const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 8000;
/** After a connection that lasted this long, the pauses between attempts are short again. */
const STEADY_MS = 5000;
/** The longest time to wait for the reason of a refusal. */
const ASK_MS = 5000;

export class Client {
  /**
   * @param options `channels` of a new session; `onState(state, text)`, `onWelcome(message, isNew)`,
   *   `onMessage(message)`, `onAnswer(buffer)`; `isWanted()`, which returns whether a connection is useful now.
   */
  constructor(options) {
    this.options = options;
    this.socket = undefined;
    this.token = read('token');
    this.session = read('session');
    this.isLive = false;
    /** Ends the present wait, if it is for the given event. */
    this.wake = () => undefined;
  }

  /** Uses this token from now on. The tab remembers it until it is closed. */
  setToken(token) {
    this.token = token;
    write('token', token);
    this.wake('token');
    this.socket?.close();
  }

  /** Tries again at once. */
  retry() {
    this.wake('retry');
  }

  /** Continues with a new session. */
  restart() {
    this.#forgetSession();
    this.wake('restart');
  }

  send(data) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(data);
  }

  async run() {
    let pause = FIRST_PAUSE;
    for (;;) {
      if (this.token === undefined) {
        this.#showState('stopped', 'The server asks for its token.');
        await this.#waitFor('token');
      }
      const token = this.token;
      this.#showState('waiting', 'connecting');
      const ended = await this.#connect();
      if (ended.liveMs > STEADY_MS) pause = FIRST_PAUSE;
      // The user has entered another token meanwhile.
      if (token !== this.token) continue;
      if (ended.code === REPLACED) {
        this.#showState('stopped', 'This session goes on in another tab or window.', 'restart');
        await this.#waitFor('restart', 'token');
        continue;
      }
      if (ended.code === IDLE && !this.options.isWanted()) {
        this.#showState('waiting', 'paused');
        await this.#waitFor('retry', 'token');
        continue;
      }
      const reason = ended.liveMs > 0 ? ended.reason : await this.#whyRefused();
      if (reason === undefined) continue;
      // At random, so that many clients do not return to a server at the same moment.
      const seconds = (pause * (0.75 + Math.random() / 2)) / 1000;
      this.#showState(
        'lost',
        `${reason}; ${this.session === undefined ? '' : 'the session is kept, '}` +
          `trying again in ${seconds < 1 ? 'a moment' : `${Math.round(seconds)} s`}`,
        'retry',
      );
      await Promise.race([this.#waitFor('retry', 'token'), sleep(seconds * 1000)]);
      pause = Math.min(LONGEST_PAUSE, pause * 2);
    }
  }

  /** Opens a connection. Resolves when it has ended. */
  #connect() {
    return new Promise((resolve) => {
      const { channels, onMessage, onAnswer } = this.options;
      const url = new URL('stream', location.href);
      url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
      url.hash = '';
      url.search = new URLSearchParams({
        token: this.token,
        ...(this.session === undefined ? { channels } : { session: this.session }),
      });
      const socket = new WebSocket(url);
      socket.binaryType = 'arraybuffer';
      this.socket = socket;
      let liveSince;
      socket.addEventListener('message', ({ data }) => {
        if (typeof data !== 'string') {
          onAnswer(data);
          return;
        }
        const message = JSON.parse(data);
        if (message.type === 'welcome') {
          liveSince = performance.now();
          this.#welcome(message);
        } else {
          onMessage(message);
        }
      });
      socket.addEventListener('close', ({ code, reason }) => {
        this.isLive = false;
        this.socket = undefined;
        const liveMs = liveSince === undefined ? 0 : Math.max(1, performance.now() - liveSince);
        const what = reason === '' ? 'lost' : `closed (${reason})`;
        resolve({ code, liveMs, reason: `The connection was ${what}` });
      });
    });
  }

  #welcome(message) {
    const isNew = message.session !== this.session;
    this.session = message.session;
    write('session', message.session);
    this.isLive = true;
    this.#showState('live', 'live');
    this.options.onWelcome(message, isNew);
  }

  /**
   * Asks by HTTP, because browsers do not tell a page why a handshake was refused. Resolves with the reason, or
   * with undefined if the next attempt can be made at once.
   */
  async #whyRefused() {
    const query = this.session === undefined ? '' : `?session=${this.session}`;
    let status;
    try {
      const answer = await fetch(`stream${query}`, {
        headers: { authorization: `Bearer ${this.token}` },
        cache: 'no-store',
        signal: AbortSignal.timeout(ASK_MS),
      });
      ({ status } = answer);
    } catch {
      return 'The server cannot be reached';
    }
    if (status === 401) {
      this.token = undefined;
      remove('token');
      this.#showState('stopped', 'The token is wrong.');
      await this.#waitFor('token');
      return undefined;
    }
    if (this.session !== undefined && (status === 400 || status === 410)) {
      // The server does not have this session any more.
      this.#forgetSession();
      return undefined;
    }
    if (status === 403) return 'The server does not answer to this address';
    return 'The server has no room, or is shutting down';
  }

  #forgetSession() {
    this.session = undefined;
    remove('session');
  }

  #showState(state, text, action) {
    this.options.onState(state, text, action);
  }

  #waitFor(...events) {
    return new Promise((resolve) => {
      this.wake = (event) => {
        if (events.includes(event)) resolve();
      };
    });
  }
}

function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

const PREFIX = 'expsyn-';

/** What the tab remembers when the page is loaded again. Browsers may forbid it. */
function read(key) {
  try {
    return sessionStorage.getItem(PREFIX + key) ?? undefined;
  } catch {
    return undefined;
  }
}

function write(key, value) {
  try {
    sessionStorage.setItem(PREFIX + key, value);
  } catch {
    // The client remembers it until the page is closed.
  }
}

function remove(key) {
  try {
    sessionStorage.removeItem(PREFIX + key);
  } catch {
    // Nothing was remembered.
  }
}
