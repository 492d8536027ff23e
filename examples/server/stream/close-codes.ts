/** The codes with which connections end. The server's own reasons begin at 4000. */
export const CLOSE_CODES = {
  shutdown: 1001,
  /** The client has vanished; never sent. */
  vanished: 1006,
  badMessage: 1008,
  failure: 1011,
  idle: 4000,
  replaced: 4001,
} as const;
