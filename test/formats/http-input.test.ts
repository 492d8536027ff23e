/** Zarr arrays behind addresses whose servers are in trouble, slow, or not what they seem. */
import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

import type { Provenance } from '../../lib/runs/provenance';
import { RequestFailure, statusFailure } from '../../lib/formats/http/failure';
import type { AddressOptions } from '../../lib/formats/http/reader';
import { writeNpyFile } from '../../lib/formats/npy/npy';
import { openZarrSource } from '../../lib/formats/zarr/zarr';
import { isCommandError } from '../support/command-errors';
import { Command, expsyn, succeed } from '../support/command-line';
import { emptyFolders, unfinishedFile } from '../support/folders';
import { answer, arrayFiles, shardFiles, ZarrServer, type Manner } from '../support/http-server';
import { spikes } from '../support/oracle';

const SHAPE = [4000, 4] as const;
const [STEPS, CHANNELS] = SHAPE;
const STEPS_PER_CHUNK = 1000;
const WHOLE = {
  batches: { begin: 0, end: 1 },
  steps: { begin: 0, end: STEPS },
  channels: { begin: 0, end: CHANNELS },
};
const QUICK = { timeout: 300, tries: 3, firstPause: 5 };

describe('an input behind an address', function () {
  this.timeout(60_000);
  const work = emptyFolders();
  const server = new ZarrServer();
  const data = spikes(STEPS * CHANNELS, 0.1, 5);

  before(async () => server.start());

  after(() => {
    server.stop();
  });

  beforeEach(() => {
    server.reset();
    for (const [key, bytes] of arrayFiles(data, SHAPE, STEPS_PER_CHUNK))
      server.files.set(key, bytes);
  });

  /** All values, and what was said meanwhile. */
  async function readAll(
    options: AddressOptions = QUICK,
    address = server.address,
  ): Promise<{ values: number[]; said: string[] }> {
    const said: string[] = [];
    const source = await openZarrSource(address, { onWait: (text) => said.push(text), ...options });
    try {
      const values = Array.from<number | bigint, number>(await source.read(WHOLE), Number);
      return { values, said };
    } finally {
      await source.close();
    }
  }

  async function refuses(
    pattern: RegExp,
    options: AddressOptions = QUICK,
    address?: string,
  ): Promise<void> {
    await assert.rejects(readAll(options, address), isCommandError(pattern));
  }

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

  describe('with shards', () => {
    beforeEach(() => {
      server.reset();
      for (const [key, bytes] of shardFiles(data, SHAPE, 1000)) server.files.set(key, bytes);
    });

    const isSuffix = (range: string | undefined): boolean => range?.startsWith('bytes=-') ?? false;

    /** Servers that know less than others. */
    const SERVERS: [name: string, manner: Manner][] = [
      ['all', () => false],
      [
        'no parts of files',
        (request, response, { bytes }) => {
          delete request.headers.range;
          answer(request, response, bytes);
          return true;
        },
      ],
      [
        'no parts of files, and compress them',
        (request, response, { bytes }) => {
          delete request.headers.range;
          answer(request, response, bytes && gzipSync(bytes), { 'Content-Encoding': 'gzip' });
          return true;
        },
      ],
      ...[400, 416, 501].map((status): [string, Manner] => [
        `no ranges that count from the end: ${status}`,
        (request, response) => {
          if (!isSuffix(request.headers.range)) return false;
          response.writeHead(status).end();
          return true;
        },
      ]),
      ...[403, 405, 500, 501].map((status): [string, Manner] => [
        `neither those nor HEAD: ${status}`,
        (request, response) => {
          if (!isSuffix(request.headers.range) && request.method !== 'HEAD') return false;
          response.writeHead(isSuffix(request.headers.range) ? 416 : status).end();
          return true;
        },
      ]),
    ];
    for (const [name, manner] of SERVERS) {
      it(`reads from a server that knows ${name}`, async () => {
        server.manner = manner;
        assert.deepEqual((await readAll()).values, Array.from(data));
      });
    }

    it('refuses other parts than were asked for', async () => {
      const part =
        (head: Record<string, string>, body: (bytes: Buffer) => Buffer): Manner =>
        (request, response, { key, bytes }) => {
          if (key === 'zarr.json' || request.method === 'HEAD') return false;
          response.writeHead(206, head).end(body(bytes ?? Buffer.alloc(0)));
          return true;
        };
      server.manner = part({ 'Content-Range': 'bytes 0-63/16064' }, (bytes) =>
        bytes.subarray(0, 64),
      );
      await refuses(
        /^Could not read c\/0\/0 .*: the server sends another part of it than was asked/,
      );
      server.manner = part({ 'Content-Range': 'bytes 16000-16063/16064' }, (bytes) => bytes);
      await refuses(/: the server sends more of it than was asked for; check/);
      server.manner = part({ 'Content-Range': 'bytes 16000-16063/16064' }, (bytes) =>
        bytes.subarray(16_000, 16_010),
      );
      await refuses(/: only 10 of 64 bytes came \(try 3 of 3\); try again later/);
      server.manner = part({ 'Content-Encoding': 'gzip' }, (bytes) =>
        gzipSync(bytes.subarray(-64)),
      );
      await refuses(/: the server sends parts of it compressed by 'gzip'; check/);
    });

    it('refuses shards that are not complete', async () => {
      const shard = server.files.get('c/0/0') ?? Buffer.alloc(0);
      const isIncomplete = /^Could not read chunk \(0, 0\) of .*: its file is not complete/;
      for (const bytes of [Buffer.alloc(0), shard.subarray(0, 30)]) {
        server.files.set('c/0/0', bytes);
        for (const [, manner] of SERVERS) {
          server.manner = manner;
          await refuses(isIncomplete);
        }
      }
    });

    it('reads no more of a file than is wanted where the server sends all', async () => {
      // Without an end.
      server.manner = (request, response, { key, bytes }) => {
        const range = request.headers.range ?? '';
        if (key !== 'c/0/0' || request.method === 'HEAD' || isSuffix(range)) return false;
        response.writeHead(200).write(bytes);
        const send = (): void => {
          if (!response.destroyed) response.write(Buffer.alloc(2 ** 16), send);
        };
        send();
        return true;
      };
      assert.deepEqual((await readAll()).values, Array.from(data));
    });
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

  describe('of a run', () => {
    const FLAGS = ['--steps', '500', '--no-plot', '--window-taus', 'Infinity'];

    async function writeExpected(): Promise<Buffer> {
      await writeNpyFile('raster.npy', { data, shape: SHAPE });
      await succeed('raster.npy', ...FLAGS, '--out', 'expected.npy');
      return readFile('expected.npy');
    }

    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const) {
      it(`ends at once on ${signal} while it stalls, and goes on later`, async () => {
        const expected = await writeExpected();
        const stalled = new Promise<void>((resolve) => {
          server.manner = (request, _, { key }) => {
            const isStalling = key === 'c/3/0' && request.method === 'GET';
            if (isStalling) resolve();
            return isStalling;
          };
        });
        const args = ['run', server.address, ...FLAGS, '--out', 'isyn.npy'];
        const command = new Command(args, { cwd: work.path });
        await stalled;
        // Until what can be computed is on the disk.
        await sleep(100);
        command.child.kill(signal);
        assert.deepEqual(await command.ended, { code, signal: null }, command.err);
        assert.match(
          command.err,
          /^Interrupted when \d+ % of isyn\.npy were done; .*--resume goes on/m,
        );
        assert.ok(unfinishedFile('isyn.npy', 'data.npy') !== undefined);
        server.recover();
        await succeed('--out', 'isyn.npy', '--resume', '--no-plot');
        assert.ok((await readFile('isyn.npy')).equals(expected));
        assert.ok(!existsSync('.isyn.npy.part'));
      });

      it(`ends at once on ${signal} while it has not begun`, async () => {
        for (const wanted of ['zarr.json', 'c/3/0']) {
          server.recover();
          server.manner = (_, __, { key }) => key === wanted;
          const args = ['run', server.address, ...FLAGS, '--out', 'isyn.npy'];
          const command = new Command(args, { cwd: work.path });
          while (!server.counts.has(wanted)) await sleep(5);
          command.child.kill(signal);
          assert.deepEqual(await command.ended, { code, signal: null });
          assert.equal(command.err, 'The run was interrupted.\n');
          assert.ok(!existsSync('.isyn.npy.part'));
        }
      });
    }

    it('keeps what is done when the server fails for good, and goes on later', async () => {
      const expected = await writeExpected();
      server.manner = (request, response, { key }) => {
        if (key !== 'c/3/0' || request.method === 'HEAD') return false;
        response.writeHead(503).end();
        return true;
      };
      const args = [server.address, ...FLAGS, '--out', 'isyn.npy', '--http-tries', '2'];
      const { code, err } = await expsyn(...args);
      assert.equal(code, 1);
      const lines = err.trimEnd().split('\n');
      assert.match(lines[0] ?? '', /^Waiting for c\/3\/0 of .*: .* status 503; try 2 of 2 in/);
      assert.match(
        lines[1] ?? '',
        /^Could not read c\/3\/0 .* \(try 2 of 2\); .* --resume goes on/,
      );
      assert.equal(lines.length, 2);
      server.recover();
      await succeed('--out', 'isyn.npy', '--resume', '--no-plot');
      assert.ok((await readFile('isyn.npy')).equals(expected));
    });

    it('takes 403 for a missing chunk only when it is told so, and remembers that', async () => {
      data.fill(0, 2 * STEPS_PER_CHUNK * CHANNELS, 3 * STEPS_PER_CHUNK * CHANNELS);
      for (const [key, bytes] of arrayFiles(data, SHAPE, STEPS_PER_CHUNK))
        server.files.set(key, bytes);
      const expected = await writeExpected();
      server.files.delete('c/2/0');
      // As S3 answers those who may not list a bucket.
      server.manner = (_, response, { bytes }) => {
        if (bytes === undefined) response.writeHead(403).end('<Error>AccessDenied</Error>');
        return bytes === undefined;
      };
      const args = [server.address, ...FLAGS, '--out', 'isyn.npy'];
      const refused = await expsyn(...args);
      assert.equal(refused.code, 1);
      assert.match(
        refused.err,
        /^Could not read c\/2\/0 of .* status 403; S3 answers so .* --forbidden-is-missing [^\n]*\.\n$/,
      );
      await succeed(...args, '--restart', '--forbidden-is-missing');
      assert.ok((await readFile('isyn.npy')).equals(expected));
      const { job } = JSON.parse(await readFile('isyn.npy.json', 'utf8')) as Provenance;
      assert.equal(job.input.isForbiddenMissing, true);
      await succeed('--like', 'isyn.npy', '--no-plot', '--out', 'like.npy');
      await succeed(server.address, '--like', 'isyn.npy', '--no-plot', '--out', 'like.npy');
      assert.ok((await readFile('like.npy')).equals(expected));
      const other = await expsyn(...args, '--resume');
      assert.equal(other.code, 1);
      // It means nothing of a file.
      await succeed('raster.npy', '--like', 'isyn.npy', '--no-plot', '--out', 'other.npy');
      const local = await expsyn('raster.npy', '--forbidden-is-missing');
      assert.match(local.err, /^Expected an http\(s\) address with --forbidden-is-missing but/);
      const { out } = await expsyn('info', server.address, '--forbidden-is-missing');
      assert.match(out, /4,?000/);
      server.files.delete('zarr.json');
      const none = await expsyn('info', server.address, '--forbidden-is-missing');
      assert.match(
        none.err,
        /neither zarr\.json nor \.zarray, or the server forbids to read them;/,
      );
    });

    it('refuses limits that cannot be', async () => {
      for (const [flag, value] of [
        ['--http-timeout', '0'],
        ['--http-timeout', '301'],
        ['--http-timeout', 'soon'],
        ['--http-tries', '0'],
        ['--http-tries', '1.5'],
      ] as const) {
        const { code, err } = await expsyn(server.address, flag, value);
        assert.equal(code, 2);
        assert.match(err, new RegExp(`^Expected .* for ${flag} but received '${value}'\\.\n$`));
      }
    });
  });
});
