"""Reductions, softmax, scans."""

from __future__ import annotations

import numpy as np

from tests.ops.cases import EXACT, X, case, family, ulps, v
from tests.ops.layouts import LAYOUTS
from tests.ops.values import FLOATS, INTEGERS, SIGNED

family("reduce")

AXES = (
    v(),
    v(axis=0),
    v(axis=-1),
    v(axis=1, keepdims=True),
    v(axis=(0, 2)),
    v(axis=[2, 1], keepdims=True),
    v(axis=(-1, 0, 1)),
    v(axis=()),
    v(1, True),
    v(axis=3),
    v(axis=-4),
    v(axis=(0, 0)),
)
ONE_AXIS = (
    v(),
    v(axis=0),
    v(axis=-1),
    v(axis=1, keepdims=True),
    v(axis=None, keepdims=True),
    v(axis=-2),
    v(axis=3),
    v(axis=-4),
)
# Empty arrays stand in test_empty.py: the wheel reads garbage or never returns.
SHAPES = (((4, 5, 6),), ((7,),), ((),), ((1, 1, 1),), ((3, 1, 4),))
LONG = (((33, 1, 67),), ((2, 1030, 3),), ((1, 1, 4099),), ((70001,),))
SUM = ulps(4, half=1, pair=8)


def _axes(axis):
    return tuple(axis) if isinstance(axis, list) else axis


def _numpy(function):
    def reduced(x, axis=None, keepdims=False, **kwargs):
        return function(x, axis=_axes(axis), keepdims=keepdims, **kwargs)

    return reduced


def logsumexp(x, axis=None, keepdims=False):
    """log(sum(exp(x))) in float64; the wheel decides about complex numbers."""
    if np.iscomplexobj(x):
        raise TypeError
    axis = _axes(axis)
    if axis == ():
        return np.asarray(x, np.float64)
    top = np.max(x, axis=axis, keepdims=True)
    shift = np.where(np.isfinite(top), top, 0.0)
    result = np.log(np.sum(np.exp(x - shift), axis=axis, keepdims=True)) + shift
    return result if keepdims else np.squeeze(result, axis=axis)


def softmax(x, axis=None, precise=False):
    """exp(x) / sum(exp(x)) in float64; the wheel decides about complex numbers."""
    if np.iscomplexobj(x):
        raise TypeError
    axis = _axes(axis)
    if np.size(x) == 0:
        return np.asarray(x, np.float64)
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


case("sum", X(-1, 4), shapes=SHAPES, variants=AXES, ref=_numpy(np.sum), ulp=SUM, scaled="abs")
case(
    "sum",
    X(-1, 4),
    shapes=LONG,
    variants=(v(), v(axis=0), v(axis=-1)),
    ref=_numpy(np.sum),
    ulp=ulps(16),
    scaled="abs",
    label="long",
)
case(
    "prod",
    X(0.5, 2),
    shapes=SHAPES,
    variants=AXES,
    ref=_numpy(np.prod),
    ulp=ulps(32, half=1, pair=128),
    scaled=True,
    grad=X(0.7, 1.4),
)
case("mean", X(-1, 4), shapes=SHAPES, variants=AXES, ref=_numpy(np.mean), ulp=SUM, scaled="abs")
case(
    "mean",
    X(-1, 4),
    shapes=LONG,
    variants=(v(), v(axis=0), v(axis=-1)),
    ref=_numpy(np.mean),
    ulp=ulps(16),
    scaled="abs",
    label="long",
    dtypes=FLOATS + INTEGERS,
)
for name in ("var", "std"):
    f = _numpy(getattr(np, name))
    case(
        name,
        X(-1, 4),
        shapes=(((4, 5, 6),), ((7,),)),
        variants=AXES + (v(ddof=1), v(axis=1, ddof=1)),
        ref=f,
        ulp=ulps(16, half=1, pair=64),
        scaled=True,
        layouts=[layout for layout in LAYOUTS if layout != "broadcast"],
    )
for name in ("max", "min"):
    case(name, X(-100, 100, distinct=True), shapes=SHAPES, variants=AXES, ulp=EXACT)
    case(name, X(-1000, 1000), shapes=LONG, variants=(v(), v(axis=0), v(axis=-1)), ulp=EXACT, label="long")
    case("arg" + name, X(-100, 100), shapes=SHAPES, variants=ONE_AXIS, nondiff=True)
    case(
        "arg" + name,
        X(-100, 100),
        shapes=LONG,
        variants=(v(), v(axis=0), v(axis=-1)),
        nondiff=True,
        label="long",
    )
for name in ("all", "any"):
    case(name, X(-1, 1), shapes=SHAPES, variants=AXES, nondiff=True)
    case(
        name,
        X(1, 1) if name == "all" else X(0, 0),
        shapes=LONG,
        variants=(v(), v(axis=-1)),
        nondiff=True,
        label="long",
    )
case("logsumexp", X(-10, 10), shapes=SHAPES, variants=AXES, ref=logsumexp, ulp=ulps(4), scaled=True)
case(
    "logsumexp",
    X(-10, 10),
    shapes=LONG,
    variants=(v(), v(axis=0), v(axis=-1)),
    ref=logsumexp,
    ulp=ulps(4),
    scaled=True,
    dtypes=FLOATS,
    label="long",
)
case(
    "softmax",
    X(-10, 10),
    shapes=SHAPES,
    ref=softmax,
    ulp=ulps(8, half=1),
    scaled=True,
    dtypes=(*FLOATS, "int8", "int32", "bool_", "complex64"),
    variants=(
        v(),
        v(axis=0),
        v(axis=-1),
        v(axis=(0, 2)),
        v(axis=[1, -1]),
        v(-1, precise=True),
        v(axis=3),
        v(axis=-4),
    ),
)
case(
    "softmax",
    X(-10, 10),
    shapes=LONG,
    variants=(v(), v(axis=0), v(axis=-1)),
    ref=softmax,
    ulp=ulps(16, half=2),
    scaled=True,
    dtypes=FLOATS,
    label="long",
)
case(
    "median",
    X(-100, 100, distinct=True),
    shapes=SHAPES,
    variants=[a for a in AXES if a.kwargs.get("axis") != ()],
    ulp=ulps(1),
    ref=_numpy(np.median),
    later=True,
)
case(
    "count_nonzero",
    X(-1, 1),
    shapes=SHAPES,
    nondiff=True,
    later=True,
    variants=(v(), v(axis=0), v(axis=(0, -1)), v(axis=1, keepdims=True)),
)
case("minmax", X(-100, 100, distinct=True), shapes=SHAPES, variants=AXES, ulp=EXACT, later=True)
case(
    "array_equal",
    X(-1, 1),
    X(-1, 1),
    shapes=(((3, 4),) * 2, ((), ()), ((3,), (4,)), ((0,), (0,))),
    variants=(v(), v(equal_nan=True)),
    nondiff=True,
)
case(
    "allclose",
    X(-1, 1),
    X(-1, 1),
    shapes=(((3, 4),) * 2, ((), ()), ((3,), (1,)), ((0,), (0,))),
    variants=(v(), v(2.0, 2.0), v(atol=0.5, equal_nan=True)),
    nondiff=True,
    dtypes=SIGNED + FLOATS + ("bool_", "complex64"),
)

family("scan")

SCANS = tuple(
    v(axis=axis, reverse=reverse, inclusive=inclusive)
    for axis in (0, 1, -1, None)
    for reverse in (False, True)
    for inclusive in (True, False)
) + (v(), v(axis=3), v(axis=-4))


def _scan(function, start):
    def scanned(x, axis=None, *, reverse=False, inclusive=True, dtype=None):
        x = np.asarray(x)
        if axis is None:
            x, axis = x.reshape(-1), 0
        if reverse:
            x = np.flip(x, axis)
        if not inclusive:
            first = np.full_like(np.take(x, [0], axis), start)
            x = np.concatenate([first, np.delete(x, -1, axis)], axis)
        x = function(x, axis)
        return np.flip(x, axis) if reverse else x

    return scanned


SCAN_SHAPES = (((4, 5, 6),), ((7,),), ((1, 1, 3),), ((3, 67, 2),))
case(
    "cumsum",
    X(-1, 4),
    shapes=SCAN_SHAPES,
    variants=SCANS + (v(axis=0, dtype="int64"),),
    dtypes=FLOATS + INTEGERS + ("bool_", "complex64"),
    ref=_scan(np.cumsum, 0),
    ulp=ulps(32, half=1),
    scaled="abs",
)
case(
    "cumsum",
    X(-1, 4),
    shapes=(((10007,),), ((5, 1100),), ((1100, 5),)),
    variants=(v(), v(axis=0), v(axis=-1, reverse=True)),
    ref=_scan(np.cumsum, 0),
    ulp=ulps(2048, half=1),
    scaled="abs",
    dtypes=("float32", "float64", "int32", "int64", "uint8"),
    label="long",
)
case(
    "cumprod",
    X(0.8, 1.25),
    shapes=SCAN_SHAPES,
    variants=SCANS,
    ref=_scan(np.cumprod, 1),
    ulp=ulps(32, half=2),
    scaled=True,
    dtypes=FLOATS + INTEGERS + ("bool_",),
)
case("cummax", X(-100, 100, distinct=True), shapes=SCAN_SHAPES, variants=SCANS, ulp=EXACT)
case("cummin", X(-100, 100, distinct=True), shapes=SCAN_SHAPES, variants=SCANS, ulp=EXACT)
case(
    "logcumsumexp",
    X(-4, 4),
    shapes=SCAN_SHAPES,
    variants=SCANS,
    ref=_scan(lambda x, a: np.logaddexp.accumulate(x, a), -np.inf),
    ulp=ulps(32, half=2),
    scaled=True,
    dtypes=FLOATS + ("int32", "bool_"),
)
for name in ("cumulative_sum", "cumulative_prod"):
    case(
        name,
        X(0.5, 2),
        shapes=(((4, 5),),),
        variants=(v(), v(axis=1)),
        dtypes=("int32",),
        diff=(),
        later=True,
    )
