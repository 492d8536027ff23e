/** Sharded Zarr arrays behind addresses, and runs that read from addresses. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { Provenance } from '../../lib/runs/provenance';
import { writeNpyFile } from '../../lib/formats/npy/npy';
import { Command, expsyn, succeed } from '../support/command-line';
import { emptyFolders, unfinishedFile } from '../support/folders';
import { answer, arrayFiles, shardFiles, type Manner } from '../support/http-server';
import { CHANNELS, SHAPE, STEPS_PER_CHUNK, serveArray } from '../support/served-array';

describe('an array behind an address', function () {
  this.timeout(60_000);
  const work = emptyFolders();
  const { server, data, readAll, refuses } = serveArray();

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
