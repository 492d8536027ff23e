/** What the documents of Zarr arrays say: fill values, members that are not known, and chunks that are not there. */
import assert from 'node:assert/strict';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import { decodeBytes } from '../../lib/formats/elements';
import { describeZarr, remarkOnZarr } from '../../lib/formats/zarr/zarr';
import { wholeNumberOf } from '../../lib/formats/zarr/fill';
import { bitsOfHalf, roundToHalf } from '../../lib/formats/zarr/half-floats';
import { sourceOf } from '../../lib/formats/zarr/json-source';
import { isCommandError } from '../support/command-errors';
import { expsyn } from '../support/command-line';
import {
  checkElements,
  editMembers,
  editText,
  readZarr,
  refuses,
  zarrPython,
} from '../support/zarr-python';

const BYTES = { name: 'bytes', configuration: { endian: 'little' } };
const GZIP = { name: 'gzip', configuration: { level: 5 } };
const CRC32C = { name: 'crc32c' };

describe('documents of Zarr arrays', () => {
  const python = zarrPython('zarr_v3.py');

  /** An array of format 3 without any chunk, and with a fill value as JSON has it. */
  async function withFill(dtype: string, fill: string): Promise<string> {
    const { path } = await python.write(3, [4], dtype, { chunks: [4], codecs: [BYTES] });
    await rm(join(path, 'c'), { recursive: true, force: true });
    await editText(path, (text) => text.replace(/"fill_value": [^,]+/, `"fill_value": ${fill}`));
    return path;
  }

  describe('fill values', () => {
    it('are exact, however many digits they have', async () => {
      for (const [dtype, fill, value] of [
        ['int64', '-9223372036854775808', -(2n ** 63n)],
        ['int64', '9223372036854775807', 2n ** 63n - 1n],
        ['int64', '9007199254740993', 2n ** 53n + 1n],
        ['uint64', '18446744073709551615', 2n ** 64n - 1n],
        ['uint64', '9007199254740993', 2n ** 53n + 1n],
        ['uint64', '1.8446744073709551615e19', 2n ** 64n - 1n],
        ['int64', '-90071992547409930e-1', -(2n ** 53n + 1n)],
        ['int64', '3.0', 3n],
        ['uint8', '2.55E2', 255],
        ['int8', '-128', -128],
        ['int32', '-0', 0],
        ['bool', '1', 1],
        ['bool', 'false', 0],
        ['float64', '9007199254740993', 2 ** 53],
        ['float32', '"0x7f7fffff"', 3.4028234663852886e38],
        ['float16', '0.1', 0.0999755859375],
        ['float16', '-65504', -65504],
        ['float16', '1e-8', 0],
        ['float16', '6e-8', 2 ** -24],
      ] as const) {
        const data = await readZarr(await withFill(dtype, fill));
        assert.deepEqual([...data], [value, value, value, value], `${dtype} ${fill}`);
      }
    });

    it('that the type does not hold are an error where a chunk is missing, with all digits', async () => {
      for (const [dtype, fill] of [
        ['int64', '9223372036854775808'],
        ['int64', '-9223372036854775809'],
        ['int64', '9007199254740993.5'],
        ['uint64', '18446744073709551616'],
        ['uint64', '-1'],
        ['uint64', '1e400'],
        ['uint8', '256'],
        ['int8', '-129'],
        ['bool', '2'],
        ['int32', '1e-3'],
        ['float64', '1e400'],
        ['float32', '1e39'],
        ['float16', '65520'],
      ] as const) {
        await assert.rejects(
          readZarr(await withFill(dtype, fill)),
          (error) => {
            assert.ok(error instanceof Error);
            const { message } = error;
            assert.ok(
              message.startsWith(`Expected a fill value of type ${dtype} in zarr.json of `),
            );
            const end = ` but received ${fill}, which is needed since a chunk is missing.`;
            assert.ok(message.endsWith(end), message);
            return true;
          },
          `${dtype} ${fill}`,
        );
      }
    });

    it('are not looked at where every chunk is there', async () => {
      const { path, array } = await python.write(2, [40, 3], 'int64', { chunks: [20, 3] });
      for (const fill of ['-9223372036854775808', '9223372036854775808', '1e30', '0.5', 'null']) {
        const edit = (text: string) => text.replace(/"fill_value": [^,]+/, `"fill_value": ${fill}`);
        await editText(path, edit, '.zarray');
        assert.ok((await readFile(join(path, '.zarray'), 'utf8')).includes(fill));
        await checkElements(path, array);
      }
      await rm(join(path, '1.0'));
      await editText(
        path,
        (text) => text.replace('"fill_value": null', '"fill_value": 0.5'),
        '.zarray',
      );
      await refuses(path, /^.*but received 0\.5, which is needed since a chunk is missing\.$/);
      await editText(path, (text) => text.replace('0.5', '-9223372036854775808'), '.zarray');
      const data = await readZarr(path);
      assert.ok([...data].slice(60).every((element) => element === -(2n ** 63n)));
      assert.deepEqual(data.slice(0, 60), array.data.slice(0, 60));
    });

    it('that are no value of the type at all are refused', async () => {
      for (const [dtype, fill] of [
        ['int64', '"NaN"'],
        ['float64', 'true'],
        ['float64', '"nan"'],
        ['float32', '"0x7f"'],
        ['uint8', '[1]'],
        ['bool', '"true"'],
        ['int8', '{"a": 1}'],
      ] as const) {
        await assert.rejects(
          describeZarr(await withFill(dtype, fill)),
          isCommandError(/^Expected a fill value of type /),
        );
      }
    });

    it('of chunks that are missing in shards are needed only there', async () => {
      const shard = {
        name: 'sharding_indexed',
        configuration: {
          chunk_shape: [5],
          codecs: [BYTES, GZIP],
          index_codecs: [BYTES, CRC32C],
        },
      };
      const { path } = await python.write(3, [40], 'float64', { chunks: [20], codecs: [shard] });
      await rm(join(path, 'c/1'));
      await editText(path, (text) => text.replace(/"fill_value": 0/, '"fill_value": 1e400'));
      await refuses(path, /received 1e400, which is needed since a chunk is missing/);
      await editText(path, (text) => text.replace('1e400', '2.5'));
      assert.ok([...(await readZarr(path))].slice(20).every((element) => element === 2.5));
    });
  });

  describe('sourceOf', () => {
    it('finds the text of a member', () => {
      for (const [text, source] of [
        ['{"a": 1, "fill_value": 12345678901234567890}', '12345678901234567890'],
        ['{"fill_value":-1.5e+300,"b":[{"fill_value":2}]}', '-1.5e+300'],
        ['{"b":{"fill_value":2},"fill_value"\n:\t3 }', '3'],
        ['{"fill_value": 1, "fill_value": 2}', '2'],
        ['{"fill_value": 1, "fill_value": [2]}', undefined],
        [String.raw`{"fill\u005fvalue": "a\"b,}"}`, String.raw`"a\"b,}"`],
        [String.raw`{"a\\": "fill_value", "c": "\"fill_value\": 3"}`, undefined],
        ['{"a": {"x": [1, {"fill_value": 4}]}, "fill_value": null}', 'null'],
        ['{"fill_value":true}', 'true'],
        ['{}', undefined],
      ] as const) {
        assert.equal(sourceOf(text, 'fill_value'), source, text);
        const value = (JSON.parse(text) as Record<string, unknown>)['fill_value'];
        if (source !== undefined) assert.deepEqual(JSON.parse(source), value);
      }
    });

    it('reads long documents', () => {
      const long = JSON.stringify({ a: 'x"\\'.repeat(1e6), b: Array(1e5).fill(1), fill_value: 7 });
      assert.equal(sourceOf(long, 'fill_value'), '7');
    });
  });

  it('wholeNumberOf reads every form of a whole number', () => {
    for (const [text, value] of [
      ['0', 0n],
      ['-0.000', 0n],
      ['0e99999999999', 0n],
      ['123', 123n],
      ['1.25e2', 125n],
      ['1.250e2', 125n],
      ['12500e-2', 125n],
      ['1.25e1', undefined],
      ['1e-1', undefined],
      ['1e99999999999', undefined],
      ['1e-99999999999', undefined],
      ['"7"', undefined],
      ['NaN', undefined],
    ] as const) {
      assert.equal(wholeNumberOf(text), value, text);
    }
  });

  it('half floats are rounded as NumPy rounds them', () => {
    const halves = new Uint16Array(2 ** 16).map((_, i) => i);
    const bytes = new Uint8Array(halves.slice().buffer);
    const values = decodeBytes(bytes, { code: 'f2', isBigEndian: false }) as Float32Array;
    for (const [bits, value] of values.entries()) {
      if (Number.isNaN(value)) assert.equal(bitsOfHalf(value), 0x7e00);
      else assert.equal(bitsOfHalf(value), bits);
      const next = values[bits + 1] ?? NaN;
      if (!(bits < 0x7bff)) continue;
      // Halfway to the next one, the even one is nearest.
      const middle = (value + next) / 2;
      assert.equal(roundToHalf(middle), bits % 2 === 0 ? value : next);
      assert.equal(roundToHalf(middle + (next - value) / 1024), next);
      assert.equal(roundToHalf(middle - (next - value) / 1024), value);
    }
  });

  describe('members that are not known', () => {
    const ignored = { must_understand: false, name: 'other' };
    const cases: [place: string, (document: Members, member: unknown) => void][] = [
      ['the array', (document, member) => (document['x'] = member)],
      [
        "'regular'",
        (document, member) => Object.assign(document['chunk_grid'] as Members, { x: member }),
      ],
      [
        'the grid of chunks',
        (document, member) => Object.assign(inside(document['chunk_grid']), { x: member }),
      ],
      [
        'the encoding of the names of the chunks',
        (document, member) => Object.assign(inside(document['chunk_key_encoding']), { x: member }),
      ],
      [
        'the type uint8',
        (document, member) => {
          document['data_type'] = { name: 'uint8', configuration: { x: member } };
        },
      ],
      [
        "'uint8'",
        (document, member) => {
          document['data_type'] = { name: 'uint8', x: member };
        },
      ],
      [
        "'bytes'",
        (document, member) => {
          document['codecs'] = [{ ...BYTES, x: member }, GZIP];
        },
      ],
      [
        'the codec bytes',
        (document, member) => {
          document['codecs'] = [{ name: 'bytes', configuration: { x: member } }, GZIP];
        },
      ],
      [
        'the codec gzip',
        (document, member) => {
          document['codecs'] = [BYTES, { name: 'gzip', configuration: { level: 1, x: member } }];
        },
      ],
    ];

    type Members = Record<string, unknown>;

    function inside(extension: unknown): Members {
      return (extension as { configuration: Members }).configuration;
    }

    it('are refused, unless they say that they may be ignored', async () => {
      const options = { chunks: [8, 2], codecs: [BYTES, GZIP] };
      const { path, array } = await python.write(3, [8, 2], 'uint8', options);
      const document = await readFile(join(path, 'zarr.json'), 'utf8');
      const change = async (edit: (document: Members) => void): Promise<void> => {
        const members = JSON.parse(document) as Members;
        edit(members);
        await writeFile(join(path, 'zarr.json'), JSON.stringify(members));
      };
      for (const [place, edit] of cases) {
        for (const member of [
          { must_understand: true, configuration: { add: 3 } },
          { must_understand: 'false' },
          { must_understand: 0 },
          { configuration: {} },
          {},
          false,
          null,
          'must_understand',
          [{ must_understand: false }],
        ]) {
          await change((members) => {
            edit(members, member);
          });
          await assert.rejects(
            readZarr(path),
            isCommandError(
              new RegExp(`^Expected only known members of ${place} in .*"x".*must_understand`),
            ),
          );
          await assert.rejects(describeZarr(path), /only known members/);
        }
        await change((members) => {
          edit(members, ignored);
        });
        await checkElements(path, array);
      }
    });

    it('are refused within shards too', async () => {
      const configuration = { chunk_shape: [4, 2], codecs: [BYTES], index_codecs: [BYTES, CRC32C] };
      const shard = { name: 'sharding_indexed', configuration };
      const options = { chunks: [8, 2], codecs: [shard] };
      const { path, array } = await python.write(3, [8, 2], 'uint8', options);
      const inner = (change: Members): Members => ({
        codecs: [{ name: 'sharding_indexed', configuration: { ...configuration, ...change } }],
      });
      const member = { must_understand: true };
      for (const change of [
        { x: member },
        { codecs: [{ ...BYTES, x: member }] },
        { codecs: [{ name: 'bytes', configuration: { x: member } }] },
        { codecs: [BYTES, { name: 'gzip', configuration: { x: member } }] },
        { index_codecs: [{ ...BYTES, x: member }, CRC32C] },
        { index_codecs: [BYTES, { name: 'crc32c', configuration: { x: member } }] },
      ]) {
        await editMembers(path, inner(change));
        await refuses(path, /^Expected only known members of .* "x"/);
      }
      await editMembers(path, inner({ x: ignored, codecs: [{ ...BYTES, y: ignored }] }));
      await checkElements(path, array);
    });

    it('are extensions that are refused, or left out where that is allowed', async () => {
      const options = { chunks: [8, 2], codecs: [BYTES] };
      const { path, array } = await python.write(3, [8, 2], 'uint8', options);
      const unknown = { name: 'other', configuration: { a: 1 } };
      const skipped = { ...unknown, must_understand: false };
      for (const [change, pattern] of [
        [{ codecs: [unknown, BYTES] }, /without 'other'/],
        [{ codecs: [{ ...unknown, must_understand: true }, BYTES] }, /without 'other'/],
        [{ storage_transformers: [unknown] }, /no storage transformers/],
        [{ storage_transformers: ['other'] }, /no storage transformers/],
        [{ storage_transformers: [skipped, unknown] }, /no storage transformers/],
        [{ storage_transformers: {} }, /a list of storage transformers/],
        [{ data_type: skipped }, /booleans, integers or floats/],
        [{ chunk_grid: skipped }, /a regular grid/],
        [{ chunk_key_encoding: skipped }, /'default' or 'v2'/],
        [{ codecs: [{ ...skipped, must_understand: 'no' }, BYTES] }, /a codec/],
      ] as const) {
        const document = await readFile(join(path, 'zarr.json'), 'utf8');
        await editMembers(path, change);
        await refuses(path, pattern);
        await writeFile(join(path, 'zarr.json'), document);
      }
      await editMembers(path, {
        codecs: [skipped, { ...BYTES, must_understand: true }, skipped],
        storage_transformers: [skipped],
        data_type: { name: 'uint8' },
        dimension_names: ['t', null],
      });
      await checkElements(path, array);
    });

    it('mean nothing in format 2', async () => {
      const options = { chunks: [8, 2], compressor: { id: 'blosc' } };
      const { path, array } = await python.write(2, [8, 2], 'uint8', options);
      await editMembers(path, { x: 1, compressor: { id: 'blosc', numThreads: 4 } }, '.zarray');
      await checkElements(path, array);
    });
  });

  describe('arrays without any chunk', () => {
    const remark = (fill: string) =>
      new RegExp(`^No chunk of .* was found: every value is ${fill}; if that is not meant, .*\\.$`);

    it('are told of on the standard error, by run, info and plot', async () => {
      const { path } = await python.write(2, [40, 3], 'uint8', { chunks: [20, 3], fill: 3 });
      const out = python.newPath('.npy');
      const commands = [
        ['run', path, '--out', out, '--no-plot', '--progress', 'none'],
        ['info', path],
        ['info', path, '--json'],
        ['plot', path, '--out', python.newPath('.svg')],
      ];
      for (const command of commands) {
        const { code, err } = await expsyn(...command);
        assert.equal(code, 0, err);
        assert.ok(!err.includes('No chunk'), err);
      }
      await rm(join(path, '0.0'), { force: true });
      await rm(join(path, '1.0'), { force: true });
      await rm(out);
      for (const command of commands) {
        const { code, err } = await expsyn(...command);
        assert.equal(code, 0, err);
        assert.match(err.split('\n')[0] ?? '', remark('the fill value 3'), command.join(' '));
      }
    });

    it('are those whose files have other names, too', async () => {
      const { path } = await python.write(2, [40, 3], 'uint8', { chunks: [20, 3] });
      assert.equal(await remarkOnZarr(path), undefined);
      await editMembers(path, { dimension_separator: '/', fill_value: null }, '.zarray');
      assert.match((await remarkOnZarr(path)) ?? '', remark('0, since it has no fill value'));
      await editMembers(path, { dimension_separator: '.' }, '.zarray');
      for (const name of ['2.0', '0.1', '00.0', '0.0.0', 'c.0.0', '0']) {
        await rename(join(path, '0.0'), join(path, name));
        await rename(join(path, '1.0'), join(path, 'gone')).catch(() => undefined);
        assert.notEqual(await remarkOnZarr(path), undefined, name);
        await rename(join(path, name), join(path, '0.0'));
      }
      assert.equal(await remarkOnZarr(path), undefined);
    });

    it('are not those without elements', async () => {
      const { path } = await python.write(3, [0, 3], 'uint8', { chunks: [20, 3], codecs: [BYTES] });
      assert.equal(await remarkOnZarr(path), undefined);
    });

    it('are told of behind addresses, as far as can be seen there', async () => {
      const { path } = await python.write(3, [100], 'float32', { chunks: [1], codecs: [BYTES] });
      const server = createServer((request, response) => {
        readFile(join(path, request.url ?? '')).then(
          (bytes) => response.end(bytes),
          () => response.writeHead(404).end(),
        );
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      try {
        assert.equal(await remarkOnZarr(address), undefined);
        await rm(join(path, 'c'), { recursive: true });
        await editMembers(path, { fill_value: 'NaN' });
        assert.match(
          (await remarkOnZarr(address)) ?? '',
          /^None of 64 chunks .*, of 100, was found: every value there is the fill value NaN; .*\.$/,
        );
      } finally {
        server.close();
        server.closeAllConnections();
      }
    });
  });
});
