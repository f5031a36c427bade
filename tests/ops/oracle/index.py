"""Indexing functions; keys of ``x[...]`` are proven in tests/python/test_core_index.py."""

from __future__ import annotations

import numpy as np

from tests.ops.cases import EXACT, X, case, family, v

family("index")

I4 = X(-4, 3, dtype="int32")
U4 = X(0, 3, dtype="uint32")


def index(name, *domains, **kwargs):
    """A function that picks elements; derivatives only for the data."""
    kwargs.setdefault("diff", (0,))
    kwargs.setdefault("ulp", EXACT)
    case(name, *domains, **kwargs)


for label, indices in {
    "int32": I4,
    "uint32": U4,
    "int8": X(-4, 3, dtype="int8"),
    "int64": X(-4, 3, dtype="int64"),
}.items():
    index(
        "take",
        X(),
        indices,
        shapes=(((4, 4, 4), (2, 3)), ((4, 4, 4), ()), ((4, 4, 4), (0,))),
        variants=(v(axis=0), v(axis=1), v(-1), v(axis=3), v(axis=-4)),
        label=label,
    )
index(
    "take",
    X(),
    X(-8, 7, dtype="int32"),
    shapes=(((8,), (5,)), ((2, 4), (2, 2)), ((8,), ())),
    variants=(v(), v(None)),
    label="flattened",
)
index("take", X(), shapes=(((4, 5),),), variants=(v(2), v(0, axis=1), v(3, 0)), label="number")
index(
    "take_along_axis",
    X(),
    I4,
    shapes=(
        ((4, 3), (2, 3)),
        ((4, 3), (4, 3)),
        ((4,), (6,)),
        ((4, 3), (4, 1)),
        ((4, 3), (1, 3)),
        ((4, 3), (3,)),
    ),
    variants=(v(axis=0), v(axis=3), v(axis=-3)),
)
index(
    "take_along_axis",
    X(),
    I4,
    shapes=(((3, 4), (3, 2)), ((2, 3, 4), (2, 3, 5)), ((2, 3, 4), (1, 3, 2))),
    variants=(v(axis=-1), v(-1)),
    label="last",
)
index(
    "take_along_axis",
    X(),
    X(-12, 11, dtype="int32"),
    shapes=(((3, 4), (7,)),),
    variants=(v(None), v()),
    label="flattened",
)


def _columns(a):
    """Distinct indices down axis 0, so that the order of writes does not matter."""
    return np.argsort(np.asarray(a), axis=0, kind="stable")


index(
    "put_along_axis",
    X(),
    X(-9, 9, distinct=True, dtype="float32"),
    X(),
    shapes=(((4, 3), (4, 3), (4, 3)), ((4, 3), (4, 3), (1, 3)), ((4, 3), (4, 3), ())),
    variants=(v(0), v(axis=0)),
    diff=(0, 2),
    call=lambda m, a, order, values, axis: m.put_along_axis(a, m.argsort(order, axis=0), values, axis),
)
index(
    "slice",
    X(),
    X(0, 2, dtype="int32"),
    shapes=(((4, 5), (2,)), ((6, 7), (2,))),
    variants=(v((0, 1), (2, 3)), v([0, 1], [1, 1]), v((1, 0), (2, 3))),
)
index(
    "slice",
    X(),
    X(0, 2, dtype="int32"),
    shapes=(((4, 5), (1,)),),
    variants=(v((1,), (4, 3)), v((0,), (2, 5)), v((0,), (2,)), v((0, 1), (2, 2))),
    label="one axis",
)
index(
    "slice_update",
    X(),
    X(),
    X(0, 2, dtype="int32"),
    shapes=(((4, 5), (2, 3), (2,)), ((4, 5), (1, 1), (2,))),
    variants=(v((0, 1)), v([0, 1])),
    diff=(0, 1),
)
index(
    "slice_update",
    X(),
    X(),
    X(0, 2, dtype="int32"),
    shapes=(((4, 5), (4, 3), (1,)),),
    variants=(v((1,)),),
    diff=(0, 1),
    label="one axis",
)

_GET = (
    v(0),
    v(-1),
    v(slice(1, 3)),
    v(slice(None, None, -1)),
    v(slice(None, None, 2)),
    v((slice(None), 1)),
    v((0, slice(1, 4, 2))),
    v(None),
    v(Ellipsis),
    v((Ellipsis, 0)),
    v((None, 1, None)),
    v([0, 2]),
    v(([0, 1], [2, 3])),
    v((slice(0, 2), [0, 0, 1])),
    v(slice(5, 2)),
    v((0, 1, 2, 3)),
    v("a"),
    v(1.0),
)
index("array.__getitem__", X(), shapes=(((4, 5, 3),),), variants=_GET, call=lambda m, x, key: x[key])


def _set(m, x, value, key):
    y = m.array(x)
    y[key] = value
    return y


index(
    "array.__setitem__",
    X(),
    X(),
    shapes=(((4, 5, 3), ()), ((4, 5, 3), (3,)), ((4, 5, 3), (1,))),
    diff=(0, 1),
    call=_set,
    variants=(
        v(0),
        v(-1),
        v(slice(1, 3)),
        v(slice(None, None, -1)),
        v((slice(None), 1)),
        v(Ellipsis),
        v([0, 2]),
        v(([0, 1], [2, 3])),
        v((slice(None, None, 2), [0, 1])),
        v(None),
    ),
)
for name in ("add", "subtract", "multiply", "maximum", "minimum"):
    index(
        f"array.at.{name}",
        X(-4, 4),
        X(1, 3),
        shapes=(((4, 5), ()), ((4, 5), (5,))),
        ulp={"float32": 2, "float64": 2, "float16": 2, "bfloat16": 2, "complex64": 8},
        variants=(v(0), v([0, 2, 0]), v(slice(0, 3)), v((slice(None), slice(1, None))), v((Ellipsis,))),
        call=lambda m, x, u, key, _name=name: getattr(x.at[key], _name)(u),
        diff=() if name in ("maximum", "minimum") else (0, 1),
    )
# An index that is given twice would be a tie.
for name in ("maximum", "minimum"):
    index(
        f"array.at.{name}",
        X(-4, 4),
        X(-3, 3),
        shapes=(((4, 5), ()), ((4, 5), (5,))),
        dtypes=("float32", "float64"),
        variants=(v(0), v([0, 2]), v(slice(0, 3)), v((slice(None), slice(1, None)))),
        call=lambda m, x, u, key, _name=name: getattr(x.at[key], _name)(u),
        diff=(0, 1),
        label="derivative",
    )
index(
    "array.at.divide",
    X(-4, 4),
    X(1, 3),
    shapes=(((4, 5), ()), ((4, 5), (5,))),
    ulp={"float32": 4, "float64": 4, "float16": 2, "bfloat16": 2, "complex64": 16},
    variants=(v(0), v([0, 2, 0]), v(slice(0, 3))),
    call=lambda m, x, u, key: x.at[key].divide(u),
    diff=(0, 1),
)
