"""Reads and writes Zarr arrays of format 3 by the specification, with numpy and numcodecs alone.

Arrays of format 2 are read and written by the package zarr. It serves the tests: each line of the
standard input is a request in JSON, and each line of the standard output says how it went.
"""

import gzip
import itertools
import json
import os
import sys

import numcodecs
import numpy as np

ENDIANS = {"little": "<", "big": ">"}


def read_document(folder):
    with open(os.path.join(folder, "zarr.json"), encoding="utf-8") as file:
        document = json.load(file)
    assert document["zarr_format"] == 3 and document["node_type"] == "array"
    assert document["chunk_grid"]["name"] == "regular"
    # Some readers refuse an array without a fill value, so that no writer should leave it out.
    assert document["fill_value"] is not None
    return document


def path_of(folder, document, indices):
    encoding = document["chunk_key_encoding"]
    configuration = encoding.get("configuration", {})
    if encoding["name"] == "default":
        key = configuration.get("separator", "/").join(["c", *map(str, indices)])
    else:
        key = configuration.get("separator", ".").join(map(str, indices))
    return os.path.join(folder, key)


def compressor_of(name, configuration):
    if name == "zstd":
        return numcodecs.Zstd(configuration.get("level", 3))
    if name == "blosc":
        shuffle = {"noshuffle": 0, "shuffle": 1, "bitshuffle": 2}[configuration["shuffle"]]
        return numcodecs.Blosc(configuration["cname"], configuration["clevel"], shuffle)
    raise ValueError(name)


def crc32c(content):
    remainder = 0xFFFFFFFF
    for byte in content:
        remainder ^= byte
        for _ in range(8):
            remainder = (remainder >> 1) ^ (0x82F63B78 if remainder & 1 else 0)
    return remainder ^ 0xFFFFFFFF


def encode(chunk, codecs, fill):
    for codec in codecs:
        name, configuration = codec["name"], codec.get("configuration", {})
        if name == "transpose":
            chunk = chunk.transpose(configuration["order"])
        elif name == "bytes":
            order = ENDIANS[configuration.get("endian", "little")]
            dtype = chunk.dtype
            content = np.ascontiguousarray(chunk.astype(dtype.newbyteorder(order))).tobytes()
            items = np.frombuffer(content, dtype)
        elif name == "gzip":
            content = gzip.compress(content, configuration["level"])
        elif name == "crc32c":
            content += crc32c(content).to_bytes(4, "little")
        elif name == "sharding_indexed":
            content = encode_shard(chunk, configuration, fill)
        elif name.startswith("numcodecs.") and codec is not codecs[-1]:
            # A filter of elements, which stands before the codec 'bytes'.
            filter = numcodecs.get_codec({"id": name.split(".")[1], **configuration})
            chunk = np.asarray(filter.encode(np.ascontiguousarray(chunk)))
        elif name == "blosc":
            # What Blosc shuffles are elements and not bytes.
            content = bytes(compressor_of(name, configuration).encode(items))
        else:
            content = bytes(compressor_of(name, configuration).encode(content))
    return content


def encode_shard(shard, configuration, fill):
    shape = configuration["chunk_shape"]
    counts = [length // chunk for length, chunk in zip(shard.shape, shape)]
    index = np.full([*counts, 2], 2**64 - 1, "uint64")
    is_at_start = configuration.get("index_location", "end") == "start"
    begin = len(encode(index, configuration["index_codecs"], 0)) if is_at_start else 0
    content = b""
    for indices in np.ndindex(*counts):
        place = tuple(slice(i * c, (i + 1) * c) for i, c in zip(indices, shape))
        if (shard[place] == fill).all():
            continue
        chunk = encode(shard[place], configuration["codecs"], fill)
        index[indices] = begin + len(content), len(chunk)
        content += chunk
    encoded_index = encode(index, configuration["index_codecs"], 0)
    return encoded_index + content if is_at_start else content + encoded_index


def decode(content, codecs, dtype, shape):
    for codec in codecs:
        if codec["name"] == "transpose":
            shape = [shape[axis] for axis in codec["configuration"]["order"]]
    for codec in reversed(codecs):
        name, configuration = codec["name"], codec.get("configuration", {})
        if name == "transpose":
            chunk = chunk.transpose(np.argsort(configuration["order"]))
        elif name == "bytes":
            order = ENDIANS[configuration.get("endian", "little")]
            chunk = np.frombuffer(content, dtype.newbyteorder(order)).reshape(shape)
        elif name == "gzip":
            content = gzip.decompress(content)
        else:
            content = bytes(compressor_of(name, configuration).decode(content))
    return chunk


def chunks_of(shape, chunk_shape):
    counts = [-(-length // chunk) for length, chunk in zip(shape, chunk_shape)]
    for indices in itertools.product(*map(range, counts)):
        begins = [index * chunk for index, chunk in zip(indices, chunk_shape)]
        ends = [min(b + chunk, n) for b, chunk, n in zip(begins, chunk_shape, shape)]
        place = tuple(slice(begin, end) for begin, end in zip(begins, ends))
        inner = tuple(slice(0, end - begin) for begin, end in zip(begins, ends))
        yield indices, place, inner


def read_v3(folder):
    document = read_document(folder)
    dtype, shape = np.dtype(document["data_type"]), document["shape"]
    chunk_shape = document["chunk_grid"]["configuration"]["chunk_shape"]
    array = np.full(shape, document["fill_value"], dtype)
    for indices, place, inner in chunks_of(shape, chunk_shape):
        path = path_of(folder, document, indices)
        if os.path.exists(path):
            with open(path, "rb") as file:
                chunk = decode(file.read(), document["codecs"], dtype, chunk_shape)
            outside = np.array(chunk)
            outside[inner] = document["fill_value"]
            assert (outside == np.array(document["fill_value"], dtype)).all(), "padding"
            array[place] = chunk[inner]
    return array


def write_v3(folder, array, options):
    fill = options.get("fill", 0)
    document = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(array.shape),
        "data_type": array.dtype.name,
        "chunk_grid": {
            "name": "regular",
            "configuration": {"chunk_shape": options["chunks"]},
        },
        "chunk_key_encoding": options.get(
            "keys", {"name": "default", "configuration": {"separator": "/"}}
        ),
        "fill_value": fill,
        "codecs": options["codecs"],
        "attributes": {},
    }
    os.makedirs(folder)
    with open(os.path.join(folder, "zarr.json"), "w", encoding="utf-8") as file:
        json.dump(document, file)
    fill = np.array(float(fill) if array.dtype.kind == "f" else fill).astype(array.dtype)
    for indices, place, inner in chunks_of(array.shape, options["chunks"]):
        chunk = np.full(options["chunks"], fill, array.dtype)
        chunk[inner] = array[place]
        if np.array_equal(chunk, np.full_like(chunk, fill), equal_nan=array.dtype.kind == "f"):
            continue
        path = path_of(folder, document, indices)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(encode(chunk, options["codecs"], fill))


def write_v2(folder, array, options):
    import zarr

    compressor = options.get("compressor")
    filters = [numcodecs.get_codec(filter) for filter in options.get("filters", [])]
    written = zarr.open_array(
        folder,
        mode="w",
        shape=array.shape,
        dtype=array.dtype.newbyteorder(options.get("endian", "<")),
        chunks=options["chunks"],
        order=options.get("order", "C"),
        fill_value=options.get("fill", 0),
        compressor=compressor and numcodecs.get_codec(compressor),
        filters=filters or None,
        dimension_separator=options.get("separator", "."),
        write_empty_chunks=False,
    )
    written[...] = array
    written.attrs["unit"] = "pA"


def serve(request):
    if request["do"] == "read":
        np.save(request["npy"], read_v3(request["folder"]))
    elif request["do"] == "read2":
        import zarr

        np.save(request["npy"], zarr.open_array(request["folder"], mode="r")[...])
    elif request["do"] == "write3":
        write_v3(request["folder"], np.load(request["npy"]), request["options"])
    elif request["do"] == "write2":
        write_v2(request["folder"], np.load(request["npy"]), request["options"])
    elif request["do"] == "make":
        # Small whole numbers, of which every type has some, with stretches of zeros.
        shape, dtype = request["shape"], request["dtype"]
        array = np.arange(np.prod(shape, dtype=int)).reshape(shape) * 7 % 120
        array[np.random.default_rng(0).random(array.shape) < 0.5] = 0
        np.save(request["npy"], array.astype(dtype))


for line in sys.stdin:
    try:
        serve(json.loads(line))
        print(json.dumps("ok"), flush=True)
    except Exception as error:
        print(json.dumps(f"{type(error).__name__}: {error}"), flush=True)
