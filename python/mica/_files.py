"""Arrays in files: mx.load, mx.save, mx.savez, mx.save_safetensors, mx.save_gguf.

What a path or file object is gets sorted out here; the engine turns bytes into arrays and back.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable

from mica import core
from mica._streams import Whole, read_file

# typing is left out at run time: its import takes longer than the engine's.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LONGEST_MEMBER = 65_535  # bytes of a member's name: 16 bits in zip files
_METADATA = {"npy": False, "npz": False, "safetensors": True, "gguf": True}


def _path(file: Any, name: str) -> str | None:
    """The path that ``file`` is; None for other objects."""
    if file is None:
        raise TypeError(f"[{name}] file must be a path or a file object, not None")
    if isinstance(file, (str, os.PathLike)):
        path = os.fsdecode(os.fspath(file))
        if "\0" in path:
            raise ValueError(f"[{name}] the path has a null character: {path!r}")
        return path
    return None


# ---- loading ----


def _format_of(file: Any, path: str | None, given: str | None) -> str:
    if given is None:
        name = path if path is not None else getattr(file, "name", None)
        if path is None and name is None:
            raise AttributeError(
                f"[load] a {type(file).__name__} has no name that tells its format; give format='npy', "
                "'npz', 'safetensors' or 'gguf'"
            )
        ending = os.path.basename(name).rpartition(".") if isinstance(name, str) else ("", "", "")
        if not ending[1]:
            raise ValueError(
                f"[load] Could not infer file format from extension of {name!r}; give format='npy', 'npz', "
                "'safetensors' or 'gguf'"
            )
        given = ending[2]
    if not isinstance(given, str):
        raise TypeError(f"[load] format must be a str, not {type(given).__name__}")
    if given not in _METADATA:
        raise ValueError(f"[load] Unknown file format {given}; known are npy, npz, safetensors and gguf")
    return given


def _regular_descriptor(file: Any) -> int | None:
    """The descriptor of a plain file in a file system, whose bytes can be mapped; None for other streams."""
    if type(file).__name__ == "_TemporaryFileWrapper":
        file = file.file
    raw = file.raw if type(file) in (io.BufferedReader, io.BufferedRandom) else file
    # Subclasses may give other bytes than the file has, as those that decompress do.
    if type(raw) is not io.FileIO or not raw.readable():
        return None
    if type(file) is io.BufferedRandom:
        file.flush()
    descriptor = raw.fileno()
    return descriptor if stat.S_ISREG(os.fstat(descriptor).st_mode) else None


def _check_stream(file: Any) -> None:
    if not hasattr(file, "read") or isinstance(file, io.TextIOBase):
        kind = "one in text mode" if hasattr(file, "read") else f"a {type(file).__name__}"
        raise ValueError(
            f"[load] Input must be a file-like object opened in binary mode, or string, not {kind}"
        )


def _load_stream(file: Any, kind: str, stream: Any, metadata: bool) -> Any:
    """Load from where the stream stands, and leave it behind what was used; npz files are whole streams."""
    name = getattr(file, "name", None)
    name = os.path.abspath(name) if isinstance(name, str) else f"<{type(file).__name__}>"
    try:
        start = file.tell()
        if kind == "npz":
            start = file.seek(0)
    except (AttributeError, OSError):
        start = None
    descriptor = _regular_descriptor(file)
    if descriptor is not None:
        result = core._load(descriptor, name, start or 0, stream, kind, metadata)
    else:
        data, used = read_file(file, kind)
        result = core._load(data, name, -1 - used, stream, kind, metadata)
    if start is not None and file.tell() != start + result[-1]:
        file.seek(start + result[-1])
    return result


def load(
    file: Any, /, format: str | None = None, return_metadata: bool = False, *, stream: Any = None
) -> Any:
    """Load arrays from a file.

    Files, given as paths or as open files, are mapped: loading takes no time and the arrays no memory of
    their own. Compressed members of npz files are unpacked when they are used, and checked then; other
    streams are read from where they stand, as far as the file's header says, npz files to the end. A header
    that claims more than the memory limit, or a stream that has more, is a MemoryError.

    Blocks of 4 or 8 bits of gguf files (Q4_0, Q4_1, Q8_0) become three arrays for ``mx.dequantize`` with
    ``group_size=32``: codes under the name, and what ends in ``.scales`` and ``.biases``. Other
    types that there are not here become float16.

    Args:
        file: path, or file object in binary mode.
        format: ``"npy"``, ``"npz"``, ``"safetensors"`` or ``"gguf"``; None for the ending of the path or of
            the file object's name.
        return_metadata: whether to return metadata too (safetensors, gguf).
        stream: stream or device for what has to be converted.

    Returns:
        An array (npy) or a dict of name to array; with ``return_metadata`` a tuple of it and a dict: of
        texts, and in gguf files also of lists of texts and arrays.

    Raises:
        ValueError: an unknown format, metadata of a format that has none, a file object in text mode, an
            element type that there is not here, an npz that is no zip file, an npz or gguf that is not there.
        RuntimeError: another file that is not there, or one that is not of its format.
        MemoryError: a stream or its header wants more than the memory limit.
        OSError: later, where arrays are evaluated, when the file was cut short meanwhile. What is damaged in
            compressed members is a ValueError then.
    """
    path = _path(file, "load")
    if path is None:
        _check_stream(file)
    kind = _format_of(file, path, format)
    if return_metadata and not _METADATA[kind]:
        raise ValueError(f"[load] metadata not supported for format {kind}")
    if path is not None:
        # Where the file lies does not change with the working directory.
        place = os.path.abspath(path)
        try:
            result = core._load(os.fsencode(place), place, 0, stream, kind, return_metadata)
        except RuntimeError as error:
            # What is no file is a ValueError for these two formats in the reference.
            if kind in ("npz", "gguf") and not os.path.isfile(place):
                raise ValueError(str(error)) from None
            raise
    else:
        result = _load_stream(file, kind, stream, return_metadata)
    return result[:2] if return_metadata else result[0]


# ---- saving ----


def _target(file: Any, name: str, ending: str) -> bytes | Callable:
    """The path to write, or a function that writes all it is given to a file object."""
    path = _path(file, name)
    if path is not None:
        return os.fsencode(path if path.endswith(ending) else path + ending)
    if not callable(getattr(file, "write", None)):
        raise ValueError(f"[{name}] Input must be a file-like object, or string, not {type(file).__name__}")
    return Whole(file, name).write


def save(file: Any, arr: core.array) -> None:
    """Save an array to an npy file, which appears or replaces an old one when it is complete.

    Args:
        file: path (``.npy`` is added if it is not there), or file object in binary mode.
        arr: the array; it is evaluated.

    Raises:
        ValueError: ``file`` is neither a path nor a file object.
        RuntimeError: the file cannot be opened.
        OSError: the disk is full or fails.
    """
    target = _target(file, "save", ".npy")
    if not isinstance(arr, core.array):
        raise TypeError(f"[save] arr must be an array, not {type(arr).__name__}")
    core._save_npy(target, arr)


def _save_npz(name: str, file: Any, args: tuple, kwargs: dict[str, Any], compressed: bool) -> None:
    import zipfile

    target = _target(file, name, ".npz")
    values = dict(kwargs)
    for i, value in enumerate(args):
        if f"arr_{i}" in kwargs:
            raise ValueError(f"[{name}] Cannot use un-named variables and keyword arr_{i}")
        values[f"arr_{i}"] = value
    for key in values:
        if len(_encoded(name, key)) > _LONGEST_MEMBER - len(".npy"):
            raise ValueError(
                f"[{name}] the name {key[:20]!r}... has {len(key)} characters; zip files hold names of at "
                f"most {_LONGEST_MEMBER - len('.npy')} bytes"
            )
    arrays = {k: v if isinstance(v, core.array) else core.array(v) for k, v in values.items()}
    core.eval(arrays)
    writer = None
    if isinstance(target, bytes):
        writer = core._Writer(target)
    method = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(Whole(file, name) if writer is None else writer, "w", method) as archive:
        for key, array in arrays.items():
            with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                core._save_npy(member.write, array)
    if writer is not None:
        writer.commit()


def savez(file: Any, *args: Any, **kwargs: Any) -> None:
    """Save arrays to an uncompressed npz file.

    Args:
        file: path (``.npz`` is added if it is not there), or file object in binary mode.
        args: arrays, or what ``mx.array`` makes arrays of; named ``arr_0``, ``arr_1`` ...
        kwargs: the same under their keywords.

    Raises:
        ValueError: a keyword ``arr_0`` ... is taken by an unnamed array; ``file`` is neither a path nor a
            file object.
        OSError: the file cannot be opened (``FileNotFoundError`` for a folder that is not there, and so on,
            as in the reference), or the disk is full or fails.
    """
    _save_npz("savez", file, args, kwargs, compressed=False)


def savez_compressed(file: Any, *args: Any, **kwargs: Any) -> None:
    """Save arrays to a compressed npz file: as ``savez``, deflated."""
    _save_npz("savez_compressed", file, args, kwargs, compressed=True)


def _encoded(name: str, key: str) -> bytes:
    """The name of an array as files hold it."""
    try:
        return key.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"[{name}] the name {key!r} has half of a surrogate pair, which UTF-8 does not have"
        ) from None


def _check_arrays(name: str, arrays: Any) -> None:
    """Raise TypeError unless ``arrays`` is a dict of str to array, ValueError for names that are no text."""
    if not isinstance(arrays, dict):
        raise TypeError(f"[{name}] arrays must be a dict of names to arrays, not {type(arrays).__name__}")
    for key, array in arrays.items():
        if not isinstance(key, str) or not isinstance(array, core.array):
            raise TypeError(
                f"[{name}] arrays must be a dict of str to array; it has {key!r}: {type(array).__name__}"
            )
        _encoded(name, key)


def save_safetensors(
    file: Any, arrays: dict[str, core.array], metadata: dict[str, str] | None = None
) -> None:
    """Save arrays to a safetensors file, which appears or replaces an old one when it is complete.

    Args:
        file: path (``.safetensors`` is added if it is not there), or file object in binary mode.
        arrays: names and arrays; they are evaluated.
        metadata: texts about them.

    Raises:
        TypeError: ``arrays`` is no dict of str to array, or ``metadata`` no dict.
        ValueError: metadata that are not texts, or ``file`` is neither a path nor a file object.
        RuntimeError: the file cannot be opened, or an array is float64, as in the reference.
        OSError: the disk is full or fails.
    """
    name = "save_safetensors"
    target = _target(file, name, ".safetensors")
    _check_arrays(name, arrays)
    for key, array in arrays.items():
        if array.dtype == core.float64:
            raise RuntimeError(
                f"[{name}] {key!r} is float64, which safetensors files of MLX do not hold; accepted are "
                "all other dtypes: convert it with astype(mx.float32), or use mx.save"
            )
    if metadata is not None and not isinstance(metadata, dict):
        raise TypeError(f"[{name}] metadata must be a dict of str to str, not {type(metadata).__name__}")
    for key, text in (metadata or {}).items():
        if not isinstance(key, str) or not isinstance(text, str):
            raise ValueError(
                f"[{name}] Metadata must be a dictionary with string keys and values, not {key!r}: {text!r}"
            )
        for part in (key, text):
            _encoded(name, part)
    core._save_safetensors(target, arrays, metadata or {})


def save_gguf(
    file: Any, arrays: dict[str, core.array], metadata: dict[str, core.array | str | list[str]] | None = None
) -> None:
    """Save arrays to a gguf file, which appears or replaces an old one when it is complete.

    Args:
        file: path (``.gguf`` is added if it is not there), or file object in binary mode.
        arrays: names and arrays of float32, float16, int8, int16 or int32; they are evaluated.
        metadata: values about them: texts, lists of texts, or arrays of at most one axis.

    Raises:
        TypeError: ``arrays`` is no dict of str to array, or ``metadata`` no dict.
        ValueError: a value of another kind or of an element type that gguf files do not have, or ``file`` is
            neither a path nor a file object.
        RuntimeError: the file cannot be opened, or an array is of another element type.
        OSError: the disk is full or fails.
    """
    target = _target(file, "save_gguf", ".gguf")
    _check_arrays("save_gguf", arrays)
    if metadata is not None and not isinstance(metadata, dict):
        raise TypeError(f"[save_gguf] metadata must be a dict, not {type(metadata).__name__}")
    for key in metadata or {}:
        if not isinstance(key, str):
            raise TypeError(f"[save_gguf] names of metadata must be str, not {key!r}")
    core._save_gguf(target, arrays, metadata or {})
