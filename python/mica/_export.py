"""Functions in files: mx.export_function, mx.exporter, mx.import_function, and graphs as DOT.

A file is a magic number, the version of the format, a JSON header (signatures, metadata), the graph of each
signature as the engine writes it, and a SHA-256 digest of all before. The digest finds damage, not
malice: like a program, an exported function must come from where it is trusted.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable

from mica import core

# typing is left out at run time: its import takes longer than the engine's.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MAGIC = b"MICAFUNC"
_VERSION = 1
_DIGEST = 32
_INPUTS = (
    "[{}] Inputs can either be a variable number of positional and keyword arrays or a single tuple and/or "
    "dictionary of arrays."
)


def _arguments(name: str, args: tuple, kwargs: dict) -> tuple[list, dict]:
    """Positional and keyword arrays, however they were given; keywords in order of their names."""
    positional, keywords = list(args), kwargs
    if not kwargs and 1 <= len(args) <= 2 and not isinstance(args[0], core.array):
        if len(args) == 1 and isinstance(args[0], dict):
            positional, keywords = [], args[0]
        elif isinstance(args[0], (tuple, list)) and (len(args) == 1 or isinstance(args[1], dict)):
            positional, keywords = list(args[0]), args[1] if len(args) == 2 else {}
    if not all(isinstance(x, core.array) for x in (*positional, *keywords.values())) or not all(
        isinstance(k, str) for k in keywords
    ):
        raise ValueError(_INPUTS.format(name))
    return positional, dict(sorted(keywords.items()))


def _type_of(x: core.array) -> list:
    return [list(x.shape), str(x.dtype).rpartition(".")[2]]


def _matches(x: list, want: list, shapeless: bool) -> bool:
    same = len(x[0]) == len(want[0]) if shapeless else x[0] == want[0]
    return same and x[1] == want[1]


def _describe(positional: list, keywords: dict) -> str:
    """Inputs as lines for messages."""
    names = [*range(1, len(positional) + 1), *(f'"{k}"' for k in keywords)]
    types = [*positional, *keywords.values()]
    lines = [f"{n}: ({','.join(map(str, t[0]))}) {t[1]}" for n, t in zip(names, types, strict=True)]
    head = f"{len(positional)} positional inputs and {len(keywords)} keyword inputs:"
    return "\n".join([head, *("  " + line for line in lines)])


class _Signature:
    """Types of the inputs of one exported graph."""

    def __init__(self, positional: list, keywords: dict) -> None:
        self.positional = positional
        self.keywords = keywords

    @classmethod
    def of(cls, positional: list, keywords: dict) -> _Signature:
        return cls([_type_of(x) for x in positional], {k: _type_of(x) for k, x in keywords.items()})

    def accepts(self, other: _Signature, shapeless: bool) -> bool:
        """Whether arrays of the other's types may be given."""
        mine, others = self.positional, other.positional
        return (
            len(mine) == len(others)
            and self.keywords.keys() == other.keywords.keys()
            and all(_matches(x, want, shapeless) for x, want in zip(others, mine, strict=True))
            and all(_matches(other.keywords[k], want, shapeless) for k, want in self.keywords.items())
        )


def _trace(fun: Callable, positional: list, keywords: dict) -> bytes:
    """The graph of a call as bytes."""
    given = [*positional, *keywords.values()]
    holders = core._placeholders(given, [False] * len(given))
    copies = [holder.__copy__() for holder in holders]  # the function may write into what it gets
    n = len(positional)
    core._transforming(1)
    try:
        output = fun(*copies[:n], **dict(zip(keywords, copies[n:], strict=True)))
    finally:
        core._transforming(-1)
    results = [output] if isinstance(output, core.array) else output
    if not isinstance(results, (tuple, list)) or not all(isinstance(x, core.array) for x in results):
        raise ValueError(
            "[export_function] Outputs can be either a single array, a tuple, or a list of arrays."
        )
    return core._graph_bytes(list(results), holders)


class FunctionExporter:
    """Writes traces of a function, one a call, into one file; made by ``mx.exporter``.

    The file appears when the exporter is closed, which the end of its ``with`` block does.
    A block that is left by an exception writes nothing.
    """

    def __init__(self, file: Any, fun: Callable, shapeless: bool, metadata: str | None) -> None:
        self._path = os.fsencode(os.fspath(file))
        self._fun = fun
        self._shapeless = bool(shapeless)
        self._metadata = "" if metadata is None else metadata
        self._traces: list[tuple[_Signature, bytes]] = []
        self._open = True
        if not isinstance(self._metadata, str):
            raise TypeError(f"[export_function] metadata must be a str, not {type(metadata).__name__}")

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        """Trace the function for arrays of these shapes and types.

        Raises:
            RuntimeError: the signature was exported before, or the exporter is closed.
            ValueError: an argument or a result is no array.
        """
        if not self._open:
            raise RuntimeError("[export_function] Attempting to write after exporting is closed.")
        positional, keywords = _arguments("export_function", args, kwargs)
        signature = _Signature.of(positional, keywords)
        if any(known.accepts(signature, self._shapeless) for known, _ in self._traces):
            raise RuntimeError(
                "[export_function] Attempting to export a function twice with the same signature is "
                "not allowed."
            )
        self._traces.append((signature, _trace(self._fun, positional, keywords)))

    def __enter__(self) -> FunctionExporter:
        return self

    def __exit__(self, exc_type: Any = None, exc_value: Any = None, traceback: Any = None) -> None:
        if exc_type is None:
            self.close()
        self._open = False

    def close(self) -> None:
        """Write the file; further calls do nothing."""
        if not self._open:
            return
        self._open = False
        functions = [
            {"positional": s.positional, "keywords": s.keywords, "bytes": len(graph)}
            for s, graph in self._traces
        ]
        header = {"metadata": self._metadata, "shapeless": self._shapeless, "functions": functions}
        text = json.dumps(header).encode()
        parts = [_MAGIC, _VERSION.to_bytes(8, "little"), len(text).to_bytes(8, "little"), text]
        data = b"".join(parts + [graph for _, graph in self._traces])
        writer = core._Writer(self._path)
        writer.write(data)
        writer.write(hashlib.sha256(data).digest())
        writer.commit()


def exporter(
    file: Any, fun: Callable, *, shapeless: bool = False, metadata: str | None = None
) -> FunctionExporter:
    """Return a callable that exports a trace of ``fun`` to a file for each call.

    Args:
        file: path.
        fun: takes arrays, returns an array or a tuple or list of arrays.
        shapeless: whether the imported function takes other sizes of the same number of axes; those pass
            through element-wise operations only.
        metadata: a text to keep in the file.

    Returns:
        The exporter, to be used in a ``with`` statement or closed.
    """
    return FunctionExporter(file, fun, shapeless, metadata)


def export_function(
    file_or_callback: Any,
    fun: Callable,
    *args: Any,
    shapeless: bool = False,
    metadata: str | None = None,
    **kwargs: Any,
) -> None:
    """Export the graph of ``fun`` for arrays of the given shapes and types to a file.

    Args:
        file_or_callback: path. Callbacks are refused.
        fun: takes arrays, returns an array or a tuple or list of arrays.
        *args: arrays, or one tuple and/or one dict of arrays.
        shapeless: see ``exporter``.
        metadata: a text to keep in the file.
        **kwargs: arrays given by keyword.

    Raises:
        ValueError: an argument or a result is no array, or a callback is given.
        OSError or RuntimeError: the file cannot be written.
    """
    if callable(file_or_callback):
        raise ValueError("[export_function] callbacks are not taken: give the path of a file")
    with exporter(file_or_callback, fun, shapeless=shapeless, metadata=metadata) as export:
        export(*args, **kwargs)


# ---- import ----


def _parse(path: str, data: bytes) -> tuple[dict, list[tuple[_Signature, bytes]]]:
    """Header and graphs of a file's bytes."""
    if data[:8] != _MAGIC:
        length = int.from_bytes(data[:8], "little")
        if 0 < length < 64 and data[8 : 8 + length].replace(b".", b"").isalnum():
            version = data[8 : 8 + length].decode("ascii")
            raise RuntimeError(
                f"[import_function] {path} was exported by MLX {version}; only mica's files can be imported: "
                "export the function again"
            )
        raise RuntimeError(f"[import_function] {path} is not an exported function")
    version = int.from_bytes(data[8:16], "little")
    if len(data) >= 16 and version != _VERSION:
        raise RuntimeError(
            f"[import_function] {path} has version {version} of the format, known is {_VERSION}"
        )
    if len(data) < 24 + _DIGEST or hashlib.sha256(data[:-_DIGEST]).digest() != data[-_DIGEST:]:
        raise RuntimeError(f"[import_function] {path} is damaged or not complete")
    at = 24 + int.from_bytes(data[16:24], "little")
    try:
        header = json.loads(data[24:at])
        traces = []
        for function in header["functions"]:
            graph = data[at : at + function["bytes"]]
            traces.append((_Signature(function["positional"], function["keywords"]), graph))
            at += len(graph)
        return {"metadata": header["metadata"], "shapeless": header["shapeless"]}, traces
    except (ValueError, KeyError, TypeError) as error:
        raise RuntimeError(f"[import_function] the header of {path} cannot be read: {error}") from error


class _Imported:
    """The function of a file: a program for each signature, built when it is first called."""

    def __init__(self, header: dict, traces: list) -> None:
        self._shapeless = header["shapeless"]
        self._traces = traces
        self._programs: dict[tuple, tuple] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> tuple:
        positional, keywords = _arguments("import_function::call", args, kwargs)
        given = _Signature.of(positional, keywords)
        inputs = [*positional, *keywords.values()]
        for i, (signature, graph) in enumerate(self._traces):
            if signature.accepts(given, self._shapeless):
                key = (i, *(x.shape for x in inputs)) if self._shapeless else (i,)
                program, n = self._programs.get(key) or self._make(key, graph, inputs)
                return tuple(core._run(program, inputs, n))
        known = "\n".join(
            f" {i}. Function with " + _describe(s.positional, s.keywords).replace("\n", "\n ")
            for i, (s, _) in enumerate(self._traces, 1)
        )
        raise ValueError(
            "[import_function::call] No imported function found which matches the given positional and "
            f"keyword arguments. Possible functions include:\n{known}\n\n"
            f"Called with {_describe(given.positional, given.keywords)}\n"
        )

    def _make(self, key: tuple, graph: bytes, inputs: list) -> tuple:
        holders = core._placeholders(inputs, [False] * len(inputs))
        results = core._graph_arrays(graph, holders)
        while len(self._programs) >= 256:
            self._programs.pop(next(iter(self._programs)))
        made = self._programs[key] = (core._program(results, holders), len(results))
        return made


def import_function(file: Any, return_metadata: bool = False) -> Any:
    """Return the function that a file holds.

    Import only files that are trusted, as with programs: parameters of operations are taken as they stand,
    and wrong ones can read outside of arrays.

    Args:
        file: path of a file that ``export_function`` or ``exporter`` wrote.
        return_metadata: whether to return the file's text too.

    Returns:
        A callable that takes arrays, or one tuple and/or one dict of arrays, and returns a tuple of arrays;
        with ``return_metadata`` a tuple of it and the text, which is empty when there is none.

    Raises:
        RuntimeError: the file is not there, not whole, or no exported function of mica.
        ValueError: from the callable, when no exported signature fits the arrays.
    """
    path = os.fsdecode(os.fspath(file))
    try:
        with open(path, "rb") as stream:
            data = stream.read()
    except OSError as error:
        raise RuntimeError(f"[import_function] Failed to open {path}: {error.strerror}") from error
    header, traces = _parse(path, data)
    imported = _Imported(header, traces)

    def call(*args: Any, **kwargs: Any) -> tuple:
        return imported(*args, **kwargs)

    return (call, header["metadata"]) if return_metadata else call


# ---- DOT ----


def _letters(n: int) -> str:
    """A, B, ..., Z, AA, ..."""
    text = ""
    n += 1
    while n:
        n, digit = divmod(n - 1, 26)
        text = chr(65 + digit) + text
    return text


def _quote(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _flat(tree: Any) -> list:
    if isinstance(tree, core.array):
        return [tree]
    if isinstance(tree, (tuple, list, dict)):
        return [x for v in (tree.values() if isinstance(tree, dict) else tree) for x in _flat(v)]
    raise ValueError("[export_to_dot] The argument should contain only arrays")


def export_to_dot(file: Any, *args: Any, **kwargs: Any) -> None:
    """Write the graph behind arrays that are not evaluated yet as a DOT digraph.

    Args:
        file: path, or file object in text mode.
        *args: the arrays, or trees of them.
        **kwargs: further arrays, with their names in the graph.

    Raises:
        ValueError: an argument holds something else than arrays.
    """
    outputs = [x for tree in (*args, *kwargs.values()) for x in _flat(tree)]
    names = {core._key(x): k for k, x in kwargs.items() if isinstance(x, core.array)}
    sinks = {core._key(x) for x in outputs}
    lines, seen, used = ["digraph {"], set(), 0

    def name_of(key: int) -> str:
        nonlocal used
        if key not in names:
            names[key] = _letters(used)
            used += 1
        return _quote(names[key])

    pending = [(x, False) for x in reversed(outputs)]
    while pending:  # inputs first, without recursion: graphs are deep
        x, ready = pending.pop()
        primitive, node, keys, inputs = core._node(x)
        if node in seen:
            continue
        if not ready and primitive is not None:
            pending.append((x, True))
            pending.extend((i, False) for i in reversed(inputs))
            continue
        seen.add(node)
        if primitive is None:
            lines.append(f"{{ rank=source; {name_of(node)}; }}")
            continue
        box = node
        lines.append(f'{{ {box} [label ="{primitive}", shape=rectangle]; }}')
        lines.extend(f"{name_of(core._key(i))} -> {box}" for i in inputs)
        for key in keys:
            rank = "rank=sink; " if key in sinks else ""
            lines.append(f"{{ {rank}{name_of(key)}; }}")
            lines.append(f"{box} -> {name_of(key)}")
    text = "\n".join([*lines, "}"]) + "\n"
    if hasattr(file, "write"):
        file.write(text)
    else:
        with open(os.fspath(file), "w", encoding="utf-8") as stream:
            stream.write(text)
