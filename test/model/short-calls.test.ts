/** Short calls beside long ones. */
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { setImmediate as turn } from 'node:timers/promises';

import { ExpSyn } from '../../lib/index';
import { assertSameBits } from '../support/bits';
import { pendingLong, settled, SHORT } from '../support/long-calls';

describe('a short call', () => {
  it('does not wait for long ones that run or are queued', async () => {
    const long = pendingLong(5);
    await turn();
    const module = new ExpSyn(16);
    const expected = new ExpSyn(16).evolveSync(SHORT).output.data;
    let nShort = 0;
    const short = (async () => {
      // One after the other; without priority each would wait for a long one.
      for (; nShort < 3; nShort++) {
        module.resetState();
        assertSameBits((await module.evolve(SHORT)).output.data, expected);
      }
    })();
    const order = await settled({ short, ...long });
    const place = order.findIndex(([name]) => name === 'short');
    // Two processors work on the long calls, and the second long call has not started.
    assert.ok(place <= 1, `short calls came back after ${place} long ones`);
    assert.equal(nShort, 3);
  }).timeout(20000);

  it('may be one step of thousands of sessions', async () => {
    const module = new ExpSyn(64);
    const sessions = Array.from({ length: 4000 }, () => module.session());
    const long = pendingLong(availableParallelism());
    await turn();
    const input = { data: new Uint8Array(4000 * 64), shape: [4000, 1, 64] };
    const order = await settled({ ...long, gathered: module.evolveSessions(sessions, input) });
    assert.equal(order[0]?.[0], 'gathered');
  }).timeout(20000);
});
