"""Order: sorting, partial sorting, searching."""

from __future__ import annotations

from tests.ops.cases import EXACT, X, case, family, v
from tests.ops.values import REALS

family("sort")

SHAPES = (((4, 5, 6),), ((7,),), ((1, 1, 1),), ((3, 40, 2),))
AXES = (v(), v(0), v(axis=1), v(axis=-1), v(axis=None), v(axis=3), v(axis=-4))
LONG = (((1, 5003),), ((2, 129),), ((300, 3),))

case("sort", X(-100, 100, distinct=True), shapes=SHAPES, variants=AXES, ulp=EXACT)
case("sort", X(-9000, 9000, distinct=True), shapes=LONG, variants=(v(), v(0)), ulp=EXACT, label="long")
case("argsort", X(-100, 100), shapes=SHAPES, variants=AXES, nondiff=True)
case("argsort", X(-50, 50), shapes=LONG, variants=(v(), v(0)), nondiff=True, label="long")


def _halves(m, x, kth, axis):
    """What is promised: the element at kth, and which elements stand before and after it."""
    if axis is None:
        axis = 0
    size = x.shape[axis]
    at = kth if kth >= 0 else kth + size
    parts = m.split(x, [at, at + 1], axis=axis)
    return [m.sort(part, axis=axis) if part.size else part for part in parts]


def _partition(m, x, kth, axis=-1):
    return _halves(m, m.partition(x, kth, axis=axis), kth, axis)


def _argpartition(m, x, kth, axis=-1):
    where = m.argpartition(x, kth, axis=axis)
    x, along = (x.reshape(-1), 0) if axis is None else (x, axis)
    return [*_halves(m, m.take_along_axis(x, where, axis=along), kth, axis), m.zeros_like(where)]


KTH = (v(2), v(0), v(-1), v(3, 1), v(3, axis=0), v(5, None), v(9), v(-9), v(1, 3))
case(
    "partition",
    X(-100, 100, distinct=True),
    shapes=(((4, 5, 6),), ((4, 70, 4),)),
    variants=KTH,
    ulp=EXACT,
    call=_partition,
    dtypes=REALS,
)
case(
    "argpartition",
    X(-100, 100, distinct=True),
    shapes=(((4, 5, 6),), ((4, 70, 4),)),
    variants=KTH,
    ulp=EXACT,
    call=_argpartition,
    dtypes=REALS,
    diff=(),
)
case(
    "topk",
    X(-100, 100, distinct=True),
    shapes=(((4, 5, 6),), ((7,),)),
    variants=(v(2), v(1), v(3, axis=0), v(4, 1), v(4, None), v(9), v(0), v(1, 3), v(-1)),
    ulp=EXACT,
    call=lambda m, x, k, axis=-1: m.sort(m.topk(x, k, axis=axis), axis=0 if axis is None else axis),
    dtypes=REALS,
)
case(
    "searchsorted",
    X(-50, 50),
    X(-60, 60),
    shapes=(((20,), (7,)), ((20,), (3, 2)), ((20,), ()), ((1,), (4,)), ((0,), (3,)), ((4, 5), (3,))),
    variants=(v(), v(side="right"), v("left"), v("middle")),
    call=lambda m, s, x, *a, **k: m.searchsorted(m.sort(s), x, *a, **k),
    nondiff=True,
    later=True,
)
