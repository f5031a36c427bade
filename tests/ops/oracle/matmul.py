"""Products of matrices."""

from __future__ import annotations

import numpy as np

from tests.ops.cases import X, case, family, ulps, v
from tests.ops.values import ALL, FLOATS

family("matmul")

M = X(-1, 1)
# float16 and bfloat16 accumulate in float32 and round once; float32 sums of up to 300 products.
PRODUCT = ulps(16, 16, half=1, pair=64)
SHAPES = (
    ((4, 5), (5, 3)),
    ((5,), (5,)),
    ((4, 5), (5,)),
    ((5,), (5, 3)),
    ((2, 4, 5), (5, 3)),
    ((4, 5), (2, 5, 3)),
    ((2, 1, 4, 5), (3, 5, 2)),
    ((1, 1), (1, 1)),
    ((3, 0), (0, 2)),
    ((0, 3), (3, 2)),
    ((4, 5), (4, 5)),
    ((), (3,)),
    ((2, 3, 4), (3, 4, 2)),
    ((1, 7), (7, 9)),
    ((9, 1), (1, 7)),
)
BIG = (
    ((65, 129), (129, 67)),
    ((1, 300), (300, 257)),
    ((257, 300), (300, 1)),
    ((3, 33, 17), (3, 17, 35)),
    ((17, 300), (300,)),
    ((128, 64), (64, 128)),
)

case("matmul", M, M, shapes=SHAPES, ref=np.matmul, ulp=PRODUCT, scaled="abs")
case(
    "matmul",
    M,
    M,
    shapes=BIG,
    ref=np.matmul,
    ulp=ulps(64, 64, half=1, pair=128),
    scaled="abs",
    dtypes=FLOATS + ("complex64",),
    label="big",
)
case(
    "matmul",
    M,
    M,
    shapes=SHAPES[:5],
    ref=np.matmul,
    ulp=PRODUCT,
    scaled="abs",
    call=lambda m, a, b: a @ b,
    label="operator",
)
case(
    "matmul",
    M,
    X(-1, 1, dtype="float32"),
    shapes=SHAPES[:2],
    ulp=PRODUCT,
    scaled="abs",
    diff=(),
    label="promotion",
    dtypes=ALL,
)


def addmm(c, a, b, alpha=1.0, beta=1.0):
    """alpha * a @ b + beta * c."""
    return alpha * np.matmul(a, b) + beta * np.asarray(c)


case(
    "addmm",
    M,
    M,
    M,
    shapes=(
        ((3,), (4, 5), (5, 3)),
        ((4, 3), (4, 5), (5, 3)),
        ((), (4, 5), (5, 3)),
        ((4, 1), (2, 4, 5), (5, 3)),
        ((3,), (5,), (5, 3)),
        ((4,), (4, 5), (5,)),
        ((), (5,), (5,)),
        ((5,), (4, 5), (5, 3)),
        ((33,), (65, 40), (40, 33)),
    ),
    variants=(v(), v(0.5, 2.0), v(alpha=-1.0, beta=0.0), v(alpha=0.0)),
    ref=addmm,
    ulp=ulps(16, 16, half=2, pair=64),
    scaled="abs",
)
case(
    "addmm",
    M,
    M,
    M,
    shapes=(((4, 3), (4, 0), (0, 3)),),
    variants=(v(0.5, 2.0),),
    ref=addmm,
    ulp=PRODUCT,
    scaled="abs",
    layouts=("contiguous",),
    compiled=False,
    vmap=False,
    diff=(),
    label="nothing to sum",
)
case(
    "inner",
    M,
    M,
    shapes=(((5,), (5,)), ((4, 5), (3, 5)), ((4, 5), (5,)), ((3,), (4,))),
    ref=np.inner,
    ulp=PRODUCT,
    scaled="abs",
    later=True,
)
case(
    "outer",
    M,
    M,
    shapes=(((5,), (4,)), ((2, 3), (4,)), ((), (3,))),
    ref=lambda a, b: np.multiply.outer(np.ravel(a), np.ravel(b)),
    ulp=ulps(0.5, half=0.5, pair=4),
    later=True,
)
case(
    "vecdot",
    M,
    M,
    shapes=(((5,), (5,)), ((4, 5), (4, 5)), ((4, 5), (5,))),
    variants=(v(), v(axis=-1)),
    ulp=PRODUCT,
    scaled="abs",
    later=True,
)
case(
    "tensordot",
    M,
    M,
    shapes=(((3, 4, 5), (4, 5, 2)),),
    variants=(v(), v(2), v([[1, 2], [0, 1]]), v(axes=0), v(9)),
    ulp=PRODUCT,
    scaled="abs",
    later=True,
)
