"""Element-wise steps of drawn programs: the functions of the oracle's lines, numbers, comparisons, types."""

from __future__ import annotations

import numpy as np

from tests.ops import values
from tests.ops.cases import Case, all_cases
from tests.ops.program_base import FLOATS, Pool, Step, dtype_of, wide
from tests.ops.target import mx

# ---- element-wise steps, from the oracle's lines ----


def _usable(case: Case) -> bool:
    return (
        case.elementwise
        and case.ref is not None
        and case.call is None
        and 1 <= len(case.domains) <= 2
        and len(case.variants) == 1
        and not case.variants[0].args
        and all(d.dtype is None for d in case.domains)
        and not case.missing
    )


ELEMENTWISE = [case for case in all_cases() if _usable(case)]
JUMPING = {"floor", "ceil", "trunc", "round", "sign", "floor_divide", "remainder", "divmod"}
EXACT_BINARY = ("bitwise_and", "bitwise_or", "bitwise_xor")
COMPARISONS = ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal")


def elementwise(pool: Pool) -> Step | None:
    """A function of the oracle on one or two values that broadcast, clipped to its domain."""
    case: Case = pool.pick(ELEMENTWISE)
    a = pool.any(lambda x: dtype_of(x) in FLOATS and dtype_of(x) in case.dtypes)
    if a is None:
        return None
    places = [a]
    if len(case.domains) == 2:
        shape, name = pool.values[a].shape, dtype_of(pool.values[a])
        b = pool.any(lambda x: dtype_of(x) == name and pool.joins(shape, x.shape))
        places.append(b)
    bounds = [(float(d.low), float(d.high)) for d in case.domains]

    def run(m, *arrays):
        inside = [m.clip(x, low, high) for x, (low, high) in zip(arrays, bounds, strict=True)]
        return getattr(m, case.name)(*inside)

    name = dtype_of(pool.values[a])
    # A bound is rounded to the type, as mica does it.
    edges = [[float(wide(np.array(e), name)) for e in b] for b in bounds]

    def ref(*arrays):
        inside = [np.clip(x, low, high) for x, (low, high) in zip(arrays, edges, strict=True)]
        return case.ref(*inside)

    clipped = ", ".join(f"mx.clip({{{i}}}, {low}, {high})" for i, (low, high) in enumerate(bounds))
    return Step(
        f"mx.{case.name}({clipped})",
        tuple(places),
        run,
        ref,
        case.ulp,
        (lambda *xs: np.max(np.abs(np.asarray(ref(*xs))), initial=0)) if case.scaled else None,
        jumps=case.name in JUMPING,
    )


def arithmetic(pool: Pool) -> Step | None:
    """+, -, *, maximum, minimum of any two types."""
    a = pool.any()
    x = pool.values[a]
    b = pool.any(lambda y: pool.joins(x.shape, y.shape))
    name = pool.pick(("add", "subtract", "multiply", "maximum", "minimum"))
    kinds = {dtype_of(x), dtype_of(pool.values[b])}
    if name in ("maximum", "minimum") and "complex64" in kinds:
        name = "add"
    if name == "subtract" and kinds == {"bool_"}:
        return None
    result = dtype_of(getattr(mx, name)(x, pool.values[b]))
    pair = {"complex64": 4.0}

    def ref(p, q):
        p, q = wide(p, result), wide(q, result)
        if result == "bool_":
            return {"add": p | q, "multiply": p & q, "maximum": p | q, "minimum": p & q}[name]
        return getattr(np, name)(p, q)

    return Step(
        f"mx.{name}({{0}}, {{1}})",
        (a, b),
        lambda m, p, q: getattr(m, name)(p, q),
        ref,
        {**{k: 0.5 for k in FLOATS}, **pair},
        (lambda p, q: np.abs(p) * np.abs(q) if name == "multiply" else np.abs(p) + np.abs(q))
        if result == "complex64"
        else None,
    )


def number(pool: Pool) -> Step:
    """A value and a number."""
    a = pool.any(lambda x: dtype_of(x) in FLOATS)
    if a is None:
        return None
    c = pool.pick((0.5, -1.25, 2, 3, -1))
    name = dtype_of(pool.values[a])
    c_wide = float(wide(np.array(float(c)), name))
    return Step(
        f"{{0}} * {c} + {c}",
        (a,),
        lambda m, x: x * c + c,
        lambda x: wide(x * c_wide, name) + c_wide,
        {k: 0.5 for k in FLOATS},
    )


def comparison(pool: Pool) -> Step | None:
    """Values of one type compared."""
    a = pool.any(lambda x: dtype_of(x) != "complex64")
    if a is None:
        return None
    x = pool.values[a]
    b = pool.any(lambda y: y.dtype == x.dtype and pool.joins(x.shape, y.shape))
    name = pool.pick(COMPARISONS)
    return Step(
        f"mx.{name}({{0}}, {{1}})",
        (a, b),
        lambda m, p, q: getattr(m, name)(p, q),
        lambda p, q: getattr(np, name)(p, q),
        jumps=True,
    )


def bitwise(pool: Pool) -> Step | None:
    """Bits of integers of one type."""
    a = pool.any(lambda x: dtype_of(x) in (*values.INTEGERS, "bool_"))
    if a is None:
        return None
    x = pool.values[a]
    b = pool.any(lambda y: y.dtype == x.dtype and pool.joins(x.shape, y.shape))
    name = pool.pick(EXACT_BINARY)
    return Step(
        f"mx.{name}({{0}}, {{1}})",
        (a, b),
        lambda m, p, q: getattr(m, name)(p, q),
        lambda p, q: getattr(np, name)(p, q),
        jumps=True,
    )


def where(pool: Pool) -> Step | None:
    """Values chosen by another's sign."""
    a = pool.any(lambda x: dtype_of(x) != "complex64")
    if a is None:
        return None
    x = pool.values[a]
    b = pool.any(lambda y: pool.joins(x.shape, y.shape))
    y = pool.values[b]
    c = pool.any(lambda z: z.dtype == y.dtype and pool.joins(np.broadcast_shapes(x.shape, y.shape), z.shape))
    return Step(
        "mx.where({0} > 0, {1}, {2})",
        (a, b, c),
        lambda m, p, q, r: m.where(p > 0, q, r),
        lambda p, q, r: np.where(p > 0, q, r),
        jumps=True,
    )


def astype(pool: Pool) -> Step:
    """Another element type, of numbers that fit it."""
    a = pool.any(lambda x: dtype_of(x) != "complex64")
    if a is None:
        return None
    # The derivative of a conversion passes integers, as the reference's does: no function has it.
    whole = () if pool.differentiated else ("int32", "bool_")
    to = pool.pick(("float32", "float16", "bfloat16", "float64", *whole))
    source = dtype_of(pool.values[a])

    def run(m, x):
        x = m.clip(m.where(x == x, x, 0), -100, 100) if source in FLOATS else x
        return x.astype(getattr(m, to))

    def ref(x):
        x = np.clip(np.where(x == x, x, 0), -100, 100) if source in FLOATS else x
        return (x != 0) if to == "bool_" else np.trunc(x).astype(np.int32) if to == "int32" else wide(x, to)

    shown = "mx.clip(mx.where({0} == {0}, {0}, 0), -100, 100)" if source in FLOATS else "{0}"
    return Step(f"{shown}.astype(mx.{to})", (a,), run, ref, {k: 0.5 for k in FLOATS}, jumps=True)
