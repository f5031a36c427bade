"""Every name of the reference is there, and is called in the same way.

What is still absent stands in lists below, each with what it waits for: a name that has come must be taken
out of its list.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import mica.core as mx
import mica.nn
import mica.optimizers
import mica.utils
import pytest

wheel = pytest.importorskip("mlx.core")
if wheel is mx:
    pytest.skip("the reference is needed beside", allow_module_level=True)

ABSENT: set[str] = set()

MODULE_NAMES = {"__builtins__", "__cached__", "__doc__", "__file__", "__loader__", "__name__", "__package__"}
MODULE_NAMES |= {"__path__", "__spec__", "__dict__", "__weakref__", "__version__", "__annotations__"}


def wanted(owner: Any, name: str, package: str) -> bool:
    """Whether a name is the reference's own: no import from elsewhere, no private one of Python code."""
    if name in MODULE_NAMES:
        return False
    value = getattr(owner, name, None)
    if isinstance(owner, ModuleType) and package != "core":
        if name.startswith("_"):
            return False
        home = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        return bool(home) and str(home).startswith(f"mlx.{package.split('.')[0]}")
    return package == "core" or not (name.startswith("_") and not name.startswith("__"))


def compare(theirs: Any, ours: Any, path: str, seen: set[int]) -> Iterator[str]:
    """Paths that the reference has and mica lacks, depth first through modules and classes."""
    if id(theirs) in seen:
        return
    seen.add(id(theirs))
    package = path.split(".")[0]
    for name in sorted(dir(theirs)):
        if not wanted(theirs, name, package):
            continue
        inner = f"{path}.{name}"
        if not hasattr(ours, name):
            yield inner
            continue
        value = getattr(theirs, name)
        is_inner_module = isinstance(value, ModuleType) and value.__name__.startswith("mlx")
        if is_inner_module or (isinstance(value, type) and str(value.__module__).startswith("mlx")):
            yield from compare(value, getattr(ours, name), inner, seen)


def every_absence() -> set[str]:
    """All paths that are absent."""
    seen: set[int] = set()
    found: set[str] = set()
    pairs = [(wheel, mx, "core"), (type(wheel.array(1).at), type(mx.array(1).at), "core.array.at")]
    pairs.append((type(wheel.random.state), type(mx.random.state), "core.random.state"))
    for name, ours in (("utils", mica.utils), ("optimizers", mica.optimizers), ("nn", mica.nn)):
        theirs = importlib.import_module(f"mlx.{name}")
        for module in pkgutil.walk_packages(getattr(theirs, "__path__", []), f"mlx.{name}."):
            path = module.name.removeprefix("mlx.")
            try:
                inner = importlib.import_module(f"mica.{path}")
            except ImportError:
                found.add(path)
                continue
            pairs.append((importlib.import_module(module.name), inner, path))
        pairs.append((theirs, ours, name))
    for theirs, ours, path in pairs:
        found |= set(compare(theirs, ours, path, seen))
    return found


def test_no_name_is_absent() -> None:
    """What is absent is listed, and what is listed is absent."""
    absent = every_absence()
    new = sorted(absent - ABSENT)
    assert not new, f"absent: {', '.join(new)}"
    come = sorted(ABSENT - absent)
    assert not come, f"no longer absent, take out of the list: {', '.join(come)}"


# ---- signatures ----

# Calls that are meant to differ, and why.
DIFFERENT = {
    "array.__array_namespace__": "accepts the versions of the standard",
    "fast.gated_delta_update": "stream is named, as everywhere else",
}


def parsed(text: str | None) -> ast.arguments | None:
    """The arguments in the first line of a docstring; None where it is no signature that Python can read."""
    line = (text or "").strip().split("\n")[0]
    try:
        node = ast.parse(f"def {line}: pass").body[0]
    except (SyntaxError, IndexError):
        return None
    return node.args if isinstance(node, ast.FunctionDef) else None


def parameters(arguments: ast.arguments) -> dict[str, tuple[str, Any]]:
    """Each parameter's way of being given and default; the text where the default is no literal."""

    def literal(node: ast.expr | None) -> Any:
        if node is None:
            return "required"
        try:
            return ast.literal_eval(node)
        except ValueError:
            return ast.unparse(node).rsplit(".", 1)[-1]

    found: dict[str, tuple[str, Any]] = {}
    positional = [(a, "only") for a in arguments.posonlyargs] + [(a, "any") for a in arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    for (argument, kind), default in zip(positional, defaults, strict=True):
        found[argument.arg] = (kind, literal(default))
    if arguments.vararg:
        found["*"] = ("variadic", "required")
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found[argument.arg] = ("named", literal(default))
    return found


def own_parameters(function: Any) -> dict[str, tuple[str, Any]] | None:
    """The same of one of our functions."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        arguments = parsed(function.__doc__)
        return parameters(arguments) if arguments else None
    kinds = {
        inspect.Parameter.POSITIONAL_ONLY: "only",
        inspect.Parameter.POSITIONAL_OR_KEYWORD: "any",
        inspect.Parameter.VAR_POSITIONAL: "variadic",
        inspect.Parameter.KEYWORD_ONLY: "named",
    }
    return {
        "*" if p.kind is p.VAR_POSITIONAL else p.name: (
            kinds.get(p.kind, "other"),
            "required" if p.default is p.empty else p.default,
        )
        for p in signature.parameters.values()
    }


def accepts(theirs: dict[str, tuple[str, Any]], ours: dict[str, tuple[str, Any]]) -> str | None:
    """What a call that the reference takes would meet; None when it is taken in the same way."""
    # Our functions take a stream after the last positional argument too (test_stream_by_position).
    order = [name for name, (kind, _) in theirs.items() if kind in ("only", "any") and name != "stream"]
    own_order = [name for name, (kind, _) in ours.items() if kind in ("only", "any")]
    if "*" not in theirs and len(own_order) < len(order):
        return f"{len(own_order)} positional arguments, not {len(order)}"
    for place, name in enumerate(order):
        if theirs[name][0] == "any" and name not in ours:
            return f"no argument {name!r}"
        if theirs[name][0] == "any" and ours.get(name, ("any",))[0] == "only":
            return f"argument {name!r} has no name"
        if theirs[name][0] == "any" and name in own_order and own_order.index(name) != place:
            return f"argument {name!r} at another place"
    for name, (kind, default) in theirs.items():
        if kind == "named" and name not in ours:
            return f"no argument {name!r}"
        if name not in ours or default == "required" or ours[name][1] == "required":
            if name in ours and default != "required" and ours[name][1] == "required":
                return f"argument {name!r} must be given"
            continue
        own = ours[name][1]
        if isinstance(own, tuple) and isinstance(default, list):
            default = tuple(default)
        if own is not None and default is not None and own != default and str(own) != str(default):
            return f"{name}={own!r}, not {default!r}"
    return None


def functions(module: ModuleType, prefix: str) -> Iterator[tuple[str, Any]]:
    """All functions of the reference's core and its submodules."""
    for name in sorted(dir(module)):
        value = getattr(module, name)
        if isinstance(value, ModuleType) and value.__name__.startswith("mlx.core"):
            yield from functions(value, f"{prefix}{name}.")
        elif not name.startswith("_") and callable(value) and not isinstance(value, type):
            yield prefix + name, value
    if not prefix:
        for name in sorted(set(dir(wheel.array)) - set(dir(object))):
            if not name.startswith("__"):
                yield f"array.{name}", getattr(wheel.array, name)


def test_signatures() -> None:
    """Functions take the reference's arguments: the same names, places and defaults."""
    wrong, read = [], 0
    for path, theirs in functions(wheel, ""):
        ours: Any = mx
        for part in path.split("."):
            ours = getattr(ours, part, None)
        arguments = parsed(getattr(theirs, "__doc__", None))
        own = own_parameters(ours) if callable(ours) and arguments else None
        if not arguments or own is None or path in DIFFERENT:
            continue
        read += 1
        expected = parameters(arguments)
        for known in (expected, own):
            known.pop("self", None)
        problem = accepts(expected, own)
        if problem:
            wrong.append(f"{path}: {problem}")
    assert not wrong, "\n".join(wrong)
    assert read > 200


def stub_functions() -> dict[str, list[ast.arguments]]:
    """The arguments of all functions and methods in the stub of the core, of each overload."""
    found: dict[str, list[ast.arguments]] = {}
    stub = Path(mx.__file__).with_name("core.pyi")
    for node in ast.parse(stub.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found.setdefault(node.name, []).append(node.args)
        elif isinstance(node, ast.ClassDef):
            owner = node.name.removeprefix("_").removesuffix("_head").removesuffix("_overloads")
            for method in node.body:
                if isinstance(method, ast.FunctionDef):
                    found.setdefault(f"{owner}.{method.name}", []).append(method.args)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Name):
            found[node.targets[0].id] = found.get(node.value.id, [])  # type: ignore[attr-defined]
    return found


def test_stubs() -> None:
    """The stub takes the reference's arguments, and has every public name."""
    stubs, wrong, read = stub_functions(), [], 0
    for path, theirs in functions(wheel, ""):
        arguments = parsed(getattr(theirs, "__doc__", None))
        if not arguments or not stubs.get(path) or path in DIFFERENT:
            continue
        read += 1
        expected = parameters(arguments)
        own = [parameters(stub) for stub in stubs[path]]
        for known in (expected, *own):
            known.pop("self", None)
        problems = [accepts(expected, known) for known in own]
        if all(problems):
            wrong.append(f"{path}: {problems}")
    assert not wrong, "\n".join(wrong)
    assert read > 240
    text = Path(mx.__file__).with_name("core.pyi").read_text()
    names = [name for name in dir(mx) if not name.startswith("_") and name != "ArrayIterator"]
    absent = [name for name in names if not re.search(rf"^(def |class )?{name}\b", text, re.MULTILINE)]
    assert not absent, absent


def test_stubs_of_the_alias() -> None:
    """Every module of mica that mlx stands for has a stub under that name, for type checkers."""
    root = Path(mx.__file__).parent
    modules = [p.relative_to(root) for folder in ("nn", "optimizers") for p in (root / folder).rglob("*.py")]
    for module in [*modules, Path("utils.py"), Path("core/__init__.py"), Path("__init__.py")]:
        assert (root / "stubs/mlx" / module.with_suffix(".pyi")).exists(), module


def test_stream_by_position() -> None:
    """A stream may follow the positional arguments; nothing else may."""
    a = mx.array([1.0, 4.0])
    assert mx.add(a, a, mx.cpu).tolist() == [2.0, 8.0]
    assert mx.random.uniform(0, 1, (2,), mx.float32, mx.random.key(0), mx.default_stream(mx.cpu)).shape == (
        2,
    )
    assert mx.linspace(0, 1, 3, True, mx.float32, mx.cpu).tolist() == [0.0, 0.5, 1.0]
    assert a.round(1, mx.cpu).tolist() == [1.0, 4.0]
    for extra in (None, 0, a):
        with pytest.raises(TypeError, match="too many"):
            mx.add(a, a, extra)
    with pytest.raises(TypeError, match="twice"):
        mx.add(a, a, mx.cpu, stream=mx.cpu)
