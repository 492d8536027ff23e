/** Zarr arrays behind addresses. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { getEventListeners, once } from 'node:events';
import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describeZarr, openZarrSource } from '../../lib/formats/zarr/zarr';
import {
  BYTES,
  ZSTD,
  CRC32C,
  blosc,
  withZarrInPython,
  writeInPython,
  checkSource,
  refuses,
} from '../support/zarr-arrays';

describe('Zarr arrays behind addresses', () => {
  const work = withZarrInPython();

  describe('addresses', () => {
    let server: Server;
    let address: string;
    /** How the server answers: as it should, or not. */
    let manner: 'right' | 'no ranges' | number;

    before(async () => {
      server = createServer((request, response) => {
        const path = join(work.folder, (request.url ?? '').replace(/\?.*/, ''));
        readFile(path).then(
          (bytes) => {
            const isChunk = !path.endsWith('zarr.json');
            if (typeof manner === 'number' && isChunk) return response.writeHead(manner).end();
            const [, begin, end] =
              /bytes=([0-9]+)-([0-9]+)/.exec(request.headers.range ?? '') ?? [];
            const isPart = begin !== undefined && manner !== 'no ranges';
            const body = isPart ? bytes.subarray(Number(begin), Number(end) + 1) : bytes;
            response.writeHead(isPart ? 206 : 200, {
              'Content-Length': body.length,
              ETag: `"${createHash('sha256').update(bytes).digest('hex')}"`,
            });
            if (request.method === 'HEAD') return response.end();
            return response.end(body);
          },
          () => response.writeHead(404).end(),
        );
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    });

    after(() => {
      server.close();
      server.closeAllConnections();
    });

    beforeEach(() => {
      manner = 'right';
    });

    function addressOf(path: string): string {
      return `${address}/${path.slice(work.folder.length + 1)}`;
    }

    it('reads arrays of both formats', async () => {
      const options = { chunks: [2, 5, 3], codecs: [BYTES, blosc('lz4')] };
      const third = await writeInPython(3, [3, 11, 7], 'float32', options);
      await checkSource(addressOf(third.path), third.array, 'float32');
      const second = await writeInPython(2, [3, 11], 'int16', { chunks: [2, 5] });
      await checkSource(`${addressOf(second.path)}/?token=1`, second.array, 'int16');
      const { identity } = await openZarrSource(addressOf(third.path));
      assert.equal(identity.path, addressOf(third.path));
      assert.equal(identity.modified, '');
      assert.equal(identity.bytes, 3 * 11 * 7 * 4);
      assert.equal((await describeZarr(addressOf(second.path))).zarrFormat, 2);
    });

    it('listens to a signal only while an array is described', async () => {
      const { path } = await writeInPython(2, [3, 11], 'int16', { chunks: [2, 5] });
      const { signal } = new AbortController();
      const source = await openZarrSource(addressOf(path), { signal });
      assert.equal(getEventListeners(signal, 'abort').length, 1);
      await source.close();
      await describeZarr(addressOf(path), { signal });
      assert.deepEqual(getEventListeners(signal, 'abort'), []);
    });

    it('is told from itself by what the server says of chunks', async () => {
      const options = { chunks: [1, 5], codecs: [BYTES] };
      const { path } = await writeInPython(3, [7, 5], 'uint8', options);
      const before = (await openZarrSource(addressOf(path))).identity;
      assert.deepEqual((await openZarrSource(addressOf(path))).identity, before);
      await writeFile(join(path, 'c/3/0'), Uint8Array.of(9, 9, 9, 9, 9));
      const after = (await openZarrSource(addressOf(path))).identity;
      assert.notEqual(after.fingerprint, before.fingerprint);
      manner = 405;
      const silent = (await openZarrSource(addressOf(path))).identity;
      await rm(join(path, 'c/3/0'));
      assert.notDeepEqual((await openZarrSource(addressOf(path))).identity, silent);
    });

    it('reads shards from servers that know parts of files and from others', async () => {
      const configuration = {
        chunk_shape: [5, 4],
        codecs: [BYTES, ZSTD],
        index_codecs: [BYTES, CRC32C],
      };
      const options = { chunks: [10, 8], codecs: [{ name: 'sharding_indexed', configuration }] };
      const { path, array } = await writeInPython(3, [31, 17], 'float64', options);
      await checkSource(addressOf(path), array, 'float64');
      manner = 'no ranges';
      await checkSource(addressOf(path), array, 'float64');
    });

    it('says what is wrong', async () => {
      const options = { chunks: [50], codecs: [BYTES] };
      const { path } = await writeInPython(3, [100], 'float64', options);
      const location = addressOf(path);
      await truncate(join(path, 'c/1'), 399);
      await refuses(location, /^Could not read chunk \(1\) of http:.*399 bytes/);
      await refuses(`${address}/none.zarr`, /neither zarr\.json nor \.zarray/);
      await refuses('http://', /^Expected the address of a Zarr array/);
      await refuses(
        'http://a:b@127.0.0.1:1/',
        /^Expected an address without a name and a password/,
      );
    });
  });
});
