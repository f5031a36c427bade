"""Streams of Python as files: written whole, whatever they take at a time, and read as far as a file goes."""

from __future__ import annotations

import errno
import io
import os

from mica import core

# typing is left out at run time: its import takes longer than the engine's.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What is read at a time: headers can claim more than there is.
_PIECE = 1 << 24


class Whole:
    """A file object whose ``write`` takes all it is given.

    Unbuffered streams may take less; then they get the rest, and where they take nothing for now, that is an
    error. All else is the file object's.
    """

    def __init__(self, file: Any, name: str) -> None:
        self._file = file
        self._name = name
        self._written = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, data: bytes) -> int:
        """Write all of ``data``.

        Raises:
            BlockingIOError: a stream that does not block takes nothing now; ``characters_written`` counts
                what it has taken of the file.
            OSError: it takes nothing, or says that it has taken more than there was.
        """
        n = len(data)
        taken = self._take(data, n)
        done, view = taken, memoryview(data)
        while done < n:
            # Little more than what was taken: a stream that takes few bytes is not given copies of all.
            piece = bytes(view[done : done + max(4 * taken, 4096)])
            taken = self._take(piece, len(piece))
            done += taken
        return n

    def _take(self, piece: bytes, n: int) -> int:
        taken = self._file.write(piece)
        if taken is None and n and isinstance(self._file, io.RawIOBase):
            raise BlockingIOError(
                errno.EAGAIN,
                f"[{self._name}] the stream does not block and takes nothing now; give one that blocks, or "
                "save to io.BytesIO and write its bytes when the stream takes them",
                self._written,
            )
        if not isinstance(taken, int):
            taken = n  # what objects return that only look like streams says nothing
        if not 0 < taken <= n and n:
            raise OSError(errno.EIO, f"[{self._name}] the file's write method took {taken} of {n} bytes")
        self._written += taken
        return taken


def _read(file: Any, n: int) -> bytes:
    """At most ``n`` bytes, or all where n is negative."""
    data = file.read(n)
    if data is None and isinstance(file, io.RawIOBase):
        raise BlockingIOError(
            errno.EAGAIN, "[load] the stream does not block and has nothing now; give one that blocks"
        )
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise ValueError(
            "[load] Input must be a file-like object opened in binary mode; "
            f"read() gave {type(data).__name__}"
        )
    return data


def _read_up_to(file: Any, data: bytearray, n: int) -> bool:
    """Add what is missing to ``n`` bytes. False when the stream ends before."""
    while len(data) < n:
        piece = _read(file, min(n - len(data), _PIECE))
        if not piece:
            return False
        data += piece
    return True


def _has_end(file: Any) -> bool:
    """Whether a stream that has been read from knows an end behind that. Devices have none, or say 0."""
    try:
        place = file.tell()
        end = file.seek(0, os.SEEK_END)
        file.seek(place)
    except (AttributeError, OSError):
        return False
    return isinstance(end, int) and end >= place > 0


def _fits(file: Any, data: bytearray, n: int) -> bool:
    """Whether the stream may go on to ``n`` bytes; False where it ends soon, and ``data`` is all it has.

    Raises:
        MemoryError: so many would pass the memory limit, and the stream goes on.
    """
    try:
        core._check_room(n)
    except MemoryError:
        # A damaged header claims anything: then the file is to be named, not the memory.
        if _read_up_to(file, data, min(n, len(data) + _PIECE)):
            raise
        return False
    return True


def _read_known(file: Any, data: bytearray, n: int) -> tuple[Any, int]:
    """The ``n`` bytes that begin with ``data`` in memory of the engine, and how many came."""
    if not _fits(file, data, n):
        return data, 0
    room, done = core._room(n), len(data)
    core._fill(room, 0, data)
    data.clear()
    while done < n and (piece := _read(file, min(n - done, _PIECE))):
        piece = piece[: n - done]  # what only looks like a stream may give more
        core._fill(room, done, piece)
        done += len(piece)
    return room, done


def _read_to_end(file: Any, data: bytearray) -> tuple[Any, int]:
    """All bytes of a stream that begins with ``data``, and how many there are."""
    pieces: list[Any] = [bytes(data)]
    n = len(data)
    while piece := _read(file, _PIECE):
        pieces.append(piece)
        n += len(piece)
        core._check_room(n)
    room, done = core._room(n), 0
    for i, piece in enumerate(pieces):
        core._fill(room, done, piece)
        done += len(piece)
        pieces[i] = None
    return room, n


def read_file(file: Any, kind: str) -> tuple[Any, int]:
    """The file that begins where a stream stands: its bytes, or memory of the engine and how much is used.

    The stream is read as far as the file's header says, or to its end where that is not told; only a
    little where the beginning is of another format, since streams may have no end.

    Raises:
        MemoryError: the header claims, or the stream has, more than the memory limit allows.
    """
    data = bytearray()
    if kind == "npz":
        whole = _read_up_to(file, data, 2)
        # Programs may stand in front of archives: those are found from their end.
        return _read_to_end(file, data) if whole and (data == b"PK" or _has_end(file)) else (data, 0)
    while True:
        needed, known = core._needed(kind, data)
        if needed <= len(data):
            return data, 0
        if known:
            return _read_known(file, data, needed)
        if not _fits(file, data, needed) or not _read_up_to(file, data, needed):
            return data, 0
