"""Writes the corpus of the fuzz targets: small files that reach every part of a parser.

    python tests/fuzz/seeds.py [folder]

Needs mica, NumPy and gguf. Files that a fuzzer found are put beside them by hand.
"""

from __future__ import annotations

import io
import struct
import sys
import tempfile
import zipfile
from pathlib import Path

import gguf
import mica.core as mx
import numpy as np

ROOT = Path(__file__).parent / "corpus"
TYPES = (mx.bool_, mx.uint8, mx.int16, mx.uint32, mx.int64, mx.float16, mx.bfloat16, mx.float32, mx.complex64)


def put(target: str, name: str, data: bytes) -> None:
    """One file of the corpus."""
    folder = ROOT / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def npy(array: np.ndarray, version: tuple[int, int] | None = None) -> bytes:
    """A file as NumPy writes it."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version)
    return stream.getvalue()


def write_npy() -> None:
    """Types, orders, byte orders, versions of the header."""
    for i, dtype in enumerate(("?", "<i2", ">f4", "<f8", "<c8", ">c8", "<V2", "<f2")):
        put("npy", f"type{i}", npy(np.zeros((2, 3), dtype)))
    put("npy", "fortran", npy(np.asfortranarray(np.ones((2, 3, 2), np.float32))))
    put("npy", "version2", npy(np.ones(3, np.int8), (2, 0)))
    put("npy", "version3", npy(np.ones((), np.uint64), (3, 0)))
    put("npy", "empty", npy(np.ones((0, 4), np.float32)))


def write_safetensors() -> None:
    """All types, metadata, no tensors, a tensor out of alignment."""
    for name, arrays, metadata in (
        ("types", {f"t{i}": mx.zeros((2, 1)).astype(t) for i, t in enumerate(TYPES)}, {"k": "v\u00e9"}),
        ("none", {}, {}),
    ):
        stream = io.BytesIO()
        mx.save_safetensors(stream, arrays, metadata)
        put("safetensors", name, stream.getvalue())
    entry = b'{"dtype":"%s","shape":%s,"data_offsets":%s}'
    for name, header, data in (
        (
            "unaligned",
            b'{"a":%s,"b":%s}' % (entry % (b"F8_E4M3", b"[1]", b"[0,1]"), entry % (b"F64", b"[]", b"[1,9]")),
            bytes(9),
        ),
        ("overlapping", b'{"a":%s,"b":%s}' % ((entry % (b"I32", b"[2]", b"[0,8]"),) * 2), bytes(8)),
        ("hole", b'{"a":%s}' % (entry % (b"F16", b"[2]", b"[100,104]")), bytes(200)),
        ("twice", b'{"a":%s,"a":%s}' % ((entry % (b"U8", b"[1]", b"[0,1]"),) * 2), bytes(1)),
        (
            "other members",
            b'{"a":{"x":[{"y":null}],"data_offsets":[0,2],"shape":[1,2],"dtype":"BOOL"}}',
            b"\1\2",
        ),
        ("no metadata", b'{"__metadata__":null,"a":%s} \n' % (entry % (b"BF16", b"[0,7]", b"[0,0]")), b""),
        ("escapes", b'{"\\u00e9\\ud83d\\ude00\\n":%s}' % (entry % (b"C64", b"[1]", b"[0,8]")), bytes(8)),
        ("short", b'{"a":%s}' % (entry % (b"U64", b"[4]", b"[0,32]")), bytes(31)),
        ("wrong size", b'{"a":%s}' % (entry % (b"U32", b"[4]", b"[0,15]")), bytes(16)),
    ):
        put("safetensors", name.replace(" ", "_"), struct.pack("<Q", len(header)) + header + data)


def member(name: str, method: int) -> zipfile.ZipInfo:
    """A member whose date does not depend on the day."""
    info = zipfile.ZipInfo(name)
    info.compress_type = method
    return info


def write_npz() -> None:
    """Stored, deflated in each kind of block, zip64, bytes before the archive."""
    rows = np.arange(300, dtype=np.int32).reshape(30, 10)
    noise = np.random.default_rng(0).integers(0, 256, 400, dtype=np.uint8)
    for name, method in (("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", method) as archive:
            archive.writestr(member("a.npy", method), npy(rows))
            with archive.open(member("b.npy", method), "w", force_zip64=True) as file:
                file.write(npy(noise))
        put("npz", name, stream.getvalue())
        put("npz", name + "_shifted", b"#!/bin/sh\n" + stream.getvalue())
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(member("c.npy", zipfile.ZIP_DEFLATED), npy(np.ones(2, np.float32)))
    put("npz", "small", stream.getvalue())
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w"):
        pass
    put("npz", "empty", stream.getvalue())


def write_gguf() -> None:
    """Each block type that is read, and each kind of value."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "f.gguf"))
        for kind in gguf.GGMLQuantizationType:
            elements, size = gguf.GGML_QUANT_SIZES[kind]
            writer = gguf.GGUFWriter(path, "a")
            raw = np.full((1, size if elements > 1 else 4 * size), 0x31, np.uint8)
            writer.add_tensor("x.weight", raw, raw_shape=raw.shape, raw_dtype=kind)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
            writer.close()
            put("gguf", kind.name, Path(path).read_bytes())
    stream = io.BytesIO()
    values = {
        f"v{i}": mx.zeros((i % 2 + 1,)).astype(t)
        for i, t in enumerate(TYPES)
        if t not in TYPES[5:7] + TYPES[8:]
    }
    mx.save_gguf(stream, {"x": mx.ones((2, 3))}, {**values, "text": "t", "list": ["a", ""], "n": mx.array(1)})
    put("gguf", "values", stream.getvalue())


def write_json() -> None:
    """Values of each kind, escapes, nesting."""
    for i, text in enumerate(
        (
            '{"a":[1,-2.5e3,true,false,null,"\\u00e9\\ud83d\\ude00\\n"],"b":{"c":{}}}',
            '"\\\\\\"/é"',
            "[[[[[1]]]]]",
            " 0 ",
            "1e400",
            '{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"a":10}',
            '"\\b\\t\\f\\r\\/\\u007f\\uffff \U0001f600"',
            '"\\ud800"',
            "[9223372036854775807,9223372036854775808,-9223372036854775808,-0.0,1E+2,0.1e-3]",
            '[ { } , [ ] , "" , null ]',
            '{"a":[true,false]}x',
        )
    ):
        put("json", str(i), text.encode())


def write_export() -> None:
    """Graphs of many families; one file with several signatures and keywords."""
    key = mx.random.key(1)
    x, y = mx.random.normal((4, 6), key=key), mx.ones((6, 3))
    q = mx.ones((1, 2, 4, 8))
    w = mx.quantize(mx.random.normal((8, 64), key=key), group_size=32)
    functions = {
        "elementwise": (lambda x: mx.where(x > 0, mx.exp(x) + 1, mx.sin(x).astype(mx.float16)), [x]),
        "views": (lambda x: mx.as_strided(x[1:, ::-2].T.reshape(-1)[None], (2, 2), (1, 2), 1), [x]),
        "reduce": (
            lambda x: [x.sum(axis=0), mx.argmax(x), mx.softmax(x, axis=-1), mx.cumsum(x, axis=0)],
            [x],
        ),
        "order": (lambda x: [mx.sort(x), mx.argpartition(x, 2), mx.searchsorted(x[0], x)], [x]),
        "index": (
            lambda x: [mx.take(x, mx.array([1, 0]), axis=0), mx.put_along_axis(x, mx.argsort(x), x, 1)],
            [x],
        ),
        "write": (lambda x: x.at[1:3].add(2.0), [x]),
        "matmul": (lambda x, y: x @ y, [x, y]),
        "conv": (lambda x: mx.conv2d(x, mx.ones((2, 3, 3, 2)), stride=2, padding=1), [mx.ones((1, 5, 5, 2))]),
        "attention": (lambda q: mx.fast.scaled_dot_product_attention(q, q, q, scale=1.0, mask="causal"), [q]),
        "norms": (
            lambda x: [mx.fast.rms_norm(x, mx.ones(6), 1e-5), mx.fast.layer_norm(x, None, None, 1e-5)],
            [x],
        ),
        "rope": (lambda q: mx.fast.rope(q, 8, traditional=False, base=1e4, scale=1.0, offset=1), [q]),
        "quantized": (lambda x: mx.quantized_matmul(x, *w, group_size=32), [mx.ones((2, 64))]),
        "random": (lambda k: [mx.random.bits((3,), key=k), mx.random.normal((2,), key=k)], [key]),
        "fft": (lambda x: [mx.fft.rfft(x), mx.fft.fft(x)], [x]),
        "gradient": (mx.grad(lambda x: mx.logsumexp(x @ y).sum()), [x]),
        "linalg": (lambda x: mx.linalg.inv(x), [mx.eye(3)]),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "f")
        for name, (function, arguments) in functions.items():
            mx.export_function(path, function, *arguments)
            put("export", name, path.read_bytes())
            if name in ("random", "write"):
                continue  # not known to MLX
            with mx.exporter(path, function, format="mlx") as export:
                export(*arguments)
            put("export", f"mlx_{name}", path.read_bytes())
        with mx.exporter(path, lambda x, *, y: x + y, shapeless=True, metadata="m") as export:
            export(x, y=x)
            export(y[0], y=y[0])
        put("export", "several", path.read_bytes())
        resized = mx.ones((4, 3))
        mx.export_function(
            path, lambda x: mx.concatenate([x[1:], mx.zeros_like(x)]).reshape(-1), resized, shapeless=True
        )
        put("export", "sizes", path.read_bytes())


def main() -> None:
    """Write all of it."""
    global ROOT
    if len(sys.argv) > 1:
        ROOT = Path(sys.argv[1])
    for write in (write_npy, write_safetensors, write_npz, write_gguf, write_json, write_export):
        write()


if __name__ == "__main__":
    main()
