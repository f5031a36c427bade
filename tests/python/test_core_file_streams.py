"""Files in streams that take little, take nothing, have no end, or stay open."""

from __future__ import annotations

import io
import os
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
