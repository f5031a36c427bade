"""Arguments of wrong calls: of any kind, right most of the time, drawn for the signatures of the tables."""

from __future__ import annotations

import gc
import re

import numpy as np

from tests.ops import coverage, target
from tests.ops.target import mx

HUGE = (2**31 - 1, 2**31, 2**32, 2**62, 2**63 - 1, 2**63, -(2**63), 2**70, -(2**70))
PARAMETER = re.compile(r"(\*?\w+):\s*([a-z]+\??)(?:\s*=\s*('[^']*'|[^,]+?))?\s*(?:,|$|->)")
# Evaluating more elements than these would only take time.
SMALL = 20_000


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
    None,
    "a",
    "",
    object(),
    [],
    (),
    {},
    1.5,
    float("nan"),
    True,
    b"x",
    [1, [2]],
    lambda: 0,
    type,
    np.zeros(2),
    np.array(["a"]),
    1j,
    ...,
    slice(1),
    range(3),
    mx.float32,
    mx.cpu,
)


def pick(rng: np.random.Generator, items):
    """One of these."""
    return items[int(rng.integers(len(items)))]


def an_array(rng: np.random.Generator):
    """Any dtype, rank, layout; sometimes pending, empty, or with 2**40 elements and no memory."""
    choice = rng.random()
    if choice < 0.04 and target.IS_MICA:
        return mx.broadcast_to(mx.array(1.0), pick(rng, ((2**40,), (2**20, 2**20), (1, 2**33))))
    shape = pick(rng, SHAPES)
    a = mx.ones(shape, dtype=getattr(mx, pick(rng, DTYPES)))
    if choice < 0.2:
        a = a * 2 if a.dtype != mx.bool_ else a
    elif choice < 0.3:
        a = a.T
    elif choice < 0.4 and a.ndim:
        a = a[::-1]
    elif choice < 0.45:
        a = mx.full(shape, float("nan"))
    elif choice < 0.5 and target.IS_MICA:
        a = mx.full(shape, 2**30).astype(mx.int32)
    return a


def an_int(rng: np.random.Generator):
    """Small, mostly."""
    return int(rng.integers(-6, 7)) if rng.random() < 0.75 else pick(rng, HUGE)


def some_ints(rng: np.random.Generator):
    """A tuple or list of integers."""
    return pick(rng, (tuple, list))(an_int(rng) for _ in range(int(rng.integers(0, 5))))


def value(rng: np.random.Generator, kind: str):
    """A value of a kind; one time in five anything else."""
    if rng.random() < 0.2:
        return pick(rng, ODD)
    kind = kind.rstrip("?")
    if kind == "array":
        return an_array(rng)
    if kind == "operand":
        return (
            an_array(rng)
            if rng.random() < 0.6
            else pick(
                rng, (1, 2.5, True, 1j, np.float32(2), np.ones(3), np.ones((2, 3), np.int16), 2**40, -1)
            )
        )
    if kind == "arrays":
        return [an_array(rng) for _ in range(int(rng.integers(0, 4)))]
    if kind in ("int", "axis"):
        return an_int(rng)
    if kind in ("axes", "dims", "shape"):
        return some_ints(rng) if rng.random() < 0.7 else an_int(rng)
    if kind == "float":
        return pick(rng, (0.5, -1.0, 0.0, float("nan"), float("inf"), 1e300, 3, 1e-300, -float("inf")))
    if kind == "dtype":
        return getattr(mx, pick(rng, DTYPES))
    if kind == "bool":
        return bool(rng.integers(2))
    if kind == "string":
        return pick(rng, ("constant", "edge", "xy", "ij", "left", "causal", "\0", "x" * 1000, "é"))
    if kind == "order":
        return pick(rng, ("fro", "nuc", "f", "inf", 1, 2, -2, 0, 0.5, float("inf"), float("nan")))
    if kind == "mask":
        return "causal" if rng.random() < 0.3 else an_array(rng)
    if kind == "key":
        return mx.random.key(3) if rng.random() < 0.7 else an_array(rng)
    return pick(rng, ODD)
