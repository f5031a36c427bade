"""mica.nn, mica.optimizers and mica.utils are called as the reference's, and their objects look the same."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from oracle import MICA, MLX, masked, outcome, plain
from test_nn_layers import LAYERS
from test_optimizers_steps import OPTIMIZERS


def modules() -> Iterator[tuple[ModuleType, ModuleType]]:
    """Every module of the reference's Python packages and the one that stands for it."""
    for name in ("nn", "optimizers", "utils"):
        package = importlib.import_module(f"mlx.{name}")
        for found in pkgutil.walk_packages(getattr(package, "__path__", []), f"mlx.{name}."):
            theirs = importlib.import_module(found.name)
            yield theirs, importlib.import_module(found.name.replace("mlx", "mica", 1))
        yield package, importlib.import_module(f"mica.{name}")


def own_names(module: ModuleType) -> Iterator[str]:
    """The public functions and classes that a module of the reference defines."""
    for name, value in vars(module).items():
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__:
            yield name


def signature(function: Any) -> list[tuple[str, str, str]] | None:
    """Each parameter's name, way of being given and default, without the names of the libraries."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None

    def default(value: Any) -> str:
        return "function" if inspect.isfunction(value) else masked(repr(value))

    # Methods name their object as they like.
    return [("self" if p.name == "_" else p.name, p.kind.name, default(p.default)) for p in parameters]


def pairs() -> Iterator[tuple[str, Any, Any]]:
    """Path, theirs and ours of all public functions, classes and public methods."""
    for theirs, ours in modules():
        for name in own_names(theirs):
            path = f"{theirs.__name__}.{name}"
            their_value, our_value = getattr(theirs, name), getattr(ours, name)
            yield path, their_value, our_value
            if inspect.isclass(their_value):
                for method in vars(their_value):
                    if not method.startswith("_") or method in ("__init__", "__call__"):
                        yield f"{path}.{method}", getattr(their_value, method), getattr(our_value, method)


def test_signatures() -> None:
    """Names, places and defaults of all arguments, of functions, constructors, calls and methods."""
    wrong, read = [], 0
    for path, theirs, ours in pairs():
        want = signature(theirs)
        if want is None:
            continue
        read += 1
        got = signature(ours)
        if got != want:
            wrong.append(f"{path}:\n  {got}\n  {want}")
    assert not wrong, "\n".join(wrong)
    assert read > 350


def test_attributes_of_classes() -> None:
    """Every public attribute of a class is there, and is a property where the reference has one."""
    wrong = []
    for path, theirs, ours in pairs():
        if not inspect.isclass(theirs):
            continue
        for name in dir(theirs):
            if name.startswith("_") or path == "mlx.nn.layers.activations.wraps":
                continue
            kinds = [type(inspect.getattr_static(side, name, None)).__name__ for side in (theirs, ours)]
            if not hasattr(ours, name) or kinds[0] != kinds[1]:
                wrong.append(f"{path}.{name}: {kinds}")
        bases = [
            [c.__name__ for c in side.__mro__ if not c.__name__.startswith("_")] for side in (theirs, ours)
        ]
        if bases[0] != bases[1]:
            wrong.append(f"{path}: {bases}")
    assert not wrong, "\n".join(wrong)


ACTIVATIONS = [
    f"nn.{name}()"
    for name in (
        "CELU ELU GELU GLU HardShrink HardTanh Hardswish LeakyReLU LogSigmoid LogSoftmax Mish PReLU ReLU "
        "ReLU2 ReLU6 SELU SiLU Sigmoid Softmax Softmin Softplus Softshrink Softsign Step Tanh"
    ).split()
] + ["nn.CELU(2.0)", "nn.GELU('tanh')", "nn.GELU('fast')", "nn.GLU(0)", "nn.Step(0.5)", "nn.PReLU(3, 0.1)"]
QUANTIZED = [
    "nn.QuantizedLinear(64, 6)",
    "nn.QuantizedLinear(64, 6, bias=False, mode='mxfp8')",
    "nn.QuantizedEmbedding(6, 64)",
    "nn.QQLinear(64, 6)",
    "nn.QQLinear(64, 6, mode='mxfp8').eval()",
    "nn.Sequential(nn.Linear(64, 64), nn.ReLU())",
]
CONSTRUCTORS = sorted({row[0] for row in LAYERS} | set(ACTIVATIONS) | set(QUANTIZED))


def look(value: Any) -> Any:
    """A value without what tells the libraries apart."""
    if callable(value) and not hasattr(value, "keys"):
        return "function"
    return (
        plain(value) if isinstance(value, (bool, int, float, str, tuple, list, set, type(None))) else "object"
    )


@pytest.mark.parametrize("constructor", CONSTRUCTORS)
def test_objects(constructor: str) -> None:
    """Items, attributes, their values, and the printed form."""

    def program(side: Any) -> Any:
        side.mx.random.seed(0)
        model = side.run(constructor)
        attributes = {name: look(value) for name, value in sorted(vars(model).items())}
        items = [(name, type(value).__name__) for name, value in model.items()]
        return attributes, items, masked(repr(model))

    assert program(MICA) == program(MLX)


@pytest.mark.parametrize("constructor", OPTIMIZERS)
def test_optimizers(constructor: str) -> None:
    """Attributes of optimizers and their values."""

    def program(side: Any) -> Any:
        return {name: look(value) for name, value in sorted(vars(side.run("optim." + constructor)).items())}

    got, want = program(MICA), program(MLX)
    public = {name: value for name, value in want.items() if not name.startswith("_")}
    assert {name: got.get(name) for name in public} == public
    assert {"_state", "_schedulers", "_initialized"} <= set(got)


# Wrong calls: too few and too many arguments, other kinds, unknown names.
WRONG_CALLS = [
    "()",
    "(None)",
    "('a')",
    "(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)",
    "(unknown=1)",
    "(-1)",
    "(0)",
    "(1.5)",
]


def refusals() -> list[str]:
    """Every public class and function of the packages, called in the wrong ways."""
    found = []
    for module, short in (
        ("nn", "nn"),
        ("nn.losses", "nn.losses"),
        ("nn.init", "nn.init"),
        ("optimizers", "optim"),
    ):
        owner = importlib.import_module(f"mlx.{module}")
        for name, value in sorted(vars(owner).items()):
            is_own = str(getattr(value, "__module__", "")).startswith(f"mlx.{module}")
            if not name.startswith("_") and callable(value) and is_own:
                found.append(f"{short}.{name}")
    return found


def agree(program: str, got: Any, want: Any) -> bool:
    """Whether two outcomes are the same, or ours is what it should be."""
    if got == want:
        return True
    # A shape of the wrong kind is a RuntimeError there ("bad cast"); wrong schedulers fail in another line.
    is_cast = want == ("raises", "RuntimeError") and got == ("raises", "TypeError")
    return is_cast or program.startswith("optim.Optimizer(") and got[1] in ("TypeError", "ValueError")


@pytest.mark.parametrize("name", refusals())
def test_refusals(name: str) -> None:
    """Wrong calls raise the same class on both sides, or work on both."""
    different = []
    for arguments in WRONG_CALLS:
        program = name + arguments
        got, want = (outcome(side, f"[{program}, 0][1]") for side in (MICA, MLX))
        if not agree(program, got, want):
            different.append(f"{program}: {got}, not {want}")
    assert not different, "\n".join(different)
