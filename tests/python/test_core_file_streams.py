"""Files in streams that take little, take nothing, have no end, or stay open."""

from __future__ import annotations

import io
import os
import struct
import threading
from collections.abc import Callable

import mica.core as mx
import pytest

SAVERS: dict[str, tuple[str, Callable]] = {
    "save": ("npy", mx.save),
    "savez": ("npz", lambda file, x: mx.savez(file, x=x)),
    "savez_compressed": ("npz", lambda file, x: mx.savez_compressed(file, x=x)),
    "save_safetensors": ("safetensors", lambda file, x: mx.save_safetensors(file, {"x": x})),
    "save_gguf": ("gguf", lambda file, x: mx.save_gguf(file, {"x": x})),
}


class Sink(io.RawIOBase):
    """Takes at most 100 bytes at a time, and nothing after ``room`` calls; cannot be seeked."""

    def __init__(self, room: int = 1 << 62) -> None:
        self.bytes = bytearray()
        self.room = room

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int | None:
        self.room -= 1
        if self.room < 0:
            return None
        some = bytes(data)[:100]  # type: ignore[call-overload]
        self.bytes += some
        return len(some)


class Source(io.RawIOBase):
    """Gives a beginning and then zeros; more than ``most`` of them are not to be asked for."""

    def __init__(self, start: bytes, most: int) -> None:
        self.start = start
        self.most = most
        self.given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, room: memoryview) -> int:  # type: ignore[override]
        part = self.start[self.given : self.given + len(room)] or bytes(min(len(room), 4096))
        room[: len(part)] = part
        self.given += len(part)
        assert self.given <= self.most, "it is read without end"
        return len(part)


def content(loaded: object) -> mx.array:
    """The array of a file, or that of its only name."""
    return loaded["x"] if isinstance(loaded, dict) else loaded  # type: ignore[return-value]


@pytest.mark.parametrize("name", SAVERS)
def test_streams_that_take_little(name: str) -> None:
    """All of the file arrives, in many pieces."""
    kind, save = SAVERS[name]
    x, sink = mx.random.normal((700,)), Sink()
    save(sink, x)
    assert mx.array_equal(content(mx.load(io.BytesIO(bytes(sink.bytes)), format=kind)), x).item()


@pytest.mark.parametrize("name", SAVERS)
def test_streams_that_take_nothing(name: str) -> None:
    """None of a stream that does not block is no success; other objects may return what they like."""
    kind, save = SAVERS[name]
    x = mx.arange(24.0)
    sink = Sink(room=1)
    with pytest.raises(BlockingIOError, match=name) as found:
        save(sink, x)
    assert found.value.characters_written == len(sink.bytes)

    class Log:
        parts: list = []

        def write(self, data: bytes) -> None:
            self.parts.append(bytes(data))

        def flush(self) -> None:
            pass

    Log.parts = []
    save(Log(), x)
    assert mx.array_equal(content(mx.load(io.BytesIO(b"".join(Log.parts)), format=kind)), x).item()


@pytest.mark.parametrize("kind", ("npy", "npz", "safetensors", "gguf"))
@pytest.mark.parametrize("start", (b"", b"no such format", b"\x93NUMPY\x02\x00\xff\xff\xff\xff"))
def test_streams_without_end(kind: str, start: bytes) -> None:
    """A wrong beginning is refused after little has been read."""
    with pytest.raises((RuntimeError, ValueError)):
        mx.load(io.BufferedReader(Source(start, 1 << 20)), format=kind)


def npy_claiming(n: int) -> bytes:
    """The header of an array of n bytes."""
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({n},), }}".encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header


def safetensors_claiming(n: int) -> bytes:
    """The header of a tensor of n bytes."""
    header = b'{"x":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}' % (n, n)
    return struct.pack("<Q", len(header)) + header


def gguf_claiming(n: int) -> bytes:
    """The header of a tensor of n bytes."""
    return b"GGUF" + struct.pack("<IQQQsIQIQ", 3, 1, 0, 1, b"x", 1, n, 24, 0)


CLAIMS: dict[str, tuple[str, bytes]] = {
    "npy": ("npy", npy_claiming(1 << 45)),
    "npy, more than any machine": ("npy", npy_claiming(1 << 62)),
    "safetensors": ("safetensors", safetensors_claiming(1 << 45)),
    "safetensors, more than any machine": ("safetensors", safetensors_claiming(1 << 62)),
    "gguf": ("gguf", gguf_claiming(1 << 45)),
    "gguf, a text": ("gguf", b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1 << 45)),
    "gguf, a list": ("gguf", b"GGUF" + struct.pack("<IQQQsIIQ", 3, 0, 1, 1, b"k", 9, 8, 1 << 50)),
    "gguf, tensors": ("gguf", b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0)),
    "gguf, values": ("gguf", b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 63)),
    "npz": ("npz", b"PK\3\4"),
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_claims_without_end(claim: str) -> None:
    """What a header claims, and a stream has, beyond the memory limit is an error before it is read."""
    kind, start = CLAIMS[claim]
    limit = mx.get_memory_limit()
    mx.set_memory_limit(mx.get_active_memory() + (64 << 20))
    try:
        with pytest.raises(MemoryError, match=r"bytes.*active.*limit"):
            mx.load(io.BufferedReader(Source(start, 100 << 20)), format=kind)
        if kind != "npz":
            with pytest.raises(MemoryError, match=r"bytes.*active.*limit"):
                mx.load(io.BufferedReader(Source(start, 20 << 20)), format=kind)
    finally:
        mx.set_memory_limit(limit)


@pytest.mark.parametrize("claim", CLAIMS)
def test_claims_that_end(claim: str) -> None:
    """A stream that ends before what its header claims is not complete, whatever the claim."""
    kind, start = CLAIMS[claim]
    for more in (0, 3, 100_000):
        with pytest.raises((RuntimeError, ValueError), match="incomplete|too early|ends|longer|more|zip"):
            mx.load(io.BytesIO(start + bytes(more)), format=kind)


def test_headers_without_end() -> None:
    """Headers are bounded by their formats: 100 MB of safetensors, a megabyte of npy."""
    with pytest.raises(RuntimeError, match="at most 100000000 may be header"):
        mx.load(io.BufferedReader(Source(struct.pack("<Q", 100_000_001), 1 << 20)), format="safetensors")
    with pytest.raises(RuntimeError, match="header that is no JSON"):
        mx.load(io.BufferedReader(Source(struct.pack("<Q", 100_000_000), 101 << 20)), format="safetensors")
    with pytest.raises(RuntimeError, match="longer than a megabyte"):
        mx.load(
            io.BufferedReader(Source(b"\x93NUMPY\2\0" + struct.pack("<I", 1 << 31), 1 << 20)), format="npy"
        )


def test_gguf_in_a_longer_stream() -> None:
    """A gguf file is read as far as its header says, whatever follows; its header may be long."""
    file = io.BytesIO()
    texts = [f"token {i}" * 10 for i in range(5000)]
    mx.save_gguf(file, {"x": mx.arange(1000.0), "y": mx.ones((3,))}, {"list": texts})
    stream = io.BufferedReader(Source(file.getvalue(), len(file.getvalue()) + (1 << 20)))
    loaded, metadata = mx.load(stream, format="gguf", return_metadata=True)
    assert mx.array_equal(loaded["x"], mx.arange(1000.0)).item() and loaded["y"].tolist() == [1, 1, 1]
    assert metadata["list"] == texts


def test_streams_are_held_once() -> None:
    """The memory of what is read from a stream is taken once, and counted by the byte."""
    before = mx.get_active_memory()
    start = npy_claiming(40 << 20)
    mx.reset_peak_memory()
    x = mx.load(io.BufferedReader(Source(start, 41 << 20)), format="npy")
    held = mx.get_active_memory() - before
    assert 40 << 20 <= held <= 42 << 20 and mx.get_peak_memory() - before == held
    assert mx.get_array_buffer_size(x) == 40 << 20
    del x
    assert mx.get_active_memory() == before


@pytest.mark.parametrize("name", ("save", "save_safetensors"))
def test_streams_that_stay_open(name: str) -> None:
    """Files one behind the other in a pipe that nobody closes."""
    kind, save = SAVERS[name]
    ends = [os.fdopen(end, mode) for end, mode in zip(os.pipe(), ("rb", "wb"), strict=True)]
    found: list[mx.array] = []

    def read() -> None:
        found.extend(content(mx.load(ends[0], format=kind)) for _ in range(2))

    reader = threading.Thread(target=read, daemon=True)
    try:
        for start in (0, 100):
            save(ends[1], mx.arange(start, start + 10))
        ends[1].flush()
        reader.start()
        reader.join(60)
        assert len(found) == 2, "it waits for the end of the pipe"
    finally:
        ends[1].close()
        reader.join(60)
        ends[0].close()
    assert [x[0].item() for x in found] == [0, 100]


@pytest.mark.parametrize("name", ("save", "save_safetensors"))
def test_streams_that_end_early(name: str) -> None:
    """What a header promises and the stream has not."""
    kind, save = SAVERS[name]
    whole = io.BytesIO()
    save(whole, mx.arange(1000.0))
    for n in (3, 9, 50, len(whole.getvalue()) - 1):
        with pytest.raises(RuntimeError):
            mx.load(io.BytesIO(whole.getvalue()[:n]), format=kind)


@pytest.mark.parametrize("kind", ["npy", "safetensors", "gguf"])
@pytest.mark.parametrize("opened", ["file", "memory"])
def test_files_one_behind_the_other(kind: str, opened: str, tmp_path) -> None:
    """Loading leaves the stream behind what belongs to the file, wherever the stream's bytes are."""
    save = next(save for ending, save in SAVERS.values() if ending == kind)
    with open(tmp_path / "f", "wb+") if opened == "file" else io.BytesIO() as file:
        for i in range(3):
            save(file, mx.arange(5.0) * i)
        end = file.tell()
        file.seek(0)
        for i in range(3):
            loaded = mx.load(file, format=kind)
            x = loaded if kind == "npy" else loaded["x"]
            assert x.tolist() == [0.0, i, 2 * i, 3 * i, 4 * i]
        assert file.tell() == end


@pytest.mark.parametrize(
    ("save", "text"),
    [
        (lambda path: mx.savez(path, **{"n" * 70_000: mx.ones(1)}), "names of at most 65531 bytes"),
        (lambda path: mx.savez(path, **{"a\ud800": mx.ones(1)}), "half of a surrogate pair"),
        (lambda path: mx.save_safetensors(path, {"a\ud800": mx.ones(1)}), "half of a surrogate pair"),
        (lambda path: mx.save_gguf(path, {"a\ud800": mx.ones(1)}), "half of a surrogate pair"),
        (lambda path: mx.save_safetensors(path, {"a": mx.ones(1)}, {"k": "\ud800"}), "half of a surrogate"),
    ],
)
def test_names_that_files_cannot_hold(save, text, tmp_path) -> None:
    """Named, and nothing is written."""
    with pytest.raises(ValueError, match=text):
        save(str(tmp_path / "f"))
    assert not list(tmp_path.iterdir())
