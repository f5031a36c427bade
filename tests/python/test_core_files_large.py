"""Files that stand for much more than their bytes: what loading them costs, and when it is paid."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import textwrap
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import mica.core as mx
import numpy as np
import pytest

TYPES = ["?", "<i2", ">i2", ">f4", "<f8", ">f8", "<c8", ">c8", "<f2", "u1", ">u8"]


def growth(program: str, cwd: Path) -> float:
    """By how many MiB the memory of a process rises at most while it runs a program."""
    return output(program, cwd)[-1]


def output(program: str, cwd: Path) -> list[float]:
    """The numbers that a program prints, and by how many MiB its memory rises at most."""
    start = """
    import mica.core as mx

    def memory(kind):
        lines = open("/proc/self/status").read().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(kind)) / 1024

    mx.eval(mx.zeros(1) + 1)
    before = memory("VmRSS")
    """
    end = '\nprint(memory("VmHWM") - before)\n'
    code = textwrap.dedent(start) + textwrap.dedent(program) + end
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    return [float(line) for line in result.stdout.split()]


def test_deflated_types(tmp_path: Path) -> None:
    """Every element type in both byte orders and both orders of axes, of no and of some elements."""
    numbers = np.random.default_rng(0)
    arrays = {}
    for kind in TYPES:
        for shape in ((), (0,), (3,), (2, 3, 4), (7, 0)):
            x = np.asarray(50 * numbers.standard_normal(shape)).astype(kind)
            arrays[f"{kind}{shape}"] = x
            arrays[f"{kind}{shape} in columns"] = np.asfortranarray(x)
    np.savez_compressed(tmp_path / "f.npz", **arrays)
    loaded = mx.load(str(tmp_path / "f.npz"))
    assert set(loaded) == set(arrays)
    for name, x in arrays.items():
        assert loaded[name].shape == x.shape and loaded[name].tolist() == x.tolist(), name


def test_long_headers(tmp_path: Path) -> None:
    """A header may be longer than what is looked at first."""
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }" + b" " * 70000 + b"\n"
    data = b"\x93NUMPY\2\0" + struct.pack("<I", len(header)) + header + struct.pack("<2f", 1.5, 2.5)
    with zipfile.ZipFile(tmp_path / "f.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", data)
        archive.writestr("b.npy", data[:-1])
    with pytest.raises(RuntimeError, match="b.npy' is incomplete: its array takes 8 bytes, 7 are there"):
        mx.load(str(tmp_path / "f.npz"))
    with zipfile.ZipFile(tmp_path / "f.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", data)
    assert mx.load(str(tmp_path / "f.npz"))["a"].tolist() == [1.5, 2.5]


def test_deflated_when_used(tmp_path: Path) -> None:
    """400 MB in 400 KB cost nothing at load, the array at use, and a MemoryError where that is too much."""
    np.savez_compressed(tmp_path / "f.npz", a=np.zeros(100_000_000, np.float32))
    assert (tmp_path / "f.npz").stat().st_size < 500_000
    program = """
    loaded = mx.load("f.npz")
    assert loaded["a"].shape == (100_000_000,) and loaded["a"].dtype == mx.float32
    mx.set_memory_limit(64 << 20)
    try:
        mx.eval(loaded["a"])
    except MemoryError as error:
        assert "limit 64.00 MiB" in str(error), error
    else:
        raise AssertionError
    """
    assert growth(program, tmp_path) < 16


def test_small_members(tmp_path: Path) -> None:
    """Members of a few bytes are unpacked at once, in memory that they share; damage is told when used."""
    arrays = {f"{i}": np.full((2, i % 5), i % 100, TYPES[i % len(TYPES)]) for i in range(500)}
    np.savez_compressed(tmp_path / "f.npz", **arrays)
    loaded = mx.load(str(tmp_path / "f.npz"))
    for name, x in arrays.items():
        assert loaded[name].shape == x.shape and loaded[name].tolist() == x.tolist(), name
    # What one of them gives its memory to does not change another.
    a, b = loaded["3"], loaded["14"]
    del loaded
    a = a + 1
    mx.eval(a)
    assert b.tolist() == arrays["14"].tolist()
    whole = bytearray((tmp_path / "f.npz").read_bytes())
    with zipfile.ZipFile(tmp_path / "f.npz") as archive:
        crc = archive.getinfo("4.npy").CRC
    at = whole.rindex(struct.pack("<I", crc))
    whole[at] ^= 1
    (tmp_path / "f.npz").write_bytes(whole)
    loaded = mx.load(str(tmp_path / "f.npz"))
    assert loaded["9"].tolist() == arrays["9"].tolist()
    with pytest.raises(ValueError, match="checksum"):
        mx.eval(loaded["4"])


def test_damaged_when_used(tmp_path: Path) -> None:
    """Damage behind the header, and a wrong checksum, are found by the evaluation; the others go on."""
    x = np.arange(100_000, dtype=np.float32)
    np.savez_compressed(tmp_path / "f.npz", a=x, b=-x)
    whole = (tmp_path / "f.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "f.npz") as archive:
        place, crc = archive.getinfo("a.npy").header_offset, archive.getinfo("a.npy").CRC
        packed = archive.getinfo("a.npy").compress_size
    middle = place + packed // 2
    broken = whole[:middle] + bytes(64) + whole[middle + 64 :]
    in_directory = whole.rindex(struct.pack("<I", crc))
    wrong = whole[:in_directory] + struct.pack("<I", crc ^ 1) + whole[in_directory + 4 :]
    for data, message in ((broken, "damaged|checksum"), (wrong, "checksum")):
        (tmp_path / "g.npz").write_bytes(data)
        loaded = mx.load(str(tmp_path / "g.npz"))
        if data is broken:
            assert loaded["b"].tolist() == (-x).tolist()
        for _ in range(2):
            with pytest.raises(ValueError, match=message):
                mx.eval(loaded["a"])


def test_claims(tmp_path: Path) -> None:
    """A member cannot claim more than deflate could give, nor an array more than its member."""
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000,), }"
    data = b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + bytes(5000)
    with zipfile.ZipFile(tmp_path / "f.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", data)
    with pytest.raises(RuntimeError, match="takes 1000000000 bytes, 5000 are there"):
        mx.load(str(tmp_path / "f.npz"))
    size, lie = struct.pack("<I", len(data)), struct.pack("<I", 1_000_000_000)
    (tmp_path / "f.npz").write_bytes((tmp_path / "f.npz").read_bytes().replace(size, lie))
    with pytest.raises(ValueError, match="claims more bytes than it can hold"):
        mx.load(str(tmp_path / "f.npz"))


MANY = 300_000


def many_safetensors() -> bytes:
    """MANY tensors of one number."""
    entries = {
        f"model.layers.{i}.weight": {"dtype": "F32", "shape": [1], "data_offsets": [4 * i, 4 * i + 4]}
        for i in range(MANY)
    }
    header = json.dumps(entries, separators=(",", ":")).encode()
    return struct.pack("<Q", len(header)) + header + bytes(4 * MANY)


def many_members(method: int) -> bytes:
    """An archive of MANY arrays of one number, the same: written by hand, since zipfile is slow."""
    stream = io.BytesIO()
    np.save(stream, np.ones(1, np.float32))
    plain = stream.getvalue()
    packed = plain if method == zipfile.ZIP_STORED else zlib.compress(plain, wbits=-15)
    crc, members, directory, at = zlib.crc32(plain), [], [], 0
    for i in range(MANY):
        name = b"model.layers.%d.weight.npy" % i
        common = struct.pack("<HHHIIIIHH", 20, 0, method, 0, crc, len(packed), len(plain), len(name), 0)
        members.append(b"PK\3\4" + common + name + packed)
        directory.append(b"PK\1\2\x14\0" + common + struct.pack("<HHHII", 0, 0, 0, 0, at) + name)
        at += len(members[-1])
    size = sum(map(len, directory))
    end = struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, MANY, MANY, size, at)
    end = b"PK\6\6" + end + b"PK\6\7" + struct.pack("<IQI", 0, at + size, 1)
    last = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return b"".join((*members, *directory, end, last))


def many_gguf(kind: int, size: int) -> bytes:
    """MANY tensors of one number of so many bytes."""
    names = (b"model.layers.%d.weight" % i for i in range(MANY))
    head = b"".join(
        struct.pack("<Q", len(name)) + name + struct.pack("<IQIQ", 1, 1, kind, 32 * i)
        for i, name in enumerate(names)
    )
    head = b"GGUF" + struct.pack("<IQQ", 3, MANY, 0) + head
    return head + bytes(-len(head) % 32) + bytes(32 * MANY - 32 + size)


@pytest.mark.unsanitized
@pytest.mark.parametrize(
    ("ending", "make"),
    [
        ("safetensors", many_safetensors),
        ("npz", lambda: many_members(zipfile.ZIP_STORED)),
        ("npz", lambda: many_members(zipfile.ZIP_DEFLATED)),
        ("gguf", lambda: many_gguf(0, 4)),
        ("gguf", lambda: many_gguf(30, 2)),
    ],
    ids=["safetensors", "stored", "deflated", "gguf", "bfloat16"],
)
def test_many_names(ending: str, make: Callable[[], bytes], tmp_path: Path) -> None:
    """300,000 names take the file's size, 64 MiB, and what Python's own names, objects and dict take."""
    file = make()
    (tmp_path / f"f.{ending}").write_bytes(file)
    program = f"""
    import sys
    loaded = mx.load("f.{ending}")
    assert len(loaded) == {MANY}
    print(sum(sys.getsizeof(x) for x in (loaded, *loaded, *loaded.values())) / 2**20)
    """
    *_, own, grown = output(program, tmp_path)
    # Both the names of the engine and those of Python are there for a moment, and blocks have heads.
    assert grown < len(file) / 2**20 + 64 + 1.25 * own + 8


def test_parts_of_files(tmp_path: Path) -> None:
    """The bytes behind arrays of a file are those that they read, each once, wherever the file lies."""
    x = np.arange(60, dtype=np.float32).reshape(6, 10)
    mx.save_safetensors(
        tmp_path / "f.safetensors", {"a": mx.array(x), "b": mx.array(-x[0]), "c": mx.zeros((0,))}
    )
    stream = io.BytesIO((tmp_path / "f.safetensors").read_bytes())
    for where in (tmp_path / "f.safetensors", stream):
        loaded = mx.load(where, format="safetensors")
        size = mx.get_array_buffer_size
        assert size(loaded) == size(loaded, loaded["a"], [loaded["b"]]) == 280
        assert size(loaded["c"]) == 0
        rows, column, back = loaded["a"][2:4], loaded["a"][:, 3], loaded["a"][4:1:-1]
        mx.eval(rows, column, back)
        assert size(rows) == 80 and size(rows, back) == size(back) == 120
        assert size(column) == 4 * (5 * 10 + 1) and size(rows, column) == size(column)
        assert np.array_equal(np.array(loaded["a"]), x) and np.array_equal(np.array(back), x[4:1:-1])
        # What is computed from them has memory of its own; it is never written over the file's.
        y = loaded["b"] * 2
        mx.eval(y)
        assert size(y) == 64 and np.array_equal(np.array(loaded["b"]), -x[0])


def test_many_metadata(tmp_path: Path) -> None:
    """Texts about arrays are many, or nested where none are expected."""
    header = json.dumps({"__metadata__": {f"k{i}": "" for i in range(20_000)}}).encode()
    (tmp_path / "f.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    assert len(mx.load(str(tmp_path / "f.safetensors"), return_metadata=True)[1]) == 20_000
    header = b'{"a":[' + b"[]," * 500_000 + b"[]]}"
    (tmp_path / "f.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(RuntimeError, match="more values than are accepted"):
        mx.load(str(tmp_path / "f.safetensors"))
    for twice in (b'{"__metadata__":{},"__metadata__":{}}', b'{"__metadata__":{"a":"","a":""}}'):
        (tmp_path / "f.safetensors").write_bytes(struct.pack("<Q", len(twice)) + twice)
        with pytest.raises(RuntimeError, match="twice"):
            mx.load(str(tmp_path / "f.safetensors"))


def gguf_of_values(count: int) -> bytes:
    """A gguf file with so many values of a byte, and no tensor."""
    keys = (b"%x" % i for i in range(count))
    values = b"".join(struct.pack("<Q", len(key)) + key + struct.pack("<IB", 0, 1) for key in keys)
    return b"GGUF" + struct.pack("<IQQ", 3, 0, count) + values


def test_values_that_nobody_asks_for(tmp_path: Path) -> None:
    """Values of gguf files become arrays only where metadata are asked for."""
    (tmp_path / "f.gguf").write_bytes(gguf_of_values(300_000))
    assert growth('assert mx.load("f.gguf") == {}', tmp_path) < 64
    (tmp_path / "f.gguf").write_bytes(gguf_of_values(3000))
    values = mx.load(str(tmp_path / "f.gguf"), return_metadata=True)[1]
    assert len(values) == 3000 and values["bb7"].item() == 1
    texts = struct.pack("<Q", 1) + b"k" + struct.pack("<IIQ", 9, 8, 500_000) + bytes(8 * 500_000)
    (tmp_path / "f.gguf").write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + texts)
    program = 'assert len(mx.load("f.gguf", return_metadata=True)[1]["k"]) == 500_000'
    assert growth(program, tmp_path) < 48
