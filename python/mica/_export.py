"""Functions in files: mx.export_function, mx.exporter, mx.import_function, and graphs as DOT.

The engine writes and reads the files (engine/io/export.c); here functions are traced, arguments sorted out.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from mica import core

# typing is left out at run time: its import takes longer than the engine's.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

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


def _trace(
    fun: Callable, positional: list, keywords: dict, shapeless: bool, shapes: list | None = None
) -> tuple[list, list]:
    """Results of a call, and the placeholders that stood for its arguments, of other shapes if so wished."""
    given = [*positional, *keywords.values()]
    if shapes is not None:
        given = [core.broadcast_to(core.zeros((), x.dtype), s) for x, s in zip(given, shapes, strict=True)]
    holders = core._placeholders(given, [False] * len(given))
    copies = [holder.__copy__() for holder in holders]  # the function may write into what it gets
    n = len(positional)
    core._transforming(1)
    outer = core._sizes_vary(shapeless)
    try:
        output = fun(*copies[:n], **dict(zip(keywords, copies[n:], strict=True)))
    finally:
        core._sizes_vary(outer)
        core._transforming(-1)
    results = [output] if isinstance(output, core.array) else output
    if not isinstance(results, (tuple, list)) or not all(isinstance(x, core.array) for x in results):
        raise ValueError(
            "[export_function] Outputs can be either a single array, a tuple, or a list of arrays."
        )
    return list(results), holders


def _path(name: str, file: Any) -> bytes:
    """The bytes of a path."""
    if not isinstance(file, (str, bytes, os.PathLike)):
        raise TypeError(f"[{name}] a path is needed: str, bytes or os.PathLike, not {type(file).__name__}")
    path = os.fsencode(os.fspath(file))
    if b"\0" in path:
        raise ValueError(f"[{name}] a path cannot hold a zero byte")
    return path


def _require_callable(name: str, fun: Any) -> None:
    if not callable(fun):
        raise TypeError(f"[{name}] fun must be callable, not {type(fun).__name__}")


class FunctionExporter:
    """Writes traces of a function, one a call, into one file; made by ``mx.exporter``.

    The file appears when the exporter is closed, which the end of its ``with`` block does.
    A block that is left by an exception writes nothing.
    """

    def __init__(
        self, file: Any, fun: Callable, shapeless: bool, metadata: str | None, format: str = "mica"
    ) -> None:
        text = "" if metadata is None else metadata
        if not isinstance(text, str):
            raise TypeError(f"[export_function] metadata must be a str, not {type(metadata).__name__}")
        if format not in ("mica", "mlx"):
            raise ValueError(f"[export_function] format may be 'mica' or 'mlx', not {format!r}")
        path = _path("exporter", file)
        _require_callable("exporter", fun)
        self._fun = fun
        self._shapeless = bool(shapeless)
        self._file = core._Exporter(path, format == "mlx", bool(shapeless), text)
        self._open = True

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        """Trace the function for arrays of these shapes and types.

        Raises:
            RuntimeError: the signature was exported before, or the exporter is closed.
            ValueError: an argument or a result is no array.
        """
        if not self._open:
            raise RuntimeError("[export_function] Attempting to write after exporting is closed.")
        positional, keywords = _arguments("export_function", args, kwargs)
        state = core.random.state[0]
        results, holders = _trace(self._fun, positional, keywords, self._shapeless)
        after = core.random.state[0]

        def again(shapes: list) -> tuple[list, list] | None:
            """The trace for other shapes, with the keys of the first; None when they are refused."""
            core.random.state[0] = state
            try:
                return _trace(self._fun, positional, keywords, True, shapes)
            except Exception:
                return None
            finally:
                core.random.state[0] = after

        self._file.add(results, holders, list(keywords), again)

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
        self._file.commit()


def exporter(
    file: Any,
    fun: Callable,
    *,
    shapeless: bool = False,
    metadata: str | None = None,
    format: str = "mica",
) -> FunctionExporter:
    """Return a callable that exports a trace of ``fun`` to a file for each call.

    Args:
        file: path.
        fun: takes arrays, returns an array or a tuple or list of arrays.
        shapeless: whether the imported function takes other sizes of the same number of axes. For
            that ``fun`` is traced some dozens of times. Sizes that cannot be followed raise in calls.
        metadata: a text to keep in the file.
        format: ``"mica"``, or ``"mlx"`` for a file that MLX 0.32 imports: not shapeless, and of primitives
            whose parameters it records.

    Returns:
        The exporter, to be used in a ``with`` statement or closed.
    """
    return FunctionExporter(file, fun, shapeless, metadata, format)


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
        file_or_callback: path; or a callable, which is told the graph step by step as MLX tells it: dicts
            of type ``"inputs"``, ``"keyword_inputs"``, ``"outputs"``, ``"constants"``, then ``"primitive"``
            for each operation, with MLX's names and parameters.
        fun: takes arrays, returns an array or a tuple or list of arrays.
        *args: arrays, or one tuple and/or one dict of arrays.
        shapeless: see ``exporter``.
        metadata: a text to keep in the file.
        **kwargs: arrays given by keyword.

    Raises:
        ValueError: an argument or a result is no array, or MLX has no such primitive for a callback.
        OSError or RuntimeError: the file cannot be written.
    """
    if callable(file_or_callback):
        from mica._export_steps import tell

        _require_callable("export_function", fun)
        positional, keywords = _arguments("export_function", args, kwargs)
        steps = core._Exporter(b"", True, False, "")
        steps.add(*_trace(fun, positional, keywords, False), list(keywords), None)
        tell(steps.last(), file_or_callback, _letters)
        return
    _path("export_function", file_or_callback)
    _require_callable("export_function", fun)
    with exporter(file_or_callback, fun, shapeless=shapeless, metadata=metadata) as export:
        export(*args, **kwargs)


# ---- import ----


def import_function(file: Any, return_metadata: bool = False) -> Any:
    """Return the function that a file holds.

    The file is mapped: captured arrays take no memory until they are used. Every operation is checked before
    it is built, so a damaged or hostile file raises and does no harm.

    Args:
        file: path of a file that ``export_function`` or ``exporter`` wrote, here or in MLX.
        return_metadata: whether to return the file's text too.

    Returns:
        A callable that takes arrays, or one tuple and/or one dict of arrays, and returns a tuple of arrays;
        with ``return_metadata`` a tuple of it and the text, which is empty when there is none.

    Raises:
        RuntimeError: the file is not there, not whole, or no exported function of mica.
        ValueError: from the callable, when no exported signature fits the arrays.
    """
    imported = core._Imported(_path("import_function", file))

    def call(*args: Any, **kwargs: Any) -> tuple:
        positional, keywords = _arguments("import_function::call", args, kwargs)
        return tuple(imported.run([*positional, *keywords.values()], list(keywords)))

    return (call, imported.metadata()) if return_metadata else call


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
    if not hasattr(file, "write"):
        _path("export_to_dot", file)
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
