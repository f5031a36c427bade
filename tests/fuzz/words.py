"""Writes the dictionaries of the fuzz targets: what their formats are made of.

    python tests/fuzz/words.py folder

They are made when fuzzing starts, and are not committed.
"""

from __future__ import annotations

import re
import struct
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

JSON = [
    b"null", b"true", b"false", b"\\u0000", b"\\ud83d\\ude00", b"\\ud800", b'\\"', b"\\\\", b"\\n", b"1e308",
    b"1e-400", b"-0", b"9223372036854775807", b"9223372036854775808", b"18446744073709551616", b"{}", b"[]",
    b'{"a":', b'":', b'","', "é".encode(), "😀".encode(), b"\xed\xa0\x80",
]  # fmt: skip
SAFETENSORS = [
    b'"dtype":"', b'"shape":[', b'"data_offsets":[', b'"__metadata__":{', b'"__metadata__":null',
    b'"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}', b"[0,0]", b"[0,1]", b"[1,9]",
    *(f'"{name}"'.encode() for name in re.findall(
        r'\{ "(\w+)", +MICA_', (ROOT / "engine/io/safetensors.c").read_text())),
]  # fmt: skip
NPY = [
    *(b"\x93NUMPY" + bytes((version, 0)) for version in (1, 2, 3)),
    b"'descr': ", b"'fortran_order': ", b"'shape': ", b"True", b"False", b"(1,)", b"()", b"(0, 3)",
    b"(9223372036854775807,)",
    *(f"'{order}{kind}'".encode() for order in "<>|"
      for kind in ("f2", "f4", "f8", "c8", "i1", "i2", "i8", "u1", "u4", "b1", "V2")),
]  # fmt: skip
NPZ = [
    *(b"PK" + kind for kind in (b"\3\4", b"\1\2", b"\5\6", b"\6\6", b"\6\7", b"\7\x08")),
    b"\1\0\x10\0", b"\xff\xff\xff\xff", b"\xff\xff", b"\x08\0", b"\0\0", b"\x2d\0", b".npy", b"up\x09\0",
]  # fmt: skip
GGUF = [
    b"GGUF\2\0\0\0", b"GGUF\3\0\0\0", struct.pack("<Q", 17) + b"general.alignment", b".weight", b".scales",
    b".biases", *(struct.pack("<I", i) for i in range(31)),
    *(struct.pack("<Q", n) for n in (0, 1, 2, 32, 64, 256, 1 << 31, 1 << 32, 1 << 62)),
    *(struct.pack("<Q", (1 << n) - 1) for n in (63, 64)),
]  # fmt: skip


def names(file: str, macro: str) -> list[bytes]:
    """The names in the rows of a table, as files of exported functions have them: behind their length."""
    found = re.findall(rf'^{macro}\("?(\w+)', (ROOT / file).read_text(), re.MULTILINE)
    return [struct.pack("<Q", len(name)) + name.encode() for name in found]


def words() -> dict[str, list[bytes]]:
    """The words of each target."""
    return {
        "json": JSON,
        "safetensors": SAFETENSORS + JSON,
        "npy": NPY,
        "npz": NPZ + NPY,
        "gguf": GGUF,
        "export": names("engine/ops/prim.def", "PRIM") + names("engine/io/mlx.def", "MLX"),
    }


def quoted(word: bytes) -> str:
    """A word as a line of a dictionary."""
    return '"' + "".join(chr(b) if chr(b).isalnum() and b < 128 else f"\\x{b:02X}" for b in word) + '"\n'


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for target, known in words().items():
        (folder / f"{target}.dict").write_text("".join(map(quoted, known)))
