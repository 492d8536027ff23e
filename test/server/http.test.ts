/** The example server: runs by HTTP, its health, its metrics and its settings. */
import assert from 'node:assert/strict';

import { readSettings } from '../../examples/server/settings';
import { assertSameBits } from '../support/bits';
import { CHANNELS, expectedCurrents, raster } from '../support/server-client';
import { endServer, startServer, stopServers, TOKEN } from '../support/servers';

describe('the example server by HTTP', () => {
  afterEach(stopServers);

  it('computes a run by HTTP, and reports its health and metrics', async () => {
    const { port, server } = await startServer();
    const url = `http://127.0.0.1:${port}`;
    const data = new Uint8Array(raster(50, 9));
    const post = (body: Uint8Array<ArrayBuffer>, query = `channels=${CHANNELS}`) =>
      fetch(`${url}/evolve?${query}`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${TOKEN}`,
          'content-type': 'application/octet-stream',
        },
        body,
      });
    const answer = await post(data);
    assert.equal(answer.status, 200);
    assertSameBits(new Float32Array(await answer.arrayBuffer()), expectedCurrents([data]));
    for (const [body, query, status] of [
      [new Uint8Array(7), undefined, 400],
      [new Uint8Array(), undefined, 400],
      [data, 'channels=-1', 400],
      [new Uint8Array(2 << 20), undefined, 413],
    ] as const) {
      const bad = await post(body, query);
      assert.equal(bad.status, status);
      assert.match(((await bad.json()) as { error: string }).error, /./);
    }
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    for (const line of [
      /^expsyn_server_frames_total 1$/m,
      /^expsyn_server_samples_total 250$/m,
      /^expsyn_server_refusals_total 4$/m,
      /^expsyn_server_message_seconds_bucket/m,
      /^expsyn_pending_calls\{state="queued"\} 0$/m,
      /^expsyn_settled_calls\{outcome="done"\} \d+$/m,
      /^nodejs_eventloop_lag_p99_seconds/m,
    ]) {
      assert.match(metrics, line);
    }
    assert.match(await (await fetch(url)).text(), /<canvas id="raster"/);
    const ending = endServer(server);
    const { statusCode } = await server.app.inject({ url: '/healthz' }).catch(() => ({
      statusCode: 503,
    }));
    assert.equal(statusCode, 503);
    await ending;
  });

  it('reads its settings, and rejects wrong values', () => {
    const settings = readSettings({ EXPSYN_SERVER_PORT: '9000', EXPSYN_SERVER_IDLE_SECONDS: '5' });
    assert.equal(settings.port, 9000);
    assert.equal(settings.idleSeconds, 5);
    assert.match(settings.token, /^[0-9a-f]{32}$/);
    for (const environment of [
      { EXPSYN_SERVER_PORT: 'many' },
      { EXPSYN_SERVER_TOKEN: '' },
      { EXPSYN_SERVER_IDLE_SECONDS: '-1' },
      { EXPSYN_SERVER_ENGINE: 'steam' },
      { EXPSYN_SERVER_PORT: '99999' },
      { EXPSYN_SERVER_PORT: '' },
      { EXPSYN_SERVER_LOG_LEVEL: 'foo' },
      { EXPSYN_SERVER_MAX_FRAME_BYTES: '0' },
      { EXPSYN_SERVER_MAX_CHANNELS: '2.5' },
      { EXPSYN_SERVER_IDLE_SECONDS: '10000000' },
      { EXPSYN_SERVER_SAVE_SECONDS: '1e9' },
      { EXPSYN_SERVER_DRAIN_SECONDS: '1e9' },
    ]) {
      assert.throws(() => readSettings(environment), /^RangeError: Expected .* for EXPSYN_SERVER_/);
    }
  });
});
