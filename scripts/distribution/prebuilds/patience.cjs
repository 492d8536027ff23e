/**
 * Loaded by mocha where tests run on a machine that is emulated, beside others: what they may take there is
 * a multiple of what their limits say, so that a limit tells a test that hangs and not a slow machine.
 */
const { Runnable } = require('mocha');

const FACTOR = 6;
const { timeout } = Runnable.prototype;

Runnable.prototype.timeout = function (...limit) {
  const [milliseconds] = limit;
  // Without an argument, it is asked for. The limit of a suite comes here as that of each of its tests.
  return timeout.apply(this, typeof milliseconds === 'number' ? [milliseconds * FACTOR] : limit);
};
