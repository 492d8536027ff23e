"""Changes encoded chunks at random, and tells what numcodecs makes of each.

It serves the tests: each line of the standard input is a request in JSON, and each line of the standard
output says how it went. The chunks go into a file, each as one record: three whole numbers of 4 bytes (how
many bytes the right chunk has, how many follow, and the verdict) and 20 bytes of SHA-1 of what numcodecs
decodes, then the encoded bytes. The verdict is 0 for a chunk that is refused, and 1 for one that is decoded.
"""

import hashlib
import json
import random
import struct
import sys

import numcodecs
import numpy as np
from numcodecs import blosc

# Beyond what a corrupt header lets a decoder read.
PADDING = bytes(2**16)


def make_content(source, n, item_bytes):
    kind = source.randrange(4)
    numbers = np.random.default_rng(source.randrange(2**32))
    if kind == 0:
        items = np.arange(n) * 7 % 120 * (numbers.random(n) < 0.5)
    elif kind == 1:
        items = numbers.integers(0, 4, n)
    elif kind == 2:
        items = np.zeros(n)
    else:
        items = numbers.integers(0, 2**30, n)
    return items.astype(np.int64).astype(f"i{item_bytes}")


def decode_blosc(encoded, n_bytes):
    """What C-Blosc decodes; None where it refuses, and where the sizes in the header are others."""
    if len(encoded) < 16 or struct.unpack_from("<I", encoded, 12)[0] != len(encoded):
        return None
    if struct.unpack_from("<I", encoded, 4)[0] != n_bytes:
        return None
    decoded = []
    for filling in 0x55, 0xAA:
        target = bytearray([filling]) * n_bytes
        try:
            blosc.decompress(encoded + PADDING, target)
        except RuntimeError:
            return None
        decoded.append(bytes(target))
    # C-Blosc takes for decoded what it has not written to.
    return decoded[0] if decoded[0] == decoded[1] else None


def decode_plainly(codec, encoded, n_bytes):
    try:
        decoded = bytes(np.frombuffer(codec.decode(encoded), "u1"))
    except Exception:
        return None
    return decoded if len(decoded) == n_bytes else None


def change_header(source, chunk):
    at = source.randrange(16)
    chunk[at] = source.choice(
        [source.randrange(256), chunk[at] ^ 1 << source.randrange(8), (chunk[at] + 1) & 255]
    )


def change_sizes(source, chunk):
    (size,) = struct.unpack_from("<I", chunk, 4)
    values = [0, 1, size - 1, size + 1, 2 * size, 2**31 - 1, 2**31, 2**32 - 1]
    struct.pack_into("<I", chunk, source.choice([4, 8, 12]), source.choice(values))


def change_compressor(source, chunk):
    chunk[2] = chunk[2] & 31 | source.randrange(8) << 5


def change_bytes(source, chunk):
    for _ in range(source.choice([1, 1, 2, 5])):
        at = source.randrange(len(chunk))
        chunk[at] = source.choice([source.randrange(256), chunk[at] ^ 1 << source.randrange(8), 255])


def cut_off(source, chunk):
    del chunk[source.randrange(len(chunk)) :]


def make_longer(source, chunk):
    chunk += bytes(source.randrange(256) for _ in range(source.choice([1, 4, 8])))


def change_length(source, chunk):
    """Of Blosc, in such a way that the header fits."""
    source.choice([cut_off, make_longer])(source, chunk)
    if len(chunk) >= 16:
        struct.pack_into("<I", chunk, 12, len(chunk))


BLOSC_CHANGES = [change_header, change_header, change_sizes, change_compressor]
BLOSC_CHANGES += [change_bytes, change_bytes, change_bytes, change_length, cut_off]
CHANGES = [change_bytes, change_bytes, change_bytes, cut_off, make_longer]


def make_blosc(source):
    cname = source.choice(["blosclz", "lz4", "lz4hc", "snappy", "zlib", "zstd"])
    content = make_content(source, source.choice([50, 200, 1000, 8191]), source.choice([1, 2, 4, 8]))
    block_bytes = source.choice([0, 0, 256, 1000, 4096])
    level, shuffle = source.choice([0, 1, 5, 9]), source.randrange(3)
    encoded = blosc.compress(content, cname.encode(), level, shuffle, block_bytes)
    return content.tobytes(), encoded


def serve(request):
    source = random.Random(request["seed"])
    is_blosc = request["codec"]["id"] == "blosc"
    codec = numcodecs.get_codec(request["codec"])
    with open(request["out"], "wb") as file:
        for _ in range(request["chunks"]):
            if is_blosc:
                content, encoded = make_blosc(source)
            else:
                content = make_content(source, source.choice([1, 50, 3000]), 4).tobytes()
                encoded = bytes(np.frombuffer(codec.encode(content), "u1"))
            for number in range(request["changes"] + 1):
                chunk = bytearray(encoded)
                if number > 0:
                    source.choice(BLOSC_CHANGES if is_blosc else CHANGES)(source, chunk)
                n_bytes, chunk = len(content), bytes(chunk)
                if is_blosc:
                    decoded = decode_blosc(chunk, n_bytes)
                else:
                    decoded = decode_plainly(codec, chunk, n_bytes)
                assert number > 0 or decoded == content
                file.write(struct.pack("<3I", n_bytes, len(chunk), decoded is not None))
                file.write(hashlib.sha1(decoded or b"").digest() + chunk)


for line in sys.stdin:
    try:
        serve(json.loads(line))
        print(json.dumps("ok"), flush=True)
    except Exception as error:
        print(json.dumps(f"{type(error).__name__}: {error}"), flush=True)
