/**
 * The connection to the server. It comes back to its session whenever that is possible, and stops where
 * trying again is of no use: when the token is wrong, and when the session goes on in another tab.
 */

/** The codes with which the server closes. */
const IDLE = 4000;
const REPLACED = 4001;

const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 8000;
/** A connection that has lasted for so long was not refused: the pauses begin anew. */
const STEADY_MS = 5000;
const ASK_MS = 5000;

export class Client {
  /**
   * @param options `channels` of a new session; `onState(state, text)`, `onWelcome(message, isNew)`,
   *   `onMessage(message)`, `onAnswer(buffer)`; `isWanted()` whether a connection is of use now.
   */
  constructor(options) {
    this.options = options;
    this.socket = undefined;
    this.token = read('token');
    this.session = read('session');
    this.isLive = false;
    /** Resolves what is being waited for. */
    this.wake = () => undefined;
  }

  /** Shows this token from now on, which is kept until the tab is closed. */
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

  /** Goes on with a new session. */
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
        this.#tell('stopped', 'The server asks for its token.');
        await this.#waitFor('token');
      }
      const token = this.token;
      this.#tell('waiting', 'connecting');
      const ended = await this.#connect();
      if (ended.liveMs > STEADY_MS) pause = FIRST_PAUSE;
      // Another token was given meanwhile.
      if (token !== this.token) continue;
      if (ended.code === REPLACED) {
        this.#tell('stopped', 'This session goes on in another tab or window.', 'restart');
        await this.#waitFor('restart', 'token');
        continue;
      }
      if (ended.code === IDLE && !this.options.isWanted()) {
        this.#tell('waiting', 'paused');
        await this.#waitFor('retry', 'token');
        continue;
      }
      const reason = ended.liveMs > 0 ? ended.reason : await this.#whyRefused();
      if (reason === undefined) continue;
      // Not all at once, when many come back to a server.
      const seconds = (pause * (0.75 + Math.random() / 2)) / 1000;
      this.#tell(
        'lost',
        `${reason}; ${this.session === undefined ? '' : 'the session is kept, '}` +
          `trying again in ${seconds < 1 ? 'a moment' : `${Math.round(seconds)} s`}`,
        'retry',
      );
      await Promise.race([this.#waitFor('retry', 'token'), sleep(seconds * 1000)]);
      pause = Math.min(LONGEST_PAUSE, pause * 2);
    }
  }

  /** One connection; resolves when it is over. */
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
    this.#tell('live', 'live');
    this.options.onWelcome(message, isNew);
  }

  /**
   * Asks by HTTP, because browsers do not tell why a handshake was refused. Returns the reason;
   * undefined where the next try is another one.
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
      this.#tell('stopped', 'The token is wrong.');
      await this.#waitFor('token');
      return undefined;
    }
    if (this.session !== undefined && (status === 400 || status === 410)) {
      // The server knows this session no more, and says so.
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

  #tell(state, text, action) {
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

/** What the tab remembers, also when the page is loaded anew; nothing where that is forbidden. */
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
    // It is remembered until the page is left.
  }
}

function remove(key) {
  try {
    sessionStorage.removeItem(PREFIX + key);
  } catch {
    // Nothing was.
  }
}
