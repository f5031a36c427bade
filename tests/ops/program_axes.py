"""Steps of drawn programs along axes, products, views and moves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from tests.ops import values
from tests.ops.program_base import FLOATS, Pool, Step, dtype_of

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
        if name == "var":
            return np.mean(v * v, axis=axis, keepdims=keep)
        return getattr(np, "sum" if name == "mean" else name)(v, axis=axis, keepdims=keep)

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
