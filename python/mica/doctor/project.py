"""Files of a project, and what they define: modules, functions and classes."""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mica.doctor.relevance import import_files, import_folders
from mica.doctor.values import Value

MAX_DEPTH = 200
MAX_BYTES = 5_000_000
# Chains are flat to people only: each `elif` lies in the else of the one before, each term's sum in the next.
TOO_DEEP = "the syntax tree is too deep to be checked (nesting, or a long chain of elif, operators or calls)"


class SourceError(Exception):
    """A file that cannot be checked: why, and where."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


@dataclass(eq=False)
class Function:
    """A function: its node, where it was defined, and what is bound to it already."""

    node: Any
    module: Module
    closure: Any = None
    owner: Class | None = None
    self_value: Value | None = None
    arguments: tuple[list[Value], dict[str, Value]] = field(default_factory=lambda: ([], {}))
    kind: str = "plain"
    compiled: bool = False
    differentiated: bool = False
    cached: bool = False

    def bound(self, self_value: Value) -> Function:
        """The method of an instance."""
        return replace(self, self_value=self_value)

    @property
    def name(self) -> str:
        return getattr(self.node, "name", "<lambda>")


@dataclass(eq=False)
class Class:
    """A class: methods, attributes and bases."""

    node: ast.ClassDef
    module: Module
    bases: list[Value]
    attributes: dict[str, Value] = field(default_factory=dict)
    sample: Value | None = None
    value: Value = field(init=False)

    def __post_init__(self) -> None:
        self.value = Value("class", data=self)

    def lookup(self, name: str, depth: int = 8) -> Value | None:
        """An attribute of the class or its bases in the project."""
        if name in self.attributes:
            return self.attributes[name]
        for base in self.bases:
            if base.kind == "class" and depth:
                found = base.data.lookup(name, depth - 1)
                if found is not None:
                    return found
        return None

    def layer(self, depth: int = 8) -> str | None:
        """The class of mlx.nn that it derives from: ``Module``, ``Linear``, or None."""
        for base in self.bases:
            if base.kind == "api" and base.data.startswith("mlx.nn."):
                return base.data.rpartition(".")[2]
            if base.kind == "class" and depth:
                found = base.data.layer(depth - 1)
                if found is not None:
                    return found
        return None


@dataclass(eq=False)
class Instance:
    """An object: of a class of the project, or a layer of mlx.nn by name."""

    cls: Class | None
    layer: str | None
    attributes: dict[str, Value] = field(default_factory=dict)
    children: list[Value] = field(default_factory=list)
    training: bool = True
    quantized_inputs: bool = False
    loaded: bool = False
    evaluated: list[tuple[Any, Any]] = field(default_factory=list)
    made: tuple[Any, Any] | None = None
    known_constructor: bool = True
    dtype: str | None = None


class Module:
    """A file: source, tree, and the names it defines once it was walked through."""

    def __init__(self, path: str, source: str, tree: ast.Module) -> None:
        self.path = path
        self.source = source
        self.tree = tree
        self.frame: Any = None
        self.loading = False
        self._lines: list[str] | None = None

    def column(self, line: int, offset: int) -> int:
        """The characters before an offset, which the tree counts in bytes."""
        if self.source.isascii():
            return offset
        if self._lines is None:
            self._lines = self.source.splitlines()
        text = self._lines[line - 1] if 0 < line <= len(self._lines) else ""
        return len(text.encode()[:offset].decode(errors="ignore"))


def parse(source: str) -> ast.Module:
    """The tree of a source text.

    Raises:
        SourceError: it is no Python, or nested too deeply to be walked through.
    """
    if len(source) > MAX_BYTES:
        raise SourceError(f"the file has more than {MAX_BYTES} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except SyntaxError as error:
        raise SourceError(f"not valid Python: {error.msg}", error.lineno or 1, error.offset or 1) from None
    except ValueError as error:
        raise SourceError(f"not valid Python: {error}") from None
    except (RecursionError, MemoryError):
        raise SourceError(TOO_DEEP) from None
    _check_depth(tree)
    return tree


def _check_depth(tree: ast.Module) -> None:
    """Refuse trees that a recursive walk would not survive."""
    level: list[ast.AST] = [tree]
    depth = 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise SourceError(f"{TOO_DEEP}: more than {MAX_DEPTH} levels")
        level = [child for node in level for child in ast.iter_child_nodes(node)]


def decode(data: bytes) -> str:
    """The text of a Python file, by its coding line or mark.

    Raises:
        SourceError: the bytes are no text.
    """
    import io
    import tokenize

    if b"\0" in data:
        raise SourceError("not valid Python: the file holds null bytes")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return io.TextIOWrapper(io.BytesIO(data), encoding).read()
    except (SyntaxError, UnicodeError, LookupError) as error:
        raise SourceError(f"the text cannot be decoded: {error}") from None


class Project:
    """The files that one run may look at, read when they are first imported."""

    def __init__(self) -> None:
        self.modules: dict[str, Module | None] = {}
        # Files that were looked for, with the bytes found or None: the key of a cached result.
        self.touched: dict[str, bytes | None] = {}

    def add(self, path: str, source: str) -> Module:
        """A module of a given text; a path that was added before is replaced."""
        module = Module(path, source, parse(source))
        self.modules[path] = module
        return module

    def find(self, name: str, level: int, importer: str) -> Module | None:
        """The file that an import names, seen from another file; None where it is not of this project."""
        for folder in import_folders(importer, level):
            found = self._at(folder, name)
            if found is not None:
                return found
        return None

    def _at(self, folder: str, name: str) -> Module | None:
        for path in import_files(folder, name):
            module = self._load(path)
            if module is not None:
                return module
        return None

    def _load(self, path: str) -> Module | None:
        if path in self.modules:
            return self.modules[path]
        module = None
        data: bytes | None = None
        try:
            data = Path(path).read_bytes()
            module = Module(path, *self._parse(path, data))
        except (OSError, SourceError, ValueError, RecursionError):
            module = None
        self.touched[path] = data
        self.modules[path] = module
        return module

    def _parse(self, path: str, data: bytes) -> tuple[str, ast.Module]:
        """The text of a file and its tree."""
        source = decode(data)
        return source, parse(source)
