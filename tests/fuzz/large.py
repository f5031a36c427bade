"""Writes large seeds for the fuzz targets, up to a MiB each: many names, much from few bytes, deep and wide.

    python tests/fuzz/large.py folder

They are made when fuzzing starts, and are not committed.
"""

from __future__ import annotations

import io
import json
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

MOST = 1 << 20


def npy(shape: tuple[int, ...], kind: str = "|u1", padding: int = 0) -> bytes:
    """A file of zeros, with room in its header."""
    size = int(kind[-1])
    for n in shape:
        size *= n
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode() + b" " * padding
    return b"\x93NUMPY\2\0" + struct.pack("<I", len(header)) + header + bytes(size)


def safetensors(entries: dict[str, object], data: int = 0) -> bytes:
    """A header, and so many bytes."""
    header = json.dumps(entries, separators=(",", ":")).encode()
    return struct.pack("<Q", len(header)) + header + bytes(data)


def tensors(count: int, name: str = "{}") -> dict[str, object]:
    """Entries of one byte each."""
    return {name.format(i): {"dtype": "U8", "shape": [1], "data_offsets": [i, i + 1]} for i in range(count)}


def archive(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An npz file."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method, compresslevel=9) as file:
        for name, data in members.items():
            file.writestr(zipfile.ZipInfo(name), data, method)
    return stream.getvalue()


def text(data: bytes) -> bytes:
    """A text of a gguf file."""
    return struct.pack("<Q", len(data)) + data


def gguf(values: list[bytes], names: list[bytes]) -> bytes:
    """A gguf file with these values, and a tensor of one byte for each name."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(names), len(values)) + b"".join(values)
    for name in names:
        head += text(name) + struct.pack("<IQIQ", 1, 1, 24, 0)
    return head + bytes(64)


def nested(depth: int, inside: bytes) -> bytes:
    """Lists in lists."""
    return b"[" * depth + inside + b"]" * depth


def seeds() -> dict[str, dict[str, Callable[[], bytes]]]:
    """For each target the seeds, by name."""
    return {
        "npy": {
            "large": lambda: npy((1000, 1000)),
            "padded": lambda: npy((2,), "<f4", 900_000),
            "axes": lambda: npy((1,) * 32, ">f8"),
        },
        "safetensors": {
            "names": lambda: safetensors(tensors(12_000), 12_000),
            "long names": lambda: safetensors(tensors(100, "{:0>9000}"), 100),
            "metadata": lambda: safetensors({"__metadata__": {f"k{i}": "" for i in range(60_000)}}),
            "lists": lambda: safetensors({"a": [[]] * 200_000}),
        },
        "npz": {
            "zeros": lambda: archive({"a.npy": npy((100_000_000,))}),
            "members": lambda: archive({f"{i}.npy": npy((1,)) for i in range(4000)}),
            "stored": lambda: archive({f"{i}.npy": npy((1,)) for i in range(3000)}, zipfile.ZIP_STORED),
            "header": lambda: archive({"a.npy": npy((2,), "<f4", 1 << 19)}),
        },
        "gguf": {
            "many": lambda: gguf([text(b"%x" % i) + struct.pack("<IB", 0, 1) for i in range(50_000)], []),
            "tensors": lambda: gguf([], [b"t%d" % i for i in range(20_000)]),
            "texts": lambda: gguf(
                [text(b"k") + struct.pack("<IIQ", 9, 8, 100_000) + text(b"") * 100_000], []
            ),
            "numbers": lambda: gguf([text(b"k") + struct.pack("<IIQ", 9, 0, 900_000) + bytes(900_000)], []),
        },
        "json": {
            "names": lambda: json.dumps({str(i): i for i in range(60_000)}).encode(),
            "lists": lambda: b"[" + b"[]," * 300_000 + b"[]]",
            "deep": lambda: nested(60, b"1,2"),
            "too deep": lambda: nested(200_000, b""),
            "text": lambda: b'"' + b"\\u00e9" * 150_000 + b'"',
        },
        "export": export_seeds(),
    }


def export_seeds() -> dict[str, Callable[[], bytes]]:
    """Graphs of thousands of nodes, in both formats."""
    import tempfile

    import mica.core as mx

    def chain(x: mx.array) -> mx.array:
        for i in range(2000):
            x = mx.sin(x) * (i + 0.5)
        return x

    def wide(x: mx.array) -> list[mx.array]:
        return [x[i % 4] + i for i in range(1000)]

    captured = mx.random.normal((100_000,), key=mx.random.key(0))

    def constant(x: mx.array) -> mx.array:
        return x + captured[:4]

    def written(function: Callable[..., object], form: str) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "f")
            with mx.exporter(path, function, **({"format": "mlx"} if form else {})) as export:
                export(mx.ones((4, 4)))
            return path.read_bytes()

    functions = {"chain": chain, "wide": wide, "constant": constant}
    return {
        f"{form}{name}": lambda f=function, form=form: written(f, form)
        for name, function in functions.items()
        for form in ("", "mlx ")
    }


def main(folder: str) -> None:
    """Write all; what is larger than a target may get is cut, which makes another seed of it."""
    for target, files in seeds().items():
        place = Path(folder, target)
        place.mkdir(parents=True, exist_ok=True)
        for name, make in files.items():
            data = make()
            (place / name.replace(" ", "-")).write_bytes(data[:MOST])


if __name__ == "__main__":
    main(sys.argv[1])
