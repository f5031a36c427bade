"""Wrong calls: arguments of any kind, right most of the time, drawn for the signatures of the tables.

What is drawn is text, so that the same call can be made here and in the process that holds the wheel, and
so that a failure can be pasted into an interpreter.
"""

from __future__ import annotations

import gc
import re
from typing import Any

import numpy as np

from tests.ops import coverage, target, vocabulary
from tests.ops.target import mx

HUGE = (2**31 - 1, 2**31, 2**32, 2**62, 2**63 - 1, 2**63, -(2**63), 2**70, -(2**70))
PARAMETER = re.compile(r"(\*?\w+):\s*([a-z]+\??)(?:\s*=\s*('[^']*'|[^,]+?))?\s*(?:,|$|->)")
SMALL = vocabulary.SMALL
NAMES = vocabulary.names(mx)


def counted() -> dict | tuple | None:
    """Counters of live objects, with nothing pending: the random state is a lazy chain of splits."""
    mx.random.seed(0)
    mx.eval(mx.random.state[0])
    gc.collect()
    return target.live()


def signatures() -> dict[str, tuple[list[tuple[str, str, bool]], bool]]:
    """Public name to (parameters as (name, kind, positional only), whether a vararg starts), for all rows
    with a signature.
    """
    found = {}
    for table in coverage.TABLES:
        for kind, name, cls, text, rest in coverage.ROW.findall(table.read_text()):
            if not text or (
                kind == "PRIM" and (cls not in ("UNARY", "BINARY", "TERNARY") or "INTERNAL" in rest)
            ):
                continue
            public = re.sub(r"^(random|fast|linalg|fft)_", r"\1.", name)
            try:
                target.resolve(mx, public)
            except AttributeError:
                continue
            head, _, tail = text.partition("/")
            before = PARAMETER.findall(head) if tail or text.endswith("/") else []
            after = PARAMETER.findall(tail if tail or text.endswith("/") else head)
            parameters = [(n.lstrip("*"), k, True) for n, k, _ in before] + [
                (n.lstrip("*"), k, False) for n, k, _ in after
            ]
            found[public] = (parameters, text.startswith("*"))
    return found


SIGNATURES = signatures()
DTYPES = (
    "bool_",
    "uint8",
    "uint32",
    "int8",
    "int32",
    "int64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
    "complex64",
    "uint64",
)
SHAPES = ((), (1,), (3,), (2, 3), (3, 3), (0,), (2, 0), (2, 3, 4), (1, 1, 1, 1), (2, 2, 3, 4), (1,) * 9)
ODD = (
    "None",
    "'a'",
    "''",
    "object()",
    "[]",
    "()",
    "{}",
    "1.5",
    "float('nan')",
    "True",
    "b'x'",
    "[1, [2]]",
    "lambda: 0",
    "type",
    "5",
    "np.zeros(2)",
    "np.array(['a'])",
    "np.int64(1)",
    "np.array([1, 0])",
    "mx.array([1, 0])",
    "mx.array(1)",
    "1j",
    "...",
    "slice(1)",
    "range(3)",
    "mx.float32",
    "mx.cpu",
)


def pick(rng: np.random.Generator, items):
    """One of these."""
    return items[int(rng.integers(len(items)))]


def made(text: str) -> Any:
    """The value of a drawn text in the module under test."""
    return eval(f"({text})", NAMES)  # noqa: S307


def array_text(rng: np.random.Generator, huge: bool = True) -> str:
    """Any dtype, rank, layout; sometimes pending, empty, or with 2**40 elements and no memory."""
    choice = rng.random()
    if choice < 0.04 and huge and target.IS_MICA:
        return f"huge({pick(rng, ('(2**40,)', '(2**20, 2**20)', '(1, 2**33)'))})"
    shape, dtype, salt = pick(rng, SHAPES), pick(rng, DTYPES), int(rng.integers(9))
    layout = (
        "pending"
        if choice < 0.2
        else "transposed"
        if choice < 0.3
        else "reversed"
        if choice < 0.4
        else "nan"
        if choice < 0.43
        else "large"
        if choice < 0.46 and target.IS_MICA
        else "plain"
    )
    return f"array({shape}, {dtype!r}, {layout!r}, {salt})"


def an_array(rng: np.random.Generator):
    """An array of the module under test."""
    return made(array_text(rng))


def an_int(rng: np.random.Generator) -> int:
    """Small, mostly."""
    return int(rng.integers(-6, 7)) if rng.random() < 0.75 else pick(rng, HUGE)


def text(rng: np.random.Generator, kind: str, huge: bool = True, odd: float = 0.2) -> str:
    """The text of a value of a kind; mostly one time in five that of anything else."""
    if rng.random() < odd:
        return pick(rng, ODD)
    kind = kind.rstrip("?")
    if kind == "array":
        return array_text(rng, huge)
    if kind == "operand":
        plain = ("1", "2.5", "True", "1j", "np.float32(2)", "np.ones(3)", "np.ones((2, 3), np.int16)")
        return array_text(rng, huge) if rng.random() < 0.6 else pick(rng, (*plain, "2**40", "-1"))
    if kind == "arrays":
        return f"[{', '.join(array_text(rng, huge) for _ in range(int(rng.integers(0, 4))))}]"
    if kind == "index":
        return f"array({pick(rng, SHAPES)}, 'uint32')" if rng.random() < 0.5 else str(an_int(rng))
    if kind in ("int", "axis"):
        return str(an_int(rng))
    if kind in ("axes", "dims", "shape"):
        if rng.random() < 0.3:
            return str(an_int(rng))
        some = [an_int(rng) for _ in range(int(rng.integers(0, 5)))]
        if rng.random() < 0.1 and all(abs(n) < 2**31 for n in some):
            return f"{pick(rng, ('mx', 'np'))}.array({some})"
        return str(pick(rng, (tuple, list))(some))
    if kind == "float":
        special = ("float('nan')", "float('inf')", "-float('inf')", "1e300", "1e-300")
        return pick(rng, ("0.5", "-1.0", "0.0", "3", *special))
    if kind == "dtype":
        return f"mx.{pick(rng, DTYPES)}"
    if kind == "bool":
        return str(bool(rng.integers(2)))
    if kind == "string":
        return pick(
            rng, tuple(map(repr, ("constant", "edge", "xy", "ij", "left", "causal", "\0", "x" * 1000, "é")))
        )
    if kind == "order":
        numbers = ("1", "2", "-2", "0", "0.5", "float('inf')", "float('nan')")
        return pick(rng, ("'fro'", "'nuc'", "'f'", "'inf'", *numbers))
    if kind == "mask":
        return "'causal'" if rng.random() < 0.3 else array_text(rng, huge)
    if kind == "key":
        return "mx.random.key(3)" if rng.random() < 0.7 else array_text(rng, huge)
    return pick(rng, ODD)


def value(rng: np.random.Generator, kind: str):
    """A value of a kind; one time in five anything else."""
    return made(text(rng, kind))


def misspelt(rng: np.random.Generator, name: str) -> str:
    """A keyword with two letters exchanged, one left out or one too many."""
    at = int(rng.integers(len(name)))
    return pick(rng, (name[:at] + name[at + 1 :] or "b", name + "s", name[at:] + name[:at], name.upper()))


def arguments(rng: np.random.Generator, name: str, huge: bool = True, odd: float = 0.2) -> str:
    """The text of the arguments of a call of one of ``SIGNATURES``."""
    parameters, variadic = SIGNATURES[name]
    args: list[str] = []
    kwargs: dict[str, str] = {}
    for i, (parameter, kind, positional) in enumerate(parameters):
        given = text(rng, kind, huge, odd)
        if variadic and i == 0:
            args += [text(rng, "array", huge, odd) for _ in range(int(rng.integers(0, 4)))]
        elif positional or (not kwargs and rng.random() < 0.6):
            args.append(given)
        elif rng.random() < 0.7:
            kwargs[parameter] = given
    mischief = rng.random() / odd * 0.2 if odd else 1
    if mischief < 0.03:
        args.append(pick(rng, ODD))
    elif mischief < 0.06 and args:
        args.pop()
    elif mischief < 0.09:
        kwargs[pick(rng, ("unknown", "a", "stream", "axis"))] = pick(rng, ODD)
    elif mischief < 0.12 and kwargs:
        old = pick(rng, sorted(kwargs))
        kwargs[misspelt(rng, old)] = kwargs.pop(old)
    return ", ".join(
        [f"({a})" if a.startswith("lambda") else a for a in args] + [f"{k}={v}" for k, v in kwargs.items()]
    )
