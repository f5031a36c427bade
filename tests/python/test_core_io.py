"""Files: safetensors and npy, written and read, by others too; hostile and cut files; atomic writing."""

from __future__ import annotations

import io
import json
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.ops import target, values
from tests.ops.target import mx

STORED = [n for n in values.ALL if n != "float64"]


def sample(dtype: str, shape=(2, 3)):
    """An array with values that every dtype has."""
    return mx.arange(int(np.prod(shape))).reshape(shape).astype(getattr(mx, dtype))


def same(a, b) -> bool:
    """Dtype, shape and values."""
    return a.dtype == b.dtype and a.shape == b.shape and values.bits(a) == values.bits(b)


# ---- safetensors ----
def test_safetensors_round_trip(tmp_path: Path) -> None:
    """Every dtype that the format has, odd sizes, empty and 0-d arrays, views."""
    arrays = {
        f"{dtype}.{i}": sample(dtype, shape)
        for dtype in STORED
        for i, shape in enumerate(((2, 3), (), (5,), (0, 4), (1, 1, 7)))
    }
    arrays["view"] = sample("float32", (4, 5)).T[1:, ::2]
    arrays["a/b é"] = sample("int8")
    mx.save_safetensors(tmp_path / "x.safetensors", arrays)
    loaded = mx.load(tmp_path / "x.safetensors")
    assert set(loaded) == set(arrays)
    for key, a in arrays.items():
        assert same(loaded[key], a), key


def test_safetensors_layout(tmp_path: Path) -> None:
    """Eight bytes of length, JSON, data in order of the offsets."""
    path = str(tmp_path / "x.safetensors")
    mx.save_safetensors(path, {"b": sample("float32"), "a": sample("bfloat16")}, {"k": "v"})
    raw = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    assert header["__metadata__"] == {"k": "v"}
    assert header["b"]["dtype"] == "F32" and header["a"]["dtype"] == "BF16" and header["b"]["shape"] == [2, 3]
    begin, end = header["b"]["data_offsets"]
    assert np.frombuffer(raw[8 + length + begin : 8 + length + end], np.float32).tolist() == list(range(6))
    _, metadata = mx.load(path, return_metadata=True)
    assert metadata == {"k": "v"}


def test_safetensors_extension(tmp_path: Path) -> None:
    """It is appended."""
    mx.save_safetensors(str(tmp_path / "x"), {"a": sample("float32")})
    assert (tmp_path / "x.safetensors").exists()


def hand_made(header: dict | bytes, data: bytes, length: int | None = None) -> bytes:
    """A file with this header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(begin=0, end=8, shape=(2,), dtype="F32") -> dict:
    """A tensor of a header."""
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def test_safetensors_of_others(tmp_path: Path) -> None:
    """Padding, order and unaligned data as other writers make them."""
    path = tmp_path / "x.safetensors"
    header = (
        json.dumps({"b": entry(1, 9), "a": entry(0, 1, (1,), "U8"), "__metadata__": {"x": "y"}}).encode()
        + b"   "
    )
    path.write_bytes(hand_made(header, b"\x07" + struct.pack("<2f", 1.5, 2.5)))
    loaded = mx.load(str(path))
    assert loaded["a"].tolist() == [7] and loaded["b"].tolist() == [1.5, 2.5]


HOSTILE = {
    "empty": b"",
    "short": b"\x01\x02",
    "length beyond the file": struct.pack("<Q", 1000) + b"{}",
    "huge length": struct.pack("<Q", 2**63) + b"{}",
    "no JSON": hand_made(b"hello", b""),
    "list": hand_made(b"[]", b""),
    "cut JSON": hand_made(b'{"a": {"dtype"', b""),
    "deep JSON": hand_made(b'{"a":' * 10_000, b""),
    "data cut": hand_made({"a": entry()}, b"\0" * 4),
    "negative offsets": hand_made({"a": entry(-8, 0)}, b"\0" * 8),
    "end before begin": hand_made({"a": entry(8, 0)}, b"\0" * 8),
    "size disagrees": hand_made({"a": entry(0, 8, (3,))}, b"\0" * 8),
    "unknown dtype": hand_made({"a": entry(dtype="F99")}, b"\0" * 8),
    "negative shape": hand_made({"a": entry(shape=(-2,))}, b"\0" * 8),
    "product overflows": hand_made({"a": entry(0, 0, (2**32, 2**32, 2**32))}, b""),
    "offsets overflow": hand_made({"a": entry(2**64 - 8, 2**64)}, b"\0" * 8),
    "overlap": hand_made({"a": entry(), "b": entry(4, 12)}, b"\0" * 12),
    "one place twice": hand_made({"a": entry(), "b": entry()}, b"\0" * 8),
    "shape of strings": hand_made({"a": {"dtype": "F32", "shape": ["2"], "data_offsets": [0, 8]}}, b"\0" * 8),
    "entry is a number": hand_made({"a": 5}, b""),
    "no offsets": hand_made({"a": {"dtype": "F32", "shape": [2]}}, b"\0" * 8),
}
# The wheel dies of, or accepts, these.
WHEEL_ACCEPTS = {
    "overlap",
    "one place twice",
    "negative offsets",
    "end before begin",
    "offsets overflow",
    "product overflows",
    "deep JSON",
    "negative shape",
    "size disagrees",
    "shape of strings",
    "data cut",
    "list",
    "entry is a number",
    "no offsets",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_safetensors(what: str, tmp_path: Path) -> None:
    """Each gives an exception."""
    if not target.IS_MICA and what in WHEEL_ACCEPTS:
        pytest.skip("the reference is not asked")
    path = tmp_path / "x.safetensors"
    path.write_bytes(HOSTILE[what])
    with pytest.raises((RuntimeError, ValueError, OSError, MemoryError)):
        mx.eval(mx.load(str(path)))


@pytest.mark.mica_only
def test_random_damage(tmp_path: Path) -> None:
    """A file with random bytes changed or cut off gives arrays or an exception, never a crash."""
    path = tmp_path / "x.safetensors"
    mx.save_safetensors(str(path), {"a": sample("float32", (20, 3)), "b": sample("int8", (7,))}, {"k": "v"})
    good = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(400):
        raw = bytearray(good)
        for _ in range(int(rng.integers(1, 5))):
            raw[int(rng.integers(0, min(len(raw), 250)))] = int(rng.integers(256))
        path.write_bytes(bytes(raw[: int(rng.integers(0, len(raw) + 1))] if rng.random() < 0.3 else raw))
        try:
            mx.eval(mx.load(str(path)))
        except (RuntimeError, ValueError, OSError, MemoryError):
            pass


def test_loading_is_lazy_and_survives_unlinking(tmp_path: Path) -> None:
    """The descriptor is kept; a new file under the same name does not matter."""
    path = tmp_path / "x.safetensors"
    mx.save_safetensors(str(path), {"a": sample("float32")})
    loaded = mx.load(str(path))["a"]
    os.unlink(path)
    assert loaded.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_saving_over_what_is_loaded(tmp_path: Path) -> None:
    """Reading, changing and writing back under one name."""
    path = str(tmp_path / "x.safetensors")
    mx.save_safetensors(path, {"a": sample("float32", (100, 100))})
    for _ in range(3):
        loaded = mx.load(path)
        mx.save_safetensors(path, {"a": loaded["a"] + 1})
    assert mx.load(path)["a"][0, 0].item() == 3.0


@pytest.mark.mica_only
@pytest.mark.parametrize(
    "use",
    [
        lambda x: (x + 1).sum(),
        lambda x: x @ x,
        lambda x: mx.linalg.inv(x, stream=mx.cpu),
        lambda x: mx.linalg.cholesky(x, stream=mx.cpu),
        lambda x: mx.linalg.solve(x, x, stream=mx.cpu),
        lambda x: mx.sort(x),
        lambda x: x[::2, 1:].T,
        lambda x: mx.take(mx.ones((2, 2)), x.astype(mx.int32)),
    ],
)
def test_file_cut_while_in_use(use, tmp_path: Path) -> None:
    """A mapped file that shrinks gives an error that says so, not a signal or a singular matrix."""
    path = tmp_path / "x.safetensors"
    mx.save_safetensors(str(path), {"a": mx.eye(1000)})
    loaded = mx.load(str(path))["a"]
    os.truncate(path, 500_000)
    with pytest.raises(OSError, match="x.safetensors"):
        use(loaded).tolist()
    assert (mx.ones((2,)) + 1).tolist() == [2.0, 2.0]


KILLED = """
import {target} as mx
x = mx.ones((1 << 24,))
mx.eval(x)
print("go", flush=True)
for i in range(100):
    mx.save_safetensors({path!r}, {{"a": x * i}})
"""


@pytest.mark.mica_only
def test_killed_save_leaves_the_old_file(tmp_path: Path) -> None:
    """Whatever the moment, the file is a whole one."""
    path = str(tmp_path / "x.safetensors")
    mx.save_safetensors(path, {"a": mx.zeros((1 << 24,))})
    for delay in (0.05, 0.15, 0.3):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED.format(target=target.TARGET, path=path)], stdout=subprocess.PIPE
        )
        assert process.stdout and process.stdout.readline() == b"go\n"
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        a = mx.load(path)["a"]
        assert a.shape == (1 << 24,) and mx.min(a).item() == mx.max(a).item()


@pytest.mark.parametrize(
    ("wrong", "kind"),
    (
        (lambda p: mx.save_safetensors(p, {"a": 1}), (TypeError, RuntimeError, ValueError)),
        (lambda p: mx.save_safetensors(p, [mx.zeros(1)]), (TypeError, RuntimeError, ValueError)),
        (
            lambda p: mx.save_safetensors(p, {"a": mx.zeros((1,))}, {"k": 1}),
            (TypeError, RuntimeError, ValueError),
        ),
        (
            lambda p: mx.save_safetensors(p, {"a": mx.zeros((1,), dtype=mx.float64)}),
            (RuntimeError, ValueError),
        ),
        (lambda p: mx.load(p + "/missing.safetensors"), (RuntimeError, OSError)),
        (lambda p: mx.load(p + "/missing.npy"), (RuntimeError, OSError)),
        (lambda p: mx.load(p + "x.unknown"), ValueError),
        (lambda p: mx.load(5), (TypeError, ValueError)),
        (
            lambda p: mx.save_safetensors(p + "/no/such/dir/x", {"a": mx.zeros((1,))}),
            (RuntimeError, OSError, ValueError),
        ),
        (lambda p: mx.save(p + "/no/such/dir/x", mx.zeros((1,))), (RuntimeError, OSError, ValueError)),
        (lambda p: mx.save(p, "text"), (TypeError, ValueError)),
    ),
)
def test_wrong_calls(wrong, kind, tmp_path: Path) -> None:
    """Each is an exception that names the trouble."""
    with pytest.raises(kind):
        mx.eval(wrong(str(tmp_path)))


# ---- npy ----
@pytest.mark.parametrize("dtype", [n for n in values.ALL if n != "bfloat16"])
def test_npy_with_numpy(dtype: str, tmp_path: Path) -> None:
    """NumPy reads what we write, and we read what it writes."""
    for i, shape in enumerate(((2, 3), (), (5,), (0, 4), (2, 3, 4))):
        a = sample(dtype, shape)
        path = str(tmp_path / f"{i}.npy")
        mx.save(path, a)
        host = np.load(path)
        assert host.dtype == values.NUMPY[dtype] and np.array_equal(host, values.to_numpy(a))
        assert same(mx.load(path), a)
        np.save(path, values.to_numpy(a))
        assert same(mx.load(path), a)


def test_npy_orders(tmp_path: Path) -> None:
    """Fortran order, views, big endian, the extension."""
    host = np.arange(12, dtype=np.float32).reshape(3, 4)
    for name, x in (("f", np.asfortranarray(host)), ("big", host.astype(">f4"))):
        np.save(tmp_path / f"{name}.npy", x)
        assert np.array_equal(np.array(mx.load(str(tmp_path / f"{name}.npy"))), host)
    mx.save(str(tmp_path / "plain"), mx.array(host).T[::2])
    assert np.array_equal(np.load(tmp_path / "plain.npy"), host.T[::2])
    mx.save(tmp_path / "b.npy", sample("bfloat16"))
    assert same(mx.load(tmp_path / "b.npy"), sample("bfloat16"))


def test_file_objects(tmp_path: Path) -> None:
    """Open files and buffers in memory."""
    with open(tmp_path / "x.npy", "wb") as f:
        mx.save(f, sample("float32"))
    with open(tmp_path / "x.npy", "rb") as f:
        assert same(mx.load(f), sample("float32"))
    buffer = io.BytesIO()
    mx.save_safetensors(buffer, {"a": sample("int8")})
    buffer.seek(0)
    assert same(mx.load(buffer, format="safetensors")["a"], sample("int8"))


@pytest.mark.parametrize(
    "raw",
    (
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00\xff\xff{}",
        b"hello world, this is no array at all" * 4,
        b"\x93NUMPY\x01\x00\x10\x00{'descr': '<f4'  \n",
    ),
    ids=range(5),
)
def test_hostile_npy(raw: bytes, tmp_path: Path) -> None:
    """Each gives an exception."""
    path = tmp_path / "x.npy"
    path.write_bytes(raw)
    if not target.IS_MICA and raw[:2] == b"\x93N":
        pytest.skip("the reference is not asked")
    with pytest.raises((RuntimeError, ValueError, OSError, IndexError)):
        mx.eval(mx.load(str(path)))


def test_npz(tmp_path: Path) -> None:
    """Archives, by names and in order."""
    if not hasattr(mx, "savez"):
        pytest.skip("not there yet")
    mx.savez(str(tmp_path / "x"), sample("float32"), k=sample("int8"))
    loaded = mx.load(str(tmp_path / "x.npz"))
    assert same(loaded["arr_0"], sample("float32")) and same(loaded["k"], sample("int8"))
    with np.load(tmp_path / "x.npz") as host:
        assert sorted(host) == ["arr_0", "k"]


@pytest.mark.mica_only
def test_peak_memory_of_loading_and_casting(tmp_path: Path) -> None:
    """Cast to float16 while loading: the result and a tenth."""
    path = str(tmp_path / "x.safetensors")
    mx.save_safetensors(path, {"a": mx.ones((1 << 23,))})
    mx.clear_cache()
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    a = mx.load(path)["a"].astype(mx.float16)
    mx.eval(a)
    assert mx.get_peak_memory() - before <= a.nbytes * 1.1
