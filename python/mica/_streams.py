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
# How files begin whose headers do not tell where they end.
_MAGIC = {"npz": b"PK", "gguf": b"GGUF"}


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


def read_file(file: Any, kind: str) -> bytearray:
    """The bytes of the file that begins where a stream stands.

    The stream is read as far as the file's header says, or to its end where that is not told; only a
    little where the beginning is of another format, since streams may have no end.
    """
    data = bytearray()
    if kind in _MAGIC:
        magic = _MAGIC[kind]
        whole = _read_up_to(file, data, len(magic))
        # Programs may stand in front of archives: those are found from their end.
        if whole and (data == magic or (kind == "npz" and _has_end(file))):
            while piece := _read(file, -1):
                data += piece
        return data
    while (needed := core._needed(kind, data)) > len(data) and _read_up_to(file, data, needed):
        pass
    return data
