"""Programs drawn at random: graphs of the tables' functions, each step with its meaning in NumPy.

``programs()`` is a Hypothesis strategy. A program prints as the Python text that repeats it. Element-wise
steps
come from the oracle's cases (name, domain, reference, tolerance); the rest are written below, one function a
kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from tests.ops import values
from tests.ops.cases import Case, all_cases
from tests.ops.target import mx

MOST = 3000  # elements of a value
FLOATS = values.FLOATS
DTYPES = ("float32",) * 6 + ("float64", "float16", "bfloat16", "int32", "uint8", "bool_", "complex64")


@dataclass(frozen=True)
class Step:
    """One call: ``run(m, *arrays)`` in mica, ``ref(*numpy)`` in NumPy.

    ``ulp`` is what the result may be off from NumPy, by dtype (None: exact); ``size`` gives the magnitude at
    which
    a unit is taken (None: each element's). ``loose``: another layout of the batch may give other bits.
    ``jumps``: a
    small change of an argument may change the result a lot. ``smooth``: the derivative is continuous.
    """

    text: str
    args: tuple[int, ...]
    run: Callable
    ref: Callable | None = None
    ulp: dict[str, float] | None = None
    size: Callable | None = None
    loose: bool = False
    jumps: bool = False


class Program:
    """Inputs with their element types, the steps, and which values are results."""

    def __init__(self, inputs: list[tuple[np.ndarray, str]]) -> None:
        self.inputs = inputs
        self.steps: list[Step] = []
        self.outputs: list[int] = []

    def __repr__(self) -> str:
        lines = [f"v{i} = {name}{x.shape}: {x.tolist()}"[:200] for i, (x, name) in enumerate(self.inputs)]
        for i, step in enumerate(self.steps, len(self.inputs)):
            lines.append(f"v{i} = {step.text.format(*[f'v{a}' for a in step.args])}")
        return "\n" + "\n".join(lines) + f"\nresults: {self.outputs}\n"

    def arrays(self) -> list:
        """The inputs as arrays of mica."""
        return [values.to_array(mx, x, name) for x, name in self.inputs]

    def run(self, arrays: Sequence, each: Callable = lambda x: x) -> list:
        """The results, from these inputs; ``each`` sees every value."""
        return [self.all_values(arrays, each)[i] for i in self.outputs]

    def all_values(self, arrays: Sequence, each: Callable = lambda x: x) -> list:
        """Every value of the program."""
        found = list(arrays)
        for step in self.steps:
            found.append(each(step.run(mx, *[found[a] for a in step.args])))
        return found

    @property
    def loose(self) -> bool:
        """Whether batching may change bits."""
        return any(step.loose for step in self.steps)

    @property
    def jumps(self) -> bool:
        """Whether a small change may become a large one."""
        return any(step.jumps for step in self.steps)


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


def dtype_of(x) -> str:
    """The element type's name."""
    return values.dtype_name(x.dtype)


def wide(x: np.ndarray, name: str) -> np.ndarray:
    """``x`` after conversion to ``name``, in NumPy's widest type of the kind."""
    return values.quantized(x, name)


class Pool:
    """Values so far, and draws of them."""

    def __init__(self, draw: Callable, program: Program, most: int, differentiated: bool) -> None:
        self.draw = draw
        self.differentiated = differentiated
        self.most = most
        self.values = program.arrays()

    def joins(self, a: tuple[int, ...], b: tuple[int, ...]) -> bool:
        """Whether shapes broadcast, to something small."""
        try:
            return int(np.prod(np.broadcast_shapes(a, b))) <= self.most
        except ValueError:
            return False

    def any(self, accept: Callable = lambda x: True) -> int | None:
        """The place of a value that ``accept`` accepts; late ones come first when a failure is shrunk."""
        places = [i for i, x in enumerate(self.values) if accept(x)]
        return self.draw(st.sampled_from(places)) if places else None

    def pick(self, items: Sequence):
        """One of these."""
        return self.draw(st.sampled_from(list(items)))

    def int(self, low: int, high: int) -> int:
        """low to high."""
        return self.draw(st.integers(low, high))

    def axis(self, x) -> int:
        """An axis of ``x``, from either end."""
        return self.int(-x.ndim, x.ndim - 1)

    def ulp(self, single: float) -> dict[str, float]:
        """Tolerance by dtype."""
        return {"float16": 2, "bfloat16": 2, "float32": single, "float64": single, "complex64": 4 * single}


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


# ---- steps along axes ----


def reduction(pool: Pool) -> Step | None:
    """A sum, a mean, an extreme over one axis, several or all."""
    name = pool.pick(("sum", "mean", "max", "min", "logsumexp", "var", "prod", "all", "any"))
    only = FLOATS if name in ("mean", "logsumexp", "var", "prod") else values.REALS
    a = pool.any(lambda x: dtype_of(x) in only and x.ndim and x.size and dtype_of(x) != "bool_")
    if a is None:
        return None
    x = pool.values[a]
    axis = pool.pick((None, pool.axis(x), tuple(range(x.ndim))[-2:]))
    keep = pool.pick((False, True))

    def ref(v):
        if name == "logsumexp":
            top = np.max(v, axis=axis, keepdims=True)
            top = np.where(np.isfinite(top), top, 0)
            out = np.log(np.sum(np.exp(v - top), axis=axis, keepdims=True)) + top
            return out if keep else out.reshape(np.sum(v, axis=axis).shape)
        if name == "sum" and v.dtype.kind in "iu":
            kind = np.int64 if v.dtype.itemsize > 4 else np.int32 if v.dtype.kind == "i" else np.uint32
            return np.sum(v, axis=axis, keepdims=keep, dtype=kind)
        return getattr(np, name)(v, axis=axis, keepdims=keep)

    def size(v):
        v = np.abs(v)
        if name == "logsumexp":
            return np.max(v, axis=axis, keepdims=keep) + 8
        return getattr(np, "sum" if name in ("sum", "mean") else name)(
            v * v if name == "var" else v, axis=axis, keepdims=keep
        )

    exact = name in ("max", "min", "all", "any")
    return Step(
        f"mx.{name}({{0}}, axis={axis}, keepdims={keep})",
        (a,),
        lambda m, v: getattr(m, name)(v, axis=axis, keepdims=keep),
        ref,
        {k: 0.0 for k in FLOATS} if exact else pool.ulp(256 if name in ("prod", "var") else 16),
        None if exact else size,
        loose=not exact,
        jumps=name in ("all", "any"),
    )


def scan(pool: Pool) -> Step | None:
    """A running sum or extreme along an axis."""
    a = pool.any(lambda x: dtype_of(x) in ("float32", "float64", "int32") and x.ndim and x.size)
    if a is None:
        return None
    x = pool.values[a]
    name = pool.pick(("cumsum", "cummax", "cummin"))
    axis, back = pool.axis(x), pool.pick((False, True))
    np_name = {"cumsum": np.cumsum, "cummax": np.maximum.accumulate, "cummin": np.minimum.accumulate}[name]

    def along(v):
        v = np.flip(v, axis) if back else v
        if v.dtype.kind == "i" and name == "cumsum":
            out = np.cumsum(v, axis=axis, dtype=v.dtype)
        else:
            out = np_name(v, axis=axis)
        return np.flip(out, axis) if back else out

    return Step(
        f"mx.{name}({{0}}, axis={axis}, reverse={back})",
        (a,),
        lambda m, v: getattr(m, name)(v, axis=axis, reverse=back),
        along,
        pool.ulp(16) if name == "cumsum" else None,
        (lambda v: along(np.abs(v))) if name == "cumsum" else None,
        loose=name == "cumsum",
    )


def order(pool: Pool) -> Step | None:
    """Sorted values, or where they come from."""
    a = pool.any(lambda x: dtype_of(x) in values.REALS and x.ndim and x.size)
    if a is None:
        return None
    x = pool.values[a]
    name, axis = pool.pick(("sort", "argsort", "argmax", "argmin")), pool.axis(x)

    def ref(v):
        if name in ("sort", "argsort"):
            return getattr(np, name)(v, axis=axis, kind="stable")
        return getattr(np, name)(v, axis=axis)

    return Step(
        f"mx.{name}({{0}}, axis={axis})",
        (a,),
        lambda m, v: getattr(m, name)(v, axis=axis),
        ref,
        jumps=name != "sort",
    )


def softmax(pool: Pool) -> Step | None:
    """Normalised exponentials."""
    a = pool.any(lambda x: dtype_of(x) in FLOATS and x.ndim and x.size)
    if a is None:
        return None
    axis = pool.axis(pool.values[a])

    def run(m, v):
        return m.softmax(m.clip(v, -30, 30), axis=axis)

    def ref(v):
        e = np.exp(np.clip(v, -30, 30))
        return e / np.sum(e, axis=axis, keepdims=True)

    return Step(
        f"mx.softmax(mx.clip({{0}}, -30, 30), axis={axis})",
        (a,),
        run,
        ref,
        {"float16": 8, "bfloat16": 8, "float32": 32, "float64": 64},
        lambda v: np.ones_like(ref(v)),
        loose=True,
    )


# ---- products ----


def product(pool: Pool) -> Step | None:
    """A product of a value and another, or its own transpose."""
    a = pool.any(lambda x: dtype_of(x) in ("float32", "float64", "bfloat16") and 2 <= x.ndim and x.size)
    if a is None:
        return None
    x = pool.values[a]
    b = pool.any(
        lambda y: (
            y.dtype == x.dtype
            and y.size
            and (y.ndim == 1 and y.shape[0] == x.shape[-1] or y.ndim == 2 and y.shape[0] == x.shape[-1])
        )
    )
    bound = 50.0

    def tame(m, v):
        return m.clip(v, -bound, bound)

    if b is None or pool.int(0, 3) == 0:
        if x.size // x.shape[-1] * x.shape[-2] > pool.most:
            return None
        return Step(
            "mx.clip({0}, -50, 50) @ mx.swapaxes(mx.clip({0}, -50, 50), -1, -2)",
            (a,),
            lambda m, v: tame(m, v) @ m.swapaxes(tame(m, v), -1, -2),
            lambda v: np.matmul(np.clip(v, -50, 50), np.swapaxes(np.clip(v, -50, 50), -1, -2)),
            pool.ulp(16),
            lambda v: np.matmul(
                np.abs(np.clip(v, -50, 50)), np.swapaxes(np.abs(np.clip(v, -50, 50)), -1, -2)
            ),
            loose=True,
        )
    return Step(
        "mx.clip({0}, -50, 50) @ mx.clip({1}, -50, 50)",
        (a, b),
        lambda m, v, w: tame(m, v) @ tame(m, w),
        lambda v, w: np.matmul(np.clip(v, -50, 50), np.clip(w, -50, 50)),
        pool.ulp(16),
        lambda v, w: np.matmul(np.abs(np.clip(v, -50, 50)), np.abs(np.clip(w, -50, 50))),
        loose=True,
    )


# ---- views and moves: the same function in both modules ----


def moved(text: str, args: tuple[int, ...], run: Callable, ref: Callable | None = None) -> Step:
    """A step that only moves elements."""
    return Step(text, args, run, ref or (lambda *xs: run(np, *xs)))


def view(pool: Pool) -> Step | None:
    """Axes permuted, inserted, joined, reversed; elements sliced."""
    kind = pool.pick(("transpose", "slice", "reshape", "expand", "flip", "broadcast", "squeeze", "swap"))
    a = pool.any(lambda x: x.ndim <= 4)
    x = pool.values[a]
    if kind == "transpose":
        axes = tuple(pool.draw(st.permutations(range(x.ndim)))) if x.ndim else ()
        return moved(f"mx.transpose({{0}}, {axes})", (a,), lambda m, v: m.transpose(v, axes))
    if kind == "reshape":
        shape = pool.pick(((-1,), (1, -1), (x.shape[0] if x.ndim else 1, -1)))
        if not x.size:
            return None
        return moved(f"mx.reshape({{0}}, {shape})", (a,), lambda m, v: m.reshape(v, shape))
    if kind == "expand" and x.ndim < 4:
        axis = pool.int(0, x.ndim)
        return moved(f"mx.expand_dims({{0}}, {axis})", (a,), lambda m, v: m.expand_dims(v, axis))
    if kind == "squeeze":
        return moved("mx.squeeze({0})", (a,), lambda m, v: m.squeeze(v))
    if kind == "broadcast" and x.size <= pool.most // 3 and x.ndim < 4:
        shape = (3, *x.shape)
        return moved(f"mx.broadcast_to({{0}}, {shape})", (a,), lambda m, v: m.broadcast_to(v, shape))
    if not x.ndim:
        return None
    if kind == "swap":
        return moved("mx.swapaxes({0}, 0, -1)", (a,), lambda m, v: m.swapaxes(v, 0, -1))
    if kind == "flip":
        axis = pool.axis(x)
        return moved(f"mx.flip({{0}}, {axis})", (a,), lambda m, v: m.flip(v, axis))
    pieces = []
    for n in x.shape:
        step = pool.pick((1, 1, 2, -1, -2))
        start = pool.pick((None, 0, 1, -1, n // 2))
        pieces.append(slice(start, None, step))
    key = tuple(pieces)
    shown = ", ".join(f"{'' if p.start is None else p.start}::{p.step}" for p in pieces)
    return moved(f"{{0}}[{shown}]", (a,), lambda m, v: v[key])


def joined(pool: Pool) -> Step | None:
    """Concatenated, stacked, tiled, repeated, padded, rolled."""
    kind = pool.pick(("concatenate", "stack", "tile", "repeat", "pad", "roll"))
    a = pool.any(lambda x: 1 <= x.ndim <= 3 and 3 * x.size <= pool.most)
    if a is None:
        return None
    x = pool.values[a]
    axis = pool.axis(x)
    if kind in ("concatenate", "stack"):
        b = pool.any(lambda y: y.dtype == x.dtype and y.shape == x.shape)
        return moved(
            f"mx.{kind}([{{0}}, {{1}}], axis={axis})",
            (a, b),
            lambda m, v, w: getattr(m, kind)([v, w], axis=axis),
        )
    if kind == "tile":
        return moved("mx.tile({0}, (2,))", (a,), lambda m, v: m.tile(v, (2,)))
    if kind == "repeat":
        return moved(f"mx.repeat({{0}}, 2, axis={axis})", (a,), lambda m, v: m.repeat(v, 2, axis=axis))
    if kind == "roll":
        by = pool.int(-3, 3)
        return moved(f"mx.roll({{0}}, {by}, axis={axis})", (a,), lambda m, v: m.roll(v, by, axis=axis))
    return moved("mx.pad({0}, 1)", (a,), lambda m, v: m.pad(v, 1), lambda v: np.pad(v, 1))


def indexed(pool: Pool) -> Step | None:
    """Elements taken by, added at, or put at an array of indices."""
    a = pool.any(lambda x: x.ndim and x.size and 1 <= x.shape[0])
    if a is None:
        return None
    x = pool.values[a]
    n = x.shape[0]
    kind = pool.pick(("take", "getitem", "along", "add", "set"))
    if kind in ("take", "getitem", "along"):
        picked = [pool.int(-n, n - 1) for _ in range(pool.int(1, 3))]
        if kind == "take":
            return moved(
                f"mx.take({{0}}, mx.array({picked}), axis=0)",
                (a,),
                lambda m, v: m.take(v, m.array(picked), axis=0),
            )
        if kind == "getitem":
            return moved(f"{{0}}[mx.array({picked})]", (a,), lambda m, v: v[m.array(picked)])
        shape = (len(picked),) + (1,) * (x.ndim - 1)
        return moved(
            f"mx.take_along_axis({{0}}, mx.array({picked}).reshape{shape}, axis=0)",
            (a,),
            lambda m, v: m.take_along_axis(v, m.array(picked).reshape(shape), axis=0),
        )
    at = pool.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=3, unique=True))
    if dtype_of(x) not in ("float32", "float64", "int32"):
        return None

    def run(m, v):
        return v.at[m.array(at)].add(2) if kind == "add" else setitem(m, v)

    def setitem(m, v):
        w = v + 0
        w[m.array(at)] = 2
        return w

    def ref(v):
        w = v.copy() if kind == "add" else v + 0
        w[at] = w[at] + 2 if kind == "add" else 2
        return w

    shown = f"{{0}}.at[mx.array({at})].add(2)" if kind == "add" else f"setitem({{0}}, {at}, 2)"
    return Step(shown, (a,), run, ref, {k: 0.5 for k in FLOATS})


KINDS = (elementwise,) * 8 + (arithmetic,) * 4 + (number, number, comparison, bitwise, where, astype)
KINDS += (
    (reduction,) * 3 + (scan, order, softmax, product, product) + (view,) * 4 + (joined, indexed, indexed)
)


@st.composite
def programs(
    draw,
    most: int = 12,
    dtypes: Sequence[str] = DTYPES,
    kinds=KINDS,
    scale: int = 1,
    differentiated: bool = False,
) -> Program:
    """Programs of 1 to ``most`` steps; ``scale`` multiplies one axis of the inputs, so that work is split."""
    dims = st.sampled_from((1, 2, 3, 5))
    base = draw(st.lists(dims, min_size=0, max_size=3))
    if scale > 1:
        base = [*base[:1], 7 * scale]
    inputs = []
    seed = draw(st.integers(0, 1000))
    rng = np.random.default_rng(seed)
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(list(dtypes)))
        kept = draw(st.integers(0, len(base)))
        shape = tuple(base[len(base) - kept :])
        if kept and draw(st.booleans()):
            shape = (*shape[:-1], 1) if scale == 1 else shape
        inputs.append((drawn(rng, shape, name), name))
    program = Program(inputs)
    pool = Pool(draw, program, MOST * scale, differentiated)
    for _ in range(draw(st.integers(1, most))):
        step = draw(st.sampled_from(list(kinds)))(pool)
        if step is None or None in step.args:
            continue
        result = step.run(mx, *[pool.values[i] for i in step.args])
        if result.ndim > 5 or result.size > MOST * scale:
            continue
        program.steps.append(step)
        pool.values.append(result)
    last = len(pool.values) - 1
    first = len(inputs) if program.steps else 0
    program.outputs = sorted({last, *draw(st.lists(st.integers(first, last), max_size=2))})
    return program


def drawn(rng: np.random.Generator, shape: tuple[int, ...], name: str) -> np.ndarray:
    """Values of an input, without ties that matter."""
    if name == "bool_":
        return rng.random(shape) < 0.5
    if name in values.INTEGERS:
        return rng.integers(0 if name.startswith("u") else -9, 10, shape).astype(values.NUMPY[name])
    x = rng.uniform(-2, 2, shape)
    if name == "complex64":
        x = x + 1j * rng.uniform(-2, 2, shape)
    return values.quantized(x, name)
