/** Zarr arrays behind addresses whose servers are in trouble, slow, or not what they seem. */
import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

import { RequestFailure, statusFailure } from '../../lib/formats/http/failure';
import { openZarrSource } from '../../lib/formats/zarr/zarr';
import { isCommandError } from '../support/command-errors';
import { emptyFolders } from '../support/folders';
import { answer, type Manner } from '../support/http-server';
import { QUICK, WHOLE, serveArray } from '../support/served-array';

describe('an input behind an address', function () {
  this.timeout(60_000);
  emptyFolders();
  const { server, data, readAll, refuses } = serveArray();

  /** Trouble that passes, and how it is told. */
  const TROUBLES: [name: string, fail: (response: ServerResponse) => void, told: RegExp][] = [
    ...[408, 425, 429, 500, 502, 503, 504, 520].map((status): (typeof TROUBLES)[number] => [
      `status ${status}`,
      (response) => response.writeHead(status).end('in trouble'),
      new RegExp(`the server answers with status ${status}`),
    ]),
    [
      'a reset',
      (response) => response.socket?.resetAndDestroy(),
      /the server closed the connection/,
    ],
    [
      'a connection that is closed',
      (response) => response.destroy(),
      /the server closed the connection/,
    ],
    [
      'half an answer',
      (response) => {
        response.writeHead(200, { 'Content-Length': 4000 });
        response.write(Buffer.alloc(100), () => response.destroy());
      },
      /the server closed the connection/,
    ],
    [
      'half an answer of chunks',
      (response) => {
        response.write(Buffer.alloc(100), () => response.destroy());
      },
      /the server closed the connection/,
    ],
    ['silence', () => undefined, /no answer came within 0\.3 s/],
    [
      'an answer that stops at its beginning',
      (response) => {
        response.writeHead(200, { 'Content-Length': 4000 }).flushHeaders();
      },
      /the answer stopped for 0\.3 s/,
    ],
    [
      'an answer that stops',
      (response) => {
        response.writeHead(200, { 'Content-Length': 4000 });
        response.write(Buffer.alloc(100));
      },
      /the answer stopped after 100 bytes for 0\.3 s/,
    ],
    [
      'an answer that drips',
      (response) => {
        response.writeHead(200, { 'Content-Length': 4000 });
        const timer = setInterval(() => response.write(Buffer.alloc(1)), 20);
        response.on('close', () => {
          clearInterval(timer);
        });
      },
      /the answer stopped after \d+ bytes for 0\.3 s/,
    ],
    [
      'corrupt compression',
      (response) => {
        response.writeHead(200, { 'Content-Encoding': 'gzip' }).end('not compressed at all');
      },
      /the compression of the answer is corrupt/,
    ],
  ];

  for (const [name, fail, told] of TROUBLES) {
    it(`reads on after ${name}, and gives up when it does not end`, async () => {
      const failing =
        (times: number): Manner =>
        (_, response, { key, attempt }) => {
          const isFailing = key === 'c/2/0' && attempt > 1 && attempt <= 1 + times;
          if (isFailing) fail(response);
          return isFailing;
        };
      // The first request is for the fingerprint.
      server.manner = failing(2);
      const { values, said } = await readAll();
      assert.deepEqual(values, Array.from(data));
      const lines = said.filter((line) => !line.includes('nothing has come'));
      assert.equal(lines.length, 2);
      lines.forEach((line, index) => {
        assert.match(line, told);
        assert.match(line, /^Waiting for c\/2\/0 of http:\/\/127\.0\.0\.1:\d+\/a\.zarr: /);
        assert.match(line, new RegExp(`; try ${index + 2} of 3 in [0-9.]+ s\\.$`));
      });
      server.counts.clear();
      server.manner = failing(Infinity);
      await refuses(
        new RegExp(`^Could not read c/2/0 of http://.*: ${told.source} \\(try 3 of 3\\); `),
      );
      assert.equal(server.counts.get('c/2/0'), 4);
    });
  }

  it('waits for the description and the fingerprint of the array too', async () => {
    server.manner = (_, response, { attempt }) => {
      if (attempt <= 2) response.writeHead(503).end();
      return attempt <= 2;
    };
    assert.deepEqual((await readAll()).values, Array.from(data));
  });

  it('reads on when the server is there again', async () => {
    const other = createServer((request, response) => {
      const key = (request.url ?? '').replace('/a.zarr/', '');
      answer(request, response, server.files.get(key));
    }).listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const address = `http://127.0.0.1:${port}/a.zarr`;
    const source = await openZarrSource(address, { ...QUICK, tries: 100, firstPause: 1 });
    other.close();
    other.closeAllConnections();
    await once(other, 'close');
    await refuses(/no server answers there \(try 3 of 3\); check the address/, QUICK, address);
    const reading = source.read(WHOLE);
    await sleep(20);
    other.listen(port, '127.0.0.1');
    await once(other, 'listening');
    assert.deepEqual(Array.from<number | bigint, number>(await reading, Number), Array.from(data));
    other.close();
    other.closeAllConnections();
  });

  it('does not ask again where that would not help', async () => {
    for (const [status, advice] of [
      [401, /status 401; give an address that needs no name and password/],
      [403, /status 403; S3 answers so .* --forbidden-is-missing/],
      [400, /status 400; check the address/],
      [410, /status 410; check the address/],
      [501, /status 501; check the address/],
      [204, /status 204; check the address/],
      [206, /status 206; check the address/],
    ] as const) {
      server.counts.clear();
      server.manner = (request, response, { key }) => {
        if (key === 'zarr.json' || request.method === 'HEAD') return false;
        response.writeHead(status).end();
        return true;
      };
      await refuses(advice);
      // Once for the fingerprint.
      assert.equal(server.counts.get('c/1/0'), 2);
    }
    await refuses(/there is no server of that name; check/, QUICK, 'http://none.invalid/a.zarr');
    await refuses(/it does not|certificate|TLS/, QUICK, server.address.replace('http:', 'https:'));
    const named = server.address.replace('//', '//name:secret@');
    await assert.rejects(readAll(QUICK, named), (error: Error) => {
      assert.match(error.message, /^Expected an address without a name and a password/);
      assert.ok(!error.message.includes('secret'));
      return true;
    });
  });

  it('shows no signatures', async () => {
    const address = `${server.address}?X-Signature=secret`;
    assert.deepEqual((await readAll(QUICK, address)).values, Array.from(data));
    server.manner = (_, response) => {
      response.writeHead(503).end();
      return true;
    };
    const said: string[] = [];
    const options = { ...QUICK, onWait: (text: string) => said.push(text) };
    await assert.rejects(readAll(options, address), (error: Error) => {
      assert.match(error.message, /a\.zarr\?\.\.\.: the server answers with status 503/);
      assert.ok(![error.message, ...said].some((text) => text.includes('secret')));
      return true;
    });
    assert.equal(said.length, 2);
  });

  it('leaves a server alone for as long as it asks, within limits', async () => {
    const failure = (headers: Record<string, string>): RequestFailure =>
      statusFailure(new Response(null, { status: 503, headers }));
    assert.equal(failure({ 'Retry-After': '7' }).retryAfter, 7000);
    // By its own clock, wherever that stands.
    const moments = { Date: 'Thu, 01 Jan 2026 00:00:00 GMT' };
    const later = 'Thu, 01 Jan 2026 00:00:09 GMT';
    assert.equal(failure({ ...moments, 'Retry-After': later }).retryAfter, 9000);
    const earlier = 'Wed, 31 Dec 2025 00:00:00 GMT';
    assert.equal(failure({ ...moments, 'Retry-After': earlier }).retryAfter, 0);
    assert.equal(failure({ 'Retry-After': 'soon' }).retryAfter, undefined);
    assert.equal(failure({}).retryAfter, undefined);
    server.manner = (_, response) => {
      response.writeHead(429, { 'Retry-After': '86400' }).end();
      return true;
    };
    const controller = new AbortController();
    const said: string[] = [];
    const onWait = (text: string): void => {
      said.push(text);
      controller.abort();
    };
    await refuses(/it was interrupted\.$/, { ...QUICK, signal: controller.signal, onWait });
    assert.match(said[0] ?? '', /status 429; try 2 of 3 in 60 s\.$/);
  });

  it('tells what it waits for before it gives up', async () => {
    server.manner = (_, __, { attempt }) => attempt === 1;
    const { said } = await readAll();
    assert.match(
      said[0] ?? '',
      /^Waiting for zarr\.json of http:.*: nothing has come for 0\.05 s\.$/,
    );
  });

  it('knows a web page that is sent instead', async () => {
    for (const page of ['<!DOCTYPE html><p>Sign in', '\ufeff \n<html lang="en">', '<HTML><p>']) {
      for (const wanted of ['zarr.json', 'c/3/0']) {
        server.manner = (_, response, { key }) => {
          if (key !== wanted) return false;
          response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(page);
          return true;
        };
        await refuses(
          new RegExp(`^Could not read ${wanted} of .*: the server sends a web page instead; check`),
        );
      }
    }
    // What a server of files calls so may be a chunk all the same.
    server.manner = (request, response, { bytes }) => {
      answer(request, response, bytes, { 'Content-Type': 'text/html' });
      return true;
    };
    assert.deepEqual((await readAll()).values, Array.from(data));
  });

  it('follows redirects, but not in a circle', async () => {
    server.manner = (request, response, { key, bytes }) => {
      if (key.startsWith('/moved/')) {
        answer(request, response, server.files.get(key.slice('/moved/'.length)));
        return true;
      }
      if (bytes === undefined) return false;
      response.writeHead(302, { Location: `/moved/${key}` }).end();
      return true;
    };
    assert.deepEqual((await readAll()).values, Array.from(data));
    server.manner = (_, response, { key }) => {
      response.writeHead(302, { Location: `/a.zarr/${key}` }).end();
      return true;
    };
    await refuses(/redirect.*; check the address/);
    server.manner = (_, response) => {
      response.writeHead(302, { Location: 'file:///etc/passwd' }).end();
      return true;
    };
    await refuses(/; check the address/);
  });

  it('reads what a server compresses on its way, if it can', async () => {
    const encoding =
      (name: string, encode: (bytes: Buffer) => Buffer): Manner =>
      (request, response, { bytes }) => {
        answer(request, response, bytes && encode(bytes), { 'Content-Encoding': name });
        return true;
      };
    server.manner = encoding('gzip', (bytes) => gzipSync(bytes));
    assert.deepEqual((await readAll()).values, Array.from(data));
    server.manner = encoding('aws-chunked', (bytes) => bytes);
    assert.deepEqual((await readAll()).values, Array.from(data));
    server.manner = encoding('zstd', (bytes) => bytes);
    await refuses(/the server compresses it by 'zstd', which was not asked for; check/);
    server.manner = (request, _, { key }) => {
      if (key === 'c/0/0') assert.equal(request.headers['accept-encoding'], 'identity');
      return false;
    };
    await readAll();
  });

  it('is known again by servers that do not answer HEAD', async () => {
    for (const status of [403, 405, 500, 501]) {
      server.manner = (request, response) => {
        if (request.method === 'HEAD') response.writeHead(status).end();
        return request.method === 'HEAD';
      };
      const options = { ...QUICK, tries: 1 };
      const { identity, identify } = await openZarrSource(server.address, options);
      assert.deepEqual(await identify(), identity);
      const chunk = server.files.get('c/1/0') ?? Buffer.alloc(0);
      server.files.set('c/1/0', Buffer.alloc(10));
      assert.notDeepEqual(await identify(), identity);
      server.files.set('c/1/0', chunk);
      assert.deepEqual(await identify(), identity);
      server.recover();
      assert.deepEqual(await identify(), identity, 'HEAD tells the same');
    }
  });

  it('refuses files that have no end', async () => {
    server.manner = (_, response, { key }) => {
      if (key !== 'zarr.json') return false;
      response.writeHead(200);
      const send = (): void => {
        if (!response.destroyed) response.write(Buffer.alloc(2 ** 20), send);
      };
      send();
      return true;
    };
    await refuses(/^Expected at most 67108864 bytes in zarr\.json of http.* but received more\.$/);
    server.manner = (_, response) => {
      response.writeHead(200, { 'Content-Length': 2 ** 40 }).flushHeaders();
      return true;
    };
    await refuses(/^Expected at most 67108864 bytes in zarr\.json/);
    server.manner = (request, response, { key }) => {
      if (key !== 'c/0/0' || request.method === 'HEAD') return false;
      response.writeHead(200, { 'Content-Length': 2 ** 40 }).flushHeaders();
      return true;
    };
    await refuses(/^Could not read chunk \(0, 0\) of .*: its file has 2 GiB or more/);
  });

  it('fails at once when it is interrupted', async () => {
    for (const stall of [
      (): boolean => true,
      (response: ServerResponse): boolean => {
        response.writeHead(200, { 'Content-Length': 4000 }).write(Buffer.alloc(2000));
        return true;
      },
      (response: ServerResponse): boolean => {
        response.writeHead(503, { 'Retry-After': '50' }).end();
        return true;
      },
    ]) {
      server.recover();
      const source = await openZarrSource(server.address, { timeout: 50_000 });
      server.manner = (_, response) => stall(response);
      const reading = source.read(WHOLE);
      await sleep(50);
      source.interrupt?.();
      await assert.rejects(
        reading,
        isCommandError(/^Could not read c\/\d\/0 of .*: it was interrupted/),
      );
      await assert.rejects(source.read(WHOLE), isCommandError(/it was interrupted/));
    }
  });

  it('leaves nothing at a signal when it is closed, or cannot be opened', async () => {
    const { signal } = new AbortController();
    const source = await openZarrSource(server.address, { ...QUICK, signal });
    assert.equal(getEventListeners(signal, 'abort').length, 1);
    await source.close();
    await assert.rejects(openZarrSource(`${server.origin}/none.zarr`, { ...QUICK, signal }));
    assert.equal(getEventListeners(signal, 'abort').length, 0);
  });
});
